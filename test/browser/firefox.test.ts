import test from 'ava'
import { startCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { findProgram } from './browser.ts'
import { startFirefox } from './firefox.ts'

/** The page of a node in another engine: keys, the stream and the end of it are its own there. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const path = findProgram('firefox-esr')
const inFirefox = path === undefined ? test.skip : test

inFirefox(
  'a person who opens an invitation in Firefox is in, reads what is live, and is cut by a removal',
  async t => {
    await using firefox = await startFirefox(path ?? '')
    await using cluster = await startCluster(t, { nodes: 2, certs, config: WEB_ON })
    const { out, status } = startCommand(
      ['browser', 'invite', 'phone', '--node', cluster.address(1)],
      {
        env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' },
      },
    )
    const page = await firefox.open(await out.find(/^https:/))
    await page.untilShown('header [role=status]', /^Live, signed in as phone$/)
    t.is(await status, 0)
    const first = await page.untilShown('main', /\d °C/)
    const [value] = /[-\d.,]+ °C/.exec(first) ?? []
    t.truthy(value)
    await cluster.revoke(2, 'phone')
    t.regex(await page.untilShown('main', /phone is not let in with this key/), /whitelist add/)
  },
)
