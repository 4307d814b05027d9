import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { parseName } from '../../node/identity/names.ts'
import { errorCode } from '../../node/lib/errors.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster, until, type Cluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }
const whitelist = asAdmin('whitelist')
test.after.always(() => shared.remove())

async function effects(cluster: Cluster, node = 1): Promise<string[]> {
  const { out } = await whitelist(cluster, node, 'log', '--json')
  return (JSON.parse(out) as { effect: string }[]).map(({ effect }) => effect)
}

/** One client that was let in and out, another that is in. */
async function makeChanges(cluster: Cluster): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await cluster.grant(1, 'c1')
    await cluster.revoke(1, 'client/c1')
    await cluster.grant(1, 'c2')
  }
}

test('what a checkpoint leaves behind is moved to an archive, and the log, a restart and a check read on over it', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await makeChanges(cluster)
  const { status, out } = await whitelist(cluster, 1, 'checkpoint', '--archive')
  t.is(status, 0)
  t.is(out.split('\n').at(-1), '  7 changes moved to an archive of node-1')
  const { data } = cluster.config(1)
  t.true(readdirSync(data).includes('archive-1.db'))
  t.is((await effects(cluster)).length, 10)
  await cluster.stop(1)
  await cluster.start(1)
  t.is((await effects(cluster)).length, 10)
  const { out: shown } = await whitelist(cluster, 1, 'list')
  t.regex(shown, /c1 +revoked/)
  t.regex(shown, /c2 +granted/)
  await cluster.grant(2, 'c1')
  await until(async () => (await effects(cluster)).length === 11)
  await cluster.stop(1)
  const verify = async () => runCommand(['node', 'verify', '--data', data], { env: ENV })
  const sound = await verify()
  t.is(sound.status, 0)
  t.regex(sound.out, /is sound: 11 changes/)
  const copy = join(await makeTestFolder(t), 'copy.db')
  const backup = await runCommand(['node', 'backup', copy, '--data', data], { env: ENV })
  t.regex(backup.out, /older changes are in .*archive-1\.db: copy it beside the copy too/)
  renameSync(join(data, 'archive-1.db'), join(data, 'elsewhere.db'))
  const missing = await verify()
  t.is(missing.status, 1)
  t.regex(missing.out, /archive-1\.db: it is not beside the database, or is another one/)
  t.notRegex(missing.out, /position|link|seen/)
  renameSync(join(data, 'elsewhere.db'), join(data, 'archive-1.db'))
})

test('a node that joins later is sent what is in the archive', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.stop(2)
  await makeChanges(cluster)
  t.is((await whitelist(cluster, 1, 'checkpoint', '--allow-unreachable')).status, 0)
  const refused = await whitelist(cluster, 1, 'checkpoint', '--archive', '--allow-unreachable')
  t.is(refused.status, 4)
  t.regex(refused.err, /cannot archive: node-2 may not hold the checkpoint/)
  t.regex(refused.err, /fridge node forget NAME/)
  const forgotten = await runCommand(['node', 'forget', 'node-2', '--node', cluster.address(1)], {
    env: ENV,
  })
  t.is(forgotten.status, 0)
  t.is((await whitelist(cluster, 1, 'checkpoint', '--archive')).status, 0)
  await cluster.stop(1)
  await cluster.start(1)
  await cluster.start(2)
  const all = await effects(cluster)
  t.is(all.length, 12)
  await until(async () => (await effects(cluster, 2)).length === all.length)
  await until(async () => !(await effects(cluster, 2)).includes('unchecked'))
  t.deepEqual(await effects(cluster, 2), all)
})

test('where the archive is gone, a node that joins later begins at the checkpoint, serves by it and says so', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await makeChanges(cluster)
  t.is((await whitelist(cluster, 1, 'checkpoint', '--archive')).status, 0)
  await cluster.stop(1)
  rmSync(join(cluster.config(1).data, 'archive-1.db'))
  await cluster.start(1)
  await cluster.start(3)
  await cluster.grant(1, 'c3')
  await using client = await cluster.client(3, 'c2')
  t.is(client.node, parseName('node-3'))
  t.is(errorCode(await t.throwsAsync(cluster.client(3, 'c1'))), 'ERR_REVOKED')
  t.is((await effects(cluster, 3)).length, 4)
  const log = await whitelist(cluster, 3, 'log')
  t.is(log.status, 1)
  t.regex(log.err, /^the log of node-3 begins at the checkpoint of .* by admin: /)
  t.is(log.err.split('\n').length, 1)
  await cluster.stop(3)
  const { data } = cluster.config(3)
  const { status, out } = await runCommand(['node', 'verify', '--data', data], { env: ENV })
  t.is(status, 0)
  t.regex(out, /it begins at the checkpoint of .* by admin, with its list/)
  t.regex(out, /7 older changes were never here/)
  t.regex(out, /lets in 2 names/)
  await cluster.start(3)
  t.is((await effects(cluster, 3)).length, 4)
})

test('a row of an archive that somebody has altered is found', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await makeChanges(cluster)
  t.is((await whitelist(cluster, 1, 'checkpoint', '--archive')).status, 0)
  await cluster.stop(1)
  const { data } = cluster.config(1)
  const file = join(data, 'archive-1.db')
  const copy = join(await makeTestFolder(t), 'archive.db')
  using database = new DatabaseSync(file, { readOnly: true })
  database.exec(`VACUUM INTO '${copy}'`)
  using altered = new DatabaseSync(copy)
  altered.exec("UPDATE changes SET seal = 'A' WHERE position = 1")
  altered.close()
  renameSync(copy, file)
  const { status, out } = await runCommand(['node', 'verify', '--data', data], { env: ENV })
  t.is(status, 1)
  t.regex(out, /archive-1\.db: it was altered/)
})

test('nothing is archived that not all nodes have confirmed', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  const { status, err } = await whitelist(cluster, 1, 'checkpoint', '--archive', '--no-wait')
  t.is(status, 2)
  t.regex(err, /leave out --no-wait, or --archive/)
})
