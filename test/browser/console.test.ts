import test from 'ava'
import { startCommand } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { findings, picture, untilFits, untilShown, watchFaults } from './browser.ts'
import { setStage } from './support/stage.ts'

/** An operator without a command line, in a real browser. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())
const RULES = { alarms: { rules: { temperature: { high: { limit: 1 } } } } }

test.serial(
  'an operator invites, narrows and removes on the page of the console, which shows each node as it confirms',
  async t => {
    await using cluster = await startCluster(t, {
      nodes: 3,
      certs,
      config: { ...WEB_ON, ...RULES },
    })
    const running = startCommand(['console', '--node', cluster.address(1)], {
      env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' },
    })
    const url = await running.out.find(/^http:/)
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const faults = watchFaults(page)
    await page.goto(url)
    await untilShown(page, 'header [role=status]', /^Console/)
    t.is(page.url(), url.replace(/#.*/, ''))
    await untilShown(page, 'article:has-text("node-3")', /temperature: high 1[^]*°C/)
    t.deepEqual(await findings(page), [])
    await page.getByLabel('What is done about temperature of node-3').fill('called')
    await page.locator('article:has-text("node-3")').getByRole('button').click()
    await untilShown(page, 'article:has-text("node-3")', /noted/)
    await page.getByRole('link', { name: 'Whitelist' }).click()
    const outcome = page.getByRole('region', { name: 'What was changed' })
    await page.getByLabel('Name, or').fill('phone')
    await page.getByLabel('fleet').check()
    await page.getByRole('button', { name: 'Invite a browser' }).click()
    const withdrawn = await untilShown(page, 'pre', /^https:.*#invite=/)
    await page.getByRole('button', { name: 'Withdraw it' }).click()
    await untilShown(page, outcome, /not done: nobody has opened the invitation/)
    await page.getByLabel('Name, or').fill('phone')
    await page.getByLabel('fleet').check()
    await page.getByRole('button', { name: 'Invite a browser' }).click()
    const link = await untilShown(page, 'pre', /^https:.*#invite=/)
    t.not(link, withdrawn)
    t.deepEqual(await findings(page), [])
    await picture(page, 'console')
    await using guests = await browser.newContext({ ignoreHTTPSErrors: true })
    const phone = await guests.newPage()
    await phone.goto(withdrawn)
    await untilShown(phone, 'main', /could not be let in: this invitation was used, is over/)
    await phone.goto('about:blank')
    await phone.goto(link)
    await untilShown(phone, 'header [role=status]', /^Live, signed in as phone$/)
    await untilShown(page, outcome, /node-3 applied it[^]*done on 3 nodes/)
    // Narrowed while it is open.
    await page.locator('tr:has-text("phone")').getByRole('button', { name: 'Change' }).click()
    await page.getByLabel('Sensors, with').fill('door')
    await page.getByRole('button', { name: 'Change it' }).click()
    await untilShown(page, outcome, /Changing client\/phone[^]*done on 3 nodes/)
    await untilShown(page, 'tr:has-text("phone")', /sensors door, all commands, views fleet, 1 key/)
    await page.locator('tr:has-text("phone")').getByRole('button', { name: 'Remove' }).click()
    await page.getByLabel('Why, for whoever asks later').first().fill('lost')
    t.deepEqual(await findings(page), [])
    await page.getByRole('button', { name: 'Remove client/phone now' }).click()
    await untilShown(page, outcome, /node-1 applied it.*1 cut[^]*done on 3 nodes/)
    await untilShown(phone, 'main', /phone is not let in with this key/)
    await page.getByRole('link', { name: 'Log' }).click()
    await untilShown(
      page,
      '[aria-labelledby=log]',
      /revocation of client\/phone[^]*✓ verified[^]*lost/,
    )
    t.is(await page.getByText('✓ verified').count(), 3)
    await page.setViewportSize({ width: 360, height: 800 })
    await untilFits(page, 360)
    // It comes back by itself, but its link is used up.
    await page.reload()
    await untilShown(page, 'header [role=status]', /^Console/)
    const other = await guests.newPage()
    await other.goto(url)
    await untilShown(other, 'main', /open the link that fridge console has printed/)
    t.deepEqual(faults, [])
    running.stop()
    t.is(await running.status, 0)
    await untilShown(
      page,
      'header [role=status]',
      /^Not connected: fridge console does not run any more/,
    )
  },
)
