import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, spawnCli } from '../support/cli.ts'
import { makeSharedCerts, startCluster, until } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('of a node that is killed one of those that live tells, once for the cluster, and status shows it', async t => {
  t.timeout(60_000)
  const alarms = { unreachableFor: '2s' }
  await using cluster = await startCluster(t, { nodes: 2, certs, config: { alarms } })
  const folder = await makeTestFolder(t)
  const config = join(folder, 'node.json')
  const peers = [cluster.address(1), cluster.address(2)]
  const settings = { name: 'node-3', listen: '127.0.0.1:0', peers, certs: certs.dir, alarms }
  await writeFile(config, JSON.stringify({ ...settings, data: join(folder, 'data') }))
  const victim = spawnCli(t, ['node', 'start', '--config', config])
  await victim.err.find(/"serving"/)
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin', FRIDGE_NODE: cluster.address(1) }
  const status = async () => runCommand(['status'], { env })
  await until(async () => /^node-3 +up +-?[\d.]+ °C/m.test((await status()).out))

  victim.child.kill('SIGKILL')
  const line = await cluster.log.find(({ text }) => text === 'alarm')
  t.like(line.fields, { about: 'node-3', sensor: 'node', rule: 'unreachable' })
  await until(async () => /out of reach for more than 2s/.test((await status()).out))
  const { out, status: exit } = await status()
  t.is(exit, 1)
  t.regex(out, /^node-3 +out of reach +1\n {2}! out of reach for more than 2s, for .*, not ack/m)
  // Whoever asks the node that tells takes note of it for all.
  const nodes = peers.flatMap(peer => ['--node', peer])
  const id = String(line.fields['id'])
  const args = ['alarms', 'acknowledge', id, '--comment', 'power cut', ...nodes]
  const asOperator = { ...env, FRIDGE_AS: 'operator/admin' }
  const done = await runCommand(args, { env: asOperator })
  t.regex(done.out, /^alarm acknowledged {2}node-3 {2}node {2}unreachable, .*: power cut$/)
  t.is(cluster.log.lines.filter(({ text }) => text === 'alarm').length, 1)
})
