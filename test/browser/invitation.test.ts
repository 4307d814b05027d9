import test from 'ava'
import { startCommand } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { untilShown } from './browser.ts'
import { setStage } from './support/stage.ts'

/** A person who is sent a link, in a real browser. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())

test.serial(
  'a person who opens an invitation is in, the link is used up, and its secret is nowhere',
  async t => {
    await using cluster = await startCluster(t, { nodes: 2, certs, config: WEB_ON })
    const { out, status } = startCommand(
      ['browser', 'invite', 'phone', '--view', 'fleet', '--node', cluster.address(1)],
      { env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' } },
    )
    const link = await out.find(/^https:/)
    const secret = new URL(link).hash.slice(8, 30)
    // Somebody has altered it on the way.
    await using stranger = await browser.newContext({ ignoreHTTPSErrors: true })
    const other = await stranger.newPage()
    await other.goto(link.replace(secret, secret.split('').toReversed().join('')))
    await untilShown(
      other,
      'main',
      /could not be let in: this invitation was used, is over, or never was/,
    )
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const asked: string[] = []
    page.on('request', request => asked.push(request.url()))
    await page.goto(link)
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)
    t.is(await status, 0)
    await untilShown(page, 'main', /°C/)
    t.is(await page.getByRole('link', { name: 'Fleet' }).count(), 1)
    t.is(page.url(), cluster.node(1).page ?? '')
    // The same browser comes back without it; another one gets nowhere with it.
    await page.reload()
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)
    await other.goto('about:blank')
    await other.goto(link)
    await untilShown(other, 'main', /could not be let in: this invitation was used/)
    t.notRegex(JSON.stringify([cluster.log.lines, asked.slice(1)]), new RegExp(secret))
    await cluster.revoke(2, 'phone')
    await untilShown(page, 'main', /phone is not let in with this key/)
  },
)
