import test from 'ava'
import { runCommand, startCommand, type CommandRun } from '../support/cli.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }
test.after.always(() => shared.remove())

function invite(cluster: Cluster, ...args: string[]): CommandRun {
  const at = ['--node', cluster.address(1)]
  return startCommand(['browser', 'invite', ...args, ...at], { env: ENV })
}

test('an invitation shows a link with its secret behind the hash, and is withdrawn by Ctrl-C', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  const { out, err, status, stop } = invite(cluster, 'phone', '--view', 'fleet')
  const link = await out.find(/^https:/)
  t.regex(link, new RegExp(`^${cluster.node(1).page}#invite=[\\w-]{22}\\.phone$`))
  await err.find(/^good once, until \d{4}-/)
  // The code for a camera stands above it.
  t.true(out.all.length > 20)
  stop()
  t.is(await status, 1)
  t.regex(err.text, /the invitation was withdrawn/)
  const { hash } = new URL(link)
  t.notRegex(JSON.stringify(cluster.log.lines), new RegExp(hash.slice(8, 30)))
})

test('an invitation that cannot work is refused before anybody is invited', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'till')
  const at = ['--node', cluster.address(1)]
  for (const [args, status, said] of [
    [['phone', '--view', 'keys'], 2, /there is no view "keys"\n.*fleet, whitelist, log/],
    [['till'], 2, /till is let in by its certificate, with any key\n.*a name of its own/],
    [['phone'], 4, /serves no page: see web\.listen/],
  ] as const) {
    const result = await runCommand(['browser', 'invite', ...args, ...at], { env: ENV })
    t.is(result.status, status, result.err)
    t.regex(result.err, said)
    t.is(result.out, '')
  }
})
