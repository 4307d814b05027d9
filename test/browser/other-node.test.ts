import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { startCluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { METRICS_ON, scrape } from '../support/scrape.ts'
import { findings, picture, signInAs, untilShown, watchFaults } from './browser.ts'
import { setStage } from './support/stage.ts'

/** Another node on the page of one, in a real browser. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())
const RULES = { alarms: { rules: { temperature: { high: { limit: 1 } } } } }

test.serial(
  'a person looks at another node through the one that serves the page, until it is killed or they are removed',
  async t => {
    const config = { ...WEB_ON, ...METRICS_ON, ...RULES }
    await using cluster = await startCluster(t, { nodes: 3, certs, config })
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const faults = watchFaults(page)
    await page.goto(cluster.node(1).page ?? '')
    const key = await signInAs(page, 'phone')
    await cluster.grant(3, 'phone', { keys: [key], views: ['fleet'] })
    await page.getByRole('link', { name: 'Fleet' }).click()
    await page.getByRole('link', { name: 'node-2' }).click()
    await untilShown(page, 'main', /Live, as node-2 itself says it/)
    await untilShown(page, 'article:has-text("temperature") .value', /°C/)
    await untilShown(page, 'article:has-text("door") .value', /closed/)
    cluster.node(2).fridge?.openDoor()
    await untilShown(page, 'article:has-text("door") .value', /open/)
    await untilShown(page, '[aria-label="Alarms of node-2"]', /temperature: .*limit 1/)
    await untilShown(page, 'article:has-text("temperature") figcaption', /24 hours/)
    t.deepEqual(await findings(page), [])
    await picture(page, 'other-node')
    t.is((await scrape(cluster.node(1))).of('fridge_relays asked'), 1)
    // The node is gone: what it has said last holds no more.
    await cluster.stop(2)
    await untilShown(page, 'main', /Nothing is known of it now: the node is stopping/)
    t.notRegex(await page.locator('main').innerText(), /°C/)
    await cluster.start(2)
    await untilShown(page, 'article:has-text("temperature") .value', /°C/)
    // The view is left, and what was held for it is given back.
    const from = cluster.log.lines.length
    await page.getByRole('link', { name: 'This fridge' }).click()
    await cluster.log.find(({ text }) => text === 'a node reads here no more', from)
    t.is((await scrape(cluster.node(1))).of('fridge_relays asked'), 0)
    await page.goto(`${cluster.node(1).page}#node/node-2`)
    await untilShown(page, 'article:has-text("temperature") .value', /°C/)
    await cluster.revoke(3, 'phone')
    await untilShown(page, 'main', /phone is not let in with this key/)
    t.notRegex(await page.locator('main').innerText(), /°C/)
    t.deepEqual(faults, [])
  },
)

test.serial(
  'a sealed sensor of another node is read by who has typed its passphrase, and not by the node between them',
  async t => {
    const passphraseFile = join(await makeTestFolder(t), 'kitchen.txt')
    await writeFile(passphraseFile, 'correct horse battery staple', { mode: 0o600 })
    const seal = { kitchen: { sensors: ['temperature'], passphraseFile } }
    await using cluster = await startCluster(t, { nodes: 2, certs, config: { ...WEB_ON, seal } })
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const told: string[] = []
    page.on('websocket', socket => {
      socket.on('framereceived', ({ payload }) => void told.push(String(payload)))
    })
    await page.goto(`${cluster.node(1).page}#node/node-2`)
    const key = await signInAs(page, 'phone')
    await cluster.grant(1, 'phone', { keys: [key] })
    const shown = 'article:has-text("temperature") .value'
    await untilShown(page, shown, /sealed: type its passphrase/)
    await page.getByLabel('The passphrase of kitchen').fill('correct horse battery staple')
    await page.getByRole('button', { name: 'Open' }).click()
    await untilShown(page, shown, /°C/)
    await page.getByRole('button', { name: '7 days' }).last().click()
    await untilShown(page, 'article:has-text("temperature") figcaption', /lowest/)
    t.true(told.some(frame => frame.includes('"relayed","node-2","temperature","sealed"')))
    t.false(told.some(frame => /"(?:event|relayed)".*"temperature","reading"/.test(frame)))
  },
)
