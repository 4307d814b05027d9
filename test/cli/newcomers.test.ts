import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'

/** What people read of nodes whose lists begin at a checkpoint, and the way out where one node alone has the whole list. */

const shared = await makeSharedCerts()
const { certs } = shared
const whitelist = asAdmin('whitelist')
const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }
/** Nobody listens there. */
const GONE = '127.0.0.1:1'
/** For a node that waits in vain. */
const WAITING = { gossip: { firstSyncMs: 1, redialMinMs: 10, redialMaxMs: 100 } }
test.after.always(() => shared.remove())

async function look(
  command: 'doctor' | 'status',
  cluster: Cluster,
  node: number,
): Promise<CommandResult> {
  return runCommand([command, '--node', cluster.address(node)], { env: ENV })
}

/** Let one client in and out again some times, and another one in, and archive what is spent. */
async function archive(cluster: Cluster): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await cluster.grant(1, 'c1')
    await cluster.revoke(1, 'client/c1')
  }
  await cluster.grant(1, 'c2')
  await whitelist(cluster, 1, 'checkpoint', '--archive')
}

/** A node that has archived its log, and has lost what was archived: a newcomer is sent a state. */
async function archiveAndLose(cluster: Cluster): Promise<void> {
  await archive(cluster)
  await cluster.stop(1)
  const { data } = cluster.config(1)
  renameSync(join(data, 'archive-1.db'), join(data, 'elsewhere.db'))
  await cluster.start(1)
}

test('a newcomer says for how many nodes it waits, and begins with the only one that is left when it is started with that alone', async t => {
  await using cluster = await startCluster(t, { certs })
  await archiveAndLose(cluster)
  for (const { status, out } of [
    await look('status', cluster, 1),
    await look('doctor', cluster, 1),
  ]) {
    t.is(status, 1)
    t.regex(out, /node-1 lacks a part of its log: archive-1\.db is not beside its database/)
    t.regex(out, /to mend it: put it back beside whitelist\.db there, restart the node/)
  }
  // The third node is lost, with its list.
  await cluster.start(2, { peers: [cluster.address(1), GONE], ...WAITING })
  await cluster.log.find(({ text }) => text.startsWith('the list begins at a checkpoint'))
  for (const { status, out } of [
    await look('status', cluster, 2),
    await look('doctor', cluster, 2),
  ]) {
    t.is(status, 1)
    t.regex(
      out,
      /node-2 lets no client in: its list begins at a checkpoint, and one more node must show/,
    )
    t.regex(out, /to mend it: .*fridge node start --name NAME --peer HOST:PORT/)
  }
  await t.throwsAsync(cluster.client(2, 'c2'), { code: 'ERR_REFUSED' })
  await cluster.stop(2)
  await cluster.start(2, { peers: [cluster.address(1)] })
  await using _first = await cluster.client(2, 'c2')
  t.notRegex((await look('status', cluster, 2)).out, /node-2 lets no client in/)
  await cluster.start(3, { peers: [cluster.address(1), cluster.address(2)] })
  await using _second = await cluster.client(3, 'c2')
  await t.throwsAsync(cluster.client(3, 'c1'))
})

test('where every node with the whole list is lost, a restored copy and one newcomer that knows it alone begin anew', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await archive(cluster)
  const copy = join(await makeTestFolder(t), 'copy.db')
  const { data } = cluster.config(1)
  const backup = await runCommand(['node', 'backup', copy, '--data', data], { env: ENV })
  t.is(backup.status, 0)
  for (const node of [1, 2]) {
    await cluster.stop(node)
    rmSync(cluster.config(node).data, { recursive: true })
  }
  mkdirSync(data)
  copyFileSync(copy, join(data, 'whitelist.db'))
  await cluster.start(1, { peers: [GONE], ...WAITING })
  // What was removed since the copy was made may be known to somebody.
  await t.throwsAsync(cluster.client(1, 'c2'), { code: 'ERR_REFUSED' })
  await cluster.start(2, { peers: [cluster.address(1)] })
  await cluster.start(3, { peers: [cluster.address(1), cluster.address(2)] })
  for (const node of [1, 2, 3]) {
    await using _in = await cluster.client(node, 'c2')
    await t.throwsAsync(cluster.client(node, 'c1'), { code: 'ERR_REVOKED' })
  }
})
