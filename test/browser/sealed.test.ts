import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { BrowserContext, Page } from 'playwright-core'
import { makeTestFolder } from '../support/certs.ts'
import { startCluster, type Cluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { signInAs, untilShown } from './browser.ts'
import { setStage } from './support/stage.ts'

/** Sealed sensors on the page of a node: two people, of whom one has the passphrase. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())
const WORDS = 'correct horse battery staple'
const TEMPERATURE = 'article:has-text("temperature") .value'

async function startSealed(t: ExecutionContext): Promise<{ cluster: Cluster; file: string }> {
  const file = join(await makeTestFolder(t), 'kitchen.txt')
  await writeFile(file, `${WORDS}\n`, { mode: 0o600 })
  const seal = { kitchen: { sensors: ['temperature'], passphraseFile: file } }
  const alarms = { rules: { temperature: { high: { limit: 1 } } } }
  const cluster = await startCluster(t, { certs, config: { ...WEB_ON, seal, alarms } })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  return { cluster, file }
}

/** A page on which somebody has signed in, and all that its node has told it. */
async function signIn(
  cluster: Cluster,
  context: BrowserContext,
  name: string,
): Promise<{ page: Page; told: string[]; said: string[] }> {
  const page = await context.newPage()
  const [told, said]: [string[], string[]] = [[], []]
  page.on('websocket', socket => {
    socket.on('framereceived', ({ payload }) => void told.push(String(payload)))
    socket.on('framesent', ({ payload }) => void said.push(String(payload)))
  })
  await page.goto(cluster.node(1).page ?? '')
  const key = await signInAs(page, name)
  await cluster.grant(1, name, { keys: [key] })
  await untilShown(page, 'header [role=status]', /^Live, signed in/)
  return { page, told, said }
}

async function type(page: Page, words: string): Promise<void> {
  await page.getByLabel('The passphrase of kitchen').fill(words)
  await page.getByRole('button', { name: 'Open' }).click()
}

test.serial(
  'a page shows a sealed sensor to who types its passphrase, and to another user nothing of it',
  async t => {
    const { cluster, file } = await startSealed(t)
    await using own = await browser.newContext({ ignoreHTTPSErrors: true })
    await using others = await browser.newContext({ ignoreHTTPSErrors: true })
    const { page, said } = await signIn(cluster, own, 'phone')
    const other = await signIn(cluster, others, 'tablet')
    await untilShown(page, TEMPERATURE, /sealed: type its passphrase/)
    await untilShown(page, 'article:has-text("door") .value', /closed/)
    await type(page, 'correct horse battery stapler')
    await untilShown(page, '[aria-labelledby=sealed]', /That is not the passphrase/)
    t.notRegex(await page.locator('main').innerText(), /°C/)

    await type(page, WORDS)
    await untilShown(page, TEMPERATURE, /°C/)
    await untilShown(page, 'article:has-text("temperature") figcaption', /lowest/)
    // What it does now leaves it sealed as well.
    const from = said.length
    await page.getByLabel('What is done about temperature').fill('called the service')
    await page.getByRole('button', { name: 'Take note' }).click()
    await untilShown(page, '.alarms', /noted by client\/phone: called the service/)
    t.true(said.slice(from).some(frame => frame.includes('"sealed"')))
    t.false(said.slice(from).some(frame => frame.includes('"call"')))

    await untilShown(other.page, TEMPERATURE, /sealed: type its passphrase/)
    t.notRegex(await other.page.locator('main').innerText(), /°C/)
    const values = other.told.filter(frame => frame.startsWith('42["event","temperature"'))
    t.true(values.length > 0)
    t.true(values.every(frame => frame.startsWith('42["event","temperature","sealed",')))

    await writeFile(file, 'another horse battery staple\n')
    await cluster.node(1).reload()
    await untilShown(page, '[aria-labelledby=sealed]', /passphrase of this channel has changed/)
    await untilShown(page, TEMPERATURE, /sealed: type its passphrase/)
    await type(page, 'another horse battery staple')
    await untilShown(page, TEMPERATURE, /°C/)
  },
)
