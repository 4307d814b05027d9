import test from 'ava'
import { runCommand, type CommandResult } from '../support/cli.ts'
import {
  endUnheard,
  FAST,
  makeSharedCerts,
  startCluster,
  untilReachable,
  type Cluster,
} from '../support/cluster.ts'

const { certs, remove } = await makeSharedCerts()
test.after.always(async () => remove())

async function fridge(cluster: Cluster, index: number, ...args: string[]): Promise<CommandResult> {
  const target = ['--node', cluster.address(index), '--certs', certs.dir]
  return runCommand([...args, ...target])
}

test('a node that was lost is forgotten by all, until it is started again', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await endUnheard(cluster, 3, [1, 2])
  await untilReachable(cluster, 1, 2)
  t.is((await fridge(cluster, 2, 'status')).status, 1)
  const forgotten = await fridge(cluster, 1, 'node', 'forget', 'node-3')
  t.is(forgotten.status, 0, forgotten.err)
  t.regex(forgotten.out, /^node-3 is forgotten/)
  // A change goes the same way behind it.
  t.is((await fridge(cluster, 1, 'whitelist', 'add', 'c1')).status, 0)
  const status = await fridge(cluster, 2, 'status')
  t.is(status.status, 0)
  t.false(status.out.includes('node-3'), status.out)
  // It is kept: a restart of all knows it too.
  await cluster.stop(2)
  await cluster.stop(1)
  await cluster.start(1, { peers: [], gossip: { ...FAST, firstSyncMs: 1 } })
  const alone = await fridge(cluster, 1, 'whitelist', 'remove', 'c1')
  t.false(alone.err.includes('node-3'), alone.err)
  // Its name is not burnt.
  await cluster.start(3)
  await untilReachable(cluster, 1, 2)
  t.regex((await fridge(cluster, 1, 'status')).out, /^node-3 +up/m)
})

test('a node that is up, or that nobody knows, is not forgotten', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const up = await fridge(cluster, 1, 'node', 'forget', 'node-2')
  t.is(up.status, 4)
  t.regex(up.err, /node-2 can be reached: stop it first; .*fridge whitelist remove node\/node-2/)
  const unknown = await fridge(cluster, 1, 'node', 'forget', 'node-9')
  t.is(unknown.status, 4)
  t.regex(unknown.err, /no node called node-9 is out of reach: fridge status/)
})
