import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { LOST_FILE } from '../../node/gossip/lost-changes.ts'
import type { StatusReport } from '../../node/operators/status.ts'
import { VERSION } from '../../node/lib/version.ts'
import { runCommand, type CommandResult } from '../support/cli.ts'
import {
  endUnheard,
  makeSharedCerts,
  startCluster,
  until,
  untilReachable,
  type Cluster,
} from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

async function status(cluster: Cluster, ...args: string[]): Promise<CommandResult> {
  return runCommand(['status', '--node', cluster.address(1), ...args], {
    env: { FRIDGE_CERTS: certs.dir },
  })
}

test('status shows every node with its links, changes and clients', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await cluster.grant(2, 'c1')
  await using _client = await cluster.client(3, 'c1')
  await using operator = await cluster.operator(1)
  await until(async () => {
    const { nodes } = await operator.status()
    // The operator's own connection counts as well, and is counted once a second.
    const isTold = nodes.every(({ links, changes }) => links.length === 2 && changes === 1)
    return isTold && (nodes[2]?.clients ?? 0) > 0
  })
  const { status: exit, out, err } = await status(cluster)
  t.is(exit, 0)
  t.is(err, '')
  const [first, , , , , , , head, ...rows] = out.split('\n')
  t.is(first, 'node-1 knows 3 nodes, 1 name, 1 change')
  t.regex(head ?? '', /^NODE +STATE +ADDRESS +CLIENTS +CHANGES +LINKS +VERSION +CERTIFICATE$/)
  t.is(rows.length, 3)
  for (const [index, row] of rows.entries()) {
    const others = [1, 2, 3].filter(one => one !== index + 1).map(one => `node-${one}`)
    const cells = [
      `node-${index + 1}`,
      'up',
      cluster.address(index + 1),
      '\\d',
      '1',
      others.join(' '),
      VERSION,
      'in 36\\d d',
    ]
    t.regex(row, new RegExp(`^${cells.join(' +')}$`))
  }
  const report = JSON.parse((await status(cluster, '--json')).out) as StatusReport
  t.like(report, { node: 'node-1', changes: 1, subjects: 1, aloneMs: 0, isolated: false })
  t.is(report.nodes[2]?.clients, 1)
})

test('a node that stopped in order is shown as left, and the status is 0', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const gone = cluster.address(2)
  await cluster.stop(2)
  await untilReachable(cluster, 1, 1)
  await cluster.grant(1, 'c1')
  const { status: exit, out } = await status(cluster)
  t.is(exit, 0)
  t.regex(out, new RegExp(`^node-2 +left +${gone} +node-1 `, 'm'))
  const { nodes } = JSON.parse((await status(cluster, '--json')).out) as StatusReport
  t.deepEqual(
    nodes.map(({ name, reachable, left }) => [String(name), reachable, left]),
    [
      ['node-1', true, undefined],
      ['node-2', false, true],
    ],
  )
})

test('a node that is out of reach is shown as such, and the status is 1', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await endUnheard(cluster, 2, [1])
  const { status: exit, out } = await status(cluster)
  t.is(exit, 1)
  t.regex(out, /^node-2 +out of reach *$/m)
  t.regex(out, /^FRIDGE .*\nnode-1 +up +-?[\d.]+ °C +(closed|open)\nnode-2 +out of reach$/m)
})

test('status shows what is wrong with each fridge, and its exit status is 1 while anything is', async t => {
  const sensors = {
    temperature: { driver: 'simulated' },
    door: { driver: 'simulated' },
    probe: { driver: 'command', kind: 'temperature', command: ['sh', '-c', 'echo x; sleep 1000'] },
  }
  const rules = { temperature: { high: { limit: -20 } } }
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.stop(2)
  await cluster.start(2, { sensors, alarms: { rules } })
  const shown = async (): Promise<CommandResult> => status(cluster)
  await until(async () => /not acknowledged/.test((await shown()).out))
  const { status: exit, out } = await shown()
  t.is(exit, 1)
  t.regex(out, /^node-1 +up +-?[\d.]+ °C +(closed|open)$/m)
  t.regex(out, /^node-2 +up +-?[\d.]+ °C +(closed|open) +1$/m)
  t.regex(
    out,
    /^ {2}! temperature: above -20 °C, for .*, not acknowledged \([0-9a-f]{12} --node 127\.0\.0\.1:\d+\)$/m,
  )
  t.regex(out, /^ {2}! probe: unavailable for .*: .+$/m)
  const { nodes } = JSON.parse((await status(cluster, '--json')).out) as {
    nodes: { name: string; vitals: { sensors: object[]; alarms: object[] } }[]
  }
  t.like(nodes[1]?.vitals.alarms, [{ sensor: 'temperature', rule: 'high', isAcknowledged: false }])
})

test('what a node has lost is shown by status and doctor with the command that mends it, until that was given', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  const at = Date.now()
  const lost = { kind: 'revocation', subject: 'client/c1', operator: 'admin', at }
  const kept = [{ lost, lostAt: at }]
  await writeFile(join(cluster.config(1).data, LOST_FILE), JSON.stringify(kept))
  await cluster.start(1)
  const { status: exit, out } = await status(cluster)
  t.is(exit, 1)
  t.regex(out, /^node-1 has lost the removal of c1 that admin made at \S+Z: it was set back/m)
  t.regex(out, /^ {2}to mend it: fridge whitelist remove c1$/m)
  const report = JSON.parse((await status(cluster, '--json')).out) as StatusReport
  t.deepEqual<unknown, unknown>(report.lost, [lost])
  const env = { FRIDGE_CERTS: certs.dir }
  const doctor = await runCommand(['doctor', '--node', cluster.address(1)], { env })
  t.is(doctor.status, 1)
  t.regex(doctor.out, /WRONG {2}changes: node-1 has lost the removal of c1 .*\n.*remove c1$/m)
  await cluster.revoke(1, 'c1')
  const mended = await status(cluster)
  t.is(mended.status, 0, mended.out)
})
