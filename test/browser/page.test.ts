import { join } from 'node:path'
import test from 'ava'
import { HISTORY_FILE } from '../../node/history/database.ts'
import { recordYear } from '../support/history-year.ts'
import type { KeyId } from '../../node/identity/names.ts'
import type { Response } from 'playwright-core'
import { startCluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import {
  drawnColumns,
  findings,
  picture,
  signInAs,
  untilFits,
  untilShown,
  watchFaults,
} from './browser.ts'
import { setStage } from './support/stage.ts'

/** The page that a node serves, as a person sees it. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())
const RULES = { alarms: { rules: { temperature: { high: { limit: 1 } } } } }

/** Whether anything in a plot is written as dark as only on a light ground. */
const HAS_DARK_INK = `(() => {
  const canvas = document.querySelector('canvas')
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  return data.some((red, at) => at % 4 === 0 && data[at + 3] > 200 && red < 40 && data[at + 2] < 50)
})()`

test.serial(
  'a person signs in on the page of a node, sees its sensors live, and is shut out from another node',
  async t => {
    await using cluster = await startCluster(t, {
      nodes: 2,
      certs,
      config: { ...WEB_ON, ...RULES },
    })
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const faults = watchFaults(page)
    await page.goto(cluster.node(1).page ?? '')
    await untilShown(page, 'header [role=status]', /nobody has signed in/)
    t.deepEqual(await findings(page), [])
    // By keyboard alone.
    await page.getByLabel('The name of this browser').focus()
    await page.keyboard.type('phone')
    await page.keyboard.press('Enter')
    const command = await untilShown(page, 'pre', /whitelist add/)
    t.deepEqual(await findings(page), [])
    await picture(page, 'sign-in')
    const key = command.split(' ').at(-1) as KeyId
    await cluster.grant(2, 'phone', { keys: [key] })
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)
    await untilShown(page, 'article:has-text("temperature") .value', /°C/)
    await untilShown(page, 'article:has-text("door") .value', /closed/)
    await untilShown(page, '.alarms', /temperature: .*limit 1/)
    await page.getByLabel('What is done about temperature').fill('called the service')
    await page.getByRole('button', { name: 'Take note' }).click()
    await untilShown(page, '.alarms', /noted by client\/phone: called the service/)
    t.deepEqual(await findings(page), [])
    await picture(page, 'live')
    // It fits a telephone without scrolling sideways.
    await page.setViewportSize({ width: 360, height: 800 })
    await untilFits(page, 360)
    await cluster.grant(2, 'phone', { keys: [key], expiresAt: Date.now() + 1_000 })
    await untilShown(page, 'main', /the grant of phone has expired/)
    t.is(await page.locator('article').count(), 0)
    await cluster.grant(1, 'phone', { keys: [key] })
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)
    await cluster.revoke(2, 'phone')
    await untilShown(page, 'main', /phone is not let in with this key/)
    t.is(await page.locator('article').count(), 0)
    t.deepEqual(faults, [])
  },
)

