import { copyFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { errorCode } from '../../node/lib/errors.ts'
import type { Address } from '../../node/lib/address.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult } from '../support/cli.ts'
import { makeSharedCerts, startCluster, until } from '../support/cluster.ts'
import { writeLog } from '../support/signed-log.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const ENV = { FRIDGE_CERTS: certs.dir }

async function makeData(t: ExecutionContext): Promise<string> {
  const cwd = await makeTestFolder(t)
  await writeLog(join(cwd, 'data/whitelist.db'), certs, ['+c1', '+c2', '-c1'])
  return cwd
}

async function backup(cwd: string, ...args: string[]): Promise<CommandResult> {
  return runCommand(['node', 'backup', ...args, '--data', 'data'], { cwd, env: ENV })
}

async function changesIn(file: string): Promise<number> {
  const { out, status } = await runCommand(['node', 'verify', file, '--json'], { env: ENV })
  if (status !== 0) throw new Error(out)
  return (JSON.parse(out) as { changes: number }).changes
}

test('a copy is whole, open to its owner only, and says how much it holds', async t => {
  const cwd = await makeData(t)
  const { status, out, err } = await backup(cwd, 'copy.db')
  t.is(err, '')
  t.is(status, 0)
  t.regex(out, /^copy\.db holds 3 changes of 1 source \(\d+ bytes\)$/)
  t.is((await stat(join(cwd, 'copy.db'))).mode & 0o777, 0o600)
  t.is(await changesIn(join(cwd, 'copy.db')), 3)
  t.deepEqual((await readdir(cwd)).sort(), ['copy.db', 'data'])
  const json = await backup(cwd, 'again.db', '--json')
  t.like(JSON.parse(json.out), { file: join(cwd, 'again.db'), changes: 3, sources: 1 })
})

test('a file that is there is left as it is, unless it may be replaced', async t => {
  const cwd = await makeData(t)
  const copy = join(cwd, 'copy.db')
  await writeFile(copy, 'precious')
  const { status, err } = await backup(cwd, 'copy.db')
  t.is(status, 1)
  t.regex(err, /is there already and was left as it is\n.*--force/)
  t.is((await stat(copy)).size, 'precious'.length)
  t.is((await backup(cwd, 'copy.db', '--force')).status, 0)
  t.is(await changesIn(copy), 3)
  t.deepEqual((await readdir(cwd)).sort(), ['copy.db', 'data'])
})

test('the database itself is never overwritten, whatever it is called', async t => {
  const cwd = await makeData(t)
  await symlink('data', join(cwd, 'link'))
  for (const file of ['data/whitelist.db', 'link/whitelist.db', 'data/whitelist.db-wal']) {
    const { status, err } = await backup(cwd, file, '--force')
    t.is(status, 2)
    t.regex(err, /belongs to the database itself/)
  }
  t.is(await changesIn(join(cwd, 'data/whitelist.db')), 3)
})

test('what cannot be copied or written is said, and nothing is left behind', async t => {
  const cwd = await makeData(t)
  t.is((await backup(cwd, 'none/copy.db')).status, 1)
  t.is((await backup(cwd, 'data', '--force')).status, 2)
  const missing = await runCommand(['node', 'backup', 'copy.db', '--data', 'none'], { cwd })
  t.is(missing.status, 2)
  t.regex(missing.err, /there is no database/)
  await writeFile(join(cwd, 'data/whitelist.db'), 'not a database '.repeat(1_000))
  const damaged = await backup(cwd, 'copy.db')
  t.is(damaged.status, 1)
  t.regex(damaged.err, /is damaged/)
  t.deepEqual(await readdir(cwd), ['data'])
})

test('what was acknowledged before the copy is in it, while its node goes on writing', async t => {
  await using cluster = await startCluster(t, { certs })
  await using operator = await cluster.operator(1)
  const { data } = cluster.config(1)
  let acknowledged = 0
  const over = new AbortController()
  const writing = (async () => {
    while (!over.signal.aborted) {
      const subject = `client/busy-${acknowledged}` as Parameters<typeof operator.show>[0]
      await operator.change({ kind: 'grant', subject, terms: {} }, { waitMs: 0 })
      acknowledged += 1
    }
  })()
  const cwd = await makeTestFolder(t)
  for (let round = 1; round <= 5; round += 1) {
    const before = acknowledged
    const made = await runCommand(['node', 'backup', `${round}.db`, '--data', data, '--json'], {
      cwd,
    })
    t.is(made.err, '')
    const held = (JSON.parse(made.out) as { changes: number }).changes
    t.true(held >= before)
    t.is(await changesIn(join(cwd, `${round}.db`)), held)
    await until(async () => (await operator.status()).changes > held)
  }
  over.abort()
  await writing
})

/** Try to connect again and again. @returns how each try ended */
async function knock(address: Address, signal: AbortSignal): Promise<Set<string>> {
  const credentials = await certs.load('client', 'c1')
  const answers = new Set<string>()
  const tryOnce = async (): Promise<void> => {
    try {
      await using _connection = await openNodeConnection({
        address,
        credentials,
        clock: systemClock,
      })
      answers.add('admitted')
    } catch (error) {
      answers.add(errorCode(error) ?? String(error))
    }
  }
  // Several at once: some wait at the gate while others knock.
  const visitor = async (): Promise<void> => {
    while (!signal.aborted) {
      await tryOnce()
      await nextTurn()
    }
  }
  await Promise.all([visitor(), visitor(), visitor(), visitor()])
  return answers
}

test('a restored copy admits nobody who was revoked since, at no moment of its start', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(2, 'c1')
  const { data, listen } = cluster.config(2)
  const file = join(data, 'whitelist.db')
  const copy = join(data, '..', 'copy.db')
  t.is((await runCommand(['node', 'backup', copy, '--data', data])).status, 0)
  await cluster.revoke(1, 'c1')
  // Enough that the first exchange takes a while, and some of node-2's own runs.
  for (let index = 0; index < 20; index += 1) await cluster.grant(2, `other-${index}`)
  await cluster.stop(2)
  await copyFile(copy, file)
  for (const ending of ['-wal', '-shm']) await rm(`${file}${ending}`, { force: true })
  {
    // Without its peers, this copy would let it in.
    using store = openSqliteStore(file)
    t.is([...store.logged()].length, 1)
  }
  const abort = new AbortController()
  const knocking = knock(listen, abort.signal)
  await cluster.start(2)
  await using operator = await cluster.operator(2)
  await until(async () => (await operator.status()).changes === 22)
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_REVOKED' })
  abort.abort()
  const answers = await knocking
  t.false(answers.has('admitted'))
  t.true(answers.has('ERR_REVOKED'))
  await cluster.stop(2)
  t.is(await changesIn(file), 22)
})