test.serial(
  'a person sees the fleet, the list and its log where the grant names them, with the signatures checked',
  async t => {
    await using cluster = await startCluster(t, {
      nodes: 3,
      certs,
      config: { ...WEB_ON, ...RULES },
    })
    await cluster.grant(1, 'c1', { sensors: ['door'] })
    await cluster.grant(2, 'origin/https://shop.example', { sensors: ['door'], public: true })
    await cluster.revoke(3, 'c1')
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const faults = watchFaults(page)
    await page.goto(cluster.node(1).page ?? '')
    const key = await signInAs(page, 'phone')
    await cluster.grant(2, 'phone', { keys: [key], commands: ['acknowledge'], sensors: ['door'] })
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)
    t.is(await page.getByRole('navigation').count(), 0)
    await cluster.grant(2, 'phone', { keys: [key], views: ['fleet', 'whitelist', 'log'] })
    await page.getByRole('link', { name: 'Fleet' }).click()
    await untilShown(page, 'article:has-text("node-3")', /up[^]*temperature: high 1[^]*°C/)
    await untilShown(page, 'article:has-text("node-1")', /door\s+closed/)
    t.deepEqual(await findings(page), [])
    await picture(page, 'fleet')
    await cluster.stop(3)
    await untilShown(page, 'article:has-text("node-3")', /left/)
    t.notRegex(await page.locator('article:has-text("node-3")').innerText(), /°C/)
    // By keyboard alone.
    await page.getByRole('link', { name: 'Whitelist' }).focus()
    await page.keyboard.press('Enter')
    await untilShown(page, 'tr:has-text("phone")', /granted[^]*views fleet whitelist log/)
    await untilShown(page, 'tr:has-text("c1")', /revoked/)
    await untilShown(page, 'section:has-text("Origins") >> nth=-1', /shop\.example/)
    t.deepEqual(await findings(page), [])
    await picture(page, 'whitelist')
    await page.getByRole('link', { name: 'Log' }).click()
    await untilShown(page, '[aria-labelledby=log]', /verified/)
    t.is(await page.locator('tbody tr').count(), 5)
    t.is(await page.getByText('✓ verified').count(), 5)
    t.deepEqual(await findings(page), [])
    await picture(page, 'log')
    await page.setViewportSize({ width: 360, height: 800 })
    await untilFits(page, 360)
    // What is looked at is gone with the right to it.
    await cluster.grant(2, 'phone', { keys: [key], views: ['fleet'] })
    await untilShown(page, 'main', /Sensors/)
    t.notRegex(await page.locator('main').innerText(), /verified/)
    t.deepEqual(faults, [])
  },
)

test.serial(
  'a person sees a year of a fridge, its gaps, and how often its door was opened',
  async t => {
    await using cluster = await startCluster(t, { certs, config: WEB_ON })
    await cluster.stop(1)
    await recordYear(join(cluster.config(1).data, HISTORY_FILE))
    await cluster.start(1, WEB_ON)
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await page.goto(cluster.node(1).page ?? '')
    const key = await signInAs(page, 'phone')
    await cluster.grant(1, 'phone', { keys: [key], commands: [] })
    const temperature = page.locator('article:has-text("temperature")')
    await untilShown(page, temperature.locator('figcaption'), /Last 24 hours: lowest -?\d/)
    await temperature.getByRole('button', { name: 'a year' }).click()
    await untilShown(
      page,
      temperature.locator('figcaption'),
      /Last a year: lowest 2\.\d\d, highest/,
    )
    const door = page.locator('article:has-text("door")')
    await door.getByRole('button', { name: '7 days' }).click()
    await untilShown(page, door.locator('figcaption'), /Last 7 days: opened \d+ times, open for \d/)
    await temperature.locator('canvas').waitFor()
    await picture(page, 'year')
    // Its axes are to be read when the browser turns dark.
    for (const colorScheme of ['light', 'dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      while ((await page.evaluate<boolean>(HAS_DARK_INK)) !== (colorScheme === 'light')) {
        await page.waitForTimeout(50)
      }
    }
    // Where nothing was recorded nothing is drawn: a column of the plot is empty from top to bottom.
    const columns = await drawnColumns(page)
    const known = columns.slice(columns.indexOf(true), columns.lastIndexOf(true))
    const empty = known.filter(isDrawn => !isDrawn).length
    t.true(empty > 3, String(empty))
  },
)

test.serial(
  'the page is at most 60 kB on its way, and a code for a camera comes later',
  async t => {
    await using cluster = await startCluster(t, { certs, config: WEB_ON })
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const answers: Response[] = []
    page.on('response', answer => void answers.push(answer))
    await page.goto(cluster.node(1).page ?? '')
    await untilShown(page, 'header [role=status]', /nobody has signed in/)
    t.is(answers.length, 3)
    const sizes = await Promise.all(answers.map(async answer => answer.request().sizes()))
    const bytes = sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0)
    t.true(bytes > 10_000 && bytes <= 60_000, String(bytes))
    t.log(`${bytes} bytes`)
    await signInAs(page, 'phone')
    await page.getByRole('img', { name: 'The command as a code for a camera' }).waitFor()
  },
)
