import { chmodSync, readdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { Archiving } from '../../../node/gossip/archiving.ts'
import { findRemoval } from '../../../node/gossip/removal-proof.ts'
import { parseName, subjectOf, WHOLE_LIST, type Source } from '../../../node/identity/names.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import type { NodeStore } from '../../../node/storage/node-store.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { StoredChanges } from '../../../node/storage/stored-changes.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'
import { idOf } from '../../../node/whitelist/change.ts'
import { isStray, type Entry } from '../../../node/whitelist/entry.ts'
import type { Base } from '../../../node/whitelist/store.ts'
import { judgeCheckpoints } from '../../../node/whitelist/stated-list.ts'
import type { Whitelist } from '../../../node/whitelist/whitelist.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { entryBehind, ListReplica, statedAt } from '../../support/list-replica.ts'
import { client, grantAt, requestOf, testSource } from '../../support/replica-changes.ts'
import { startStoreProcess } from './store-process.ts'
import { statesOf } from '../../support/replica-model.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'

const [ALPHA, BETA] = [testSource('alpha'), testSource('beta')]
const BETA_NODE = parseName('beta')
const KEY = Buffer.alloc(32, 7)
const CLIENTS = ['amber', 'basil', 'cocoa'].map(client)

/** Each client is let in and out again some times, on two nodes, and a checkpoint is made. */
function madeLog(rounds: number, more: (made: ListReplica) => void = () => {}): ListReplica {
  const replica = new ListReplica()
  const make = (kind: 'grant' | 'revocation', index: number, source: Source): Entry => {
    const request = requestOf(kind, CLIENTS[index] ?? client('dill'))
    return replica.accept(replica.list.draft(request, source, 1))
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const index of CLIENTS.keys()) {
      make('grant', index, round % 2 === 0 ? ALPHA : BETA)
      if (index > 0) make('revocation', index, BETA)
    }
  }
  make('grant', 2, ALPHA)
  more(replica)
  makeCheckpoint(replica)
  make('grant', 1, ALPHA)
  return replica
}

function makeCheckpoint(replica: ListReplica): Entry {
  const heads = replica.list.everything()
  const stated = statedAt(heads, replica.list)
  const base = { kind: 'checkpoint', subject: WHOLE_LIST, seen: [], heads, former: [] } as const
  return replica.accept({ ...grantAt(ALPHA, 1), ...base, ...stated })
}

interface Scene {
  readonly file: string
  readonly made: ListReplica
  readonly open: () => NodeStore
}

async function makeScene(
  t: ExecutionContext,
  rounds = 4,
  more: (made: ListReplica) => void = () => {},
): Promise<Scene> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const made = madeLog(rounds, more)
  const open = (): NodeStore => {
    const store = openSqliteStore(file, KEY)
    t.teardown(() => store[Symbol.dispose]())
    return store
  }
  const store = open()
  store.append(made.store.entries)
  store.seal(KEY)
  store[Symbol.dispose]()
  return { file, made, open }
}

function listOf(store: NodeStore): Whitelist {
  const list = buildWhitelist(store, ALL_VOUCHED)
  for (const _ of judgeCheckpoints(list)) list.settleSome(Infinity)
  return list
}

async function archive(store: NodeStore): Promise<number> {
  const list = listOf(store)
  using archiving = new Archiving({ list: () => list, store, onBegun: base => list.moveBase(base) })
  return (await archiving.run()).changes
}

function hashesAfter(store: NodeStore, clock: ReadonlyMap<Source, number> = new Map()): string[] {
  return Array.from(store.after(clock), one => (isStray(one) ? one.entry.hash : one.hash))
}

function rowsIn(file: string): number {
  using database = new DatabaseSync(file, { readOnly: true })
  return Number(database.prepare('SELECT count(*) AS rows FROM changes').get()?.['rows'])
}

test('the entry that removed a node is found in a log whose archive is missing', async t => {
  const { file, open } = await makeScene(t, 4, made => {
    made.accept(made.list.draft(requestOf('revocation', subjectOf('node', BETA_NODE)), ALPHA, 1))
  })
  const store = open()
  t.true((await archive(store)) > 10)
  store[Symbol.dispose]()
  renameSync(join(dirname(file), 'archive-1.db'), join(dirname(file), 'elsewhere.db'))
  const again = open()
  t.deepEqual(again.archives.missing, ['archive-1.db'])
  const removal = findRemoval(BETA_NODE, listOf(again), again)
  t.is(removal?.change.subject, subjectOf('node', BETA_NODE))
})

test('the entry that removed a node is found where it is filed as a stray, and an archive is missing', async t => {
  const GAMMA = testSource('gamma')
  const { file, open } = await makeScene(t, 4, made => {
    const removal = made.list.draft(requestOf('revocation', subjectOf('node', BETA_NODE)), GAMMA, 1)
    made.accept(made.list.draft(requestOf('grant', client('dill')), GAMMA, 1))
    made.accept(made.list.draft(requestOf('grant', client('dill')), GAMMA, 1))
    // Gamma has forked: it signs the removal for a place that it has given already.
    made.take(entryBehind(removal, { sequence: 1, previous: '' }))
  })
  const store = open()
  t.true((await archive(store)) > 10)
  store[Symbol.dispose]()
  renameSync(join(dirname(file), 'archive-1.db'), join(dirname(file), 'elsewhere.db'))
  const again = open()
  const removal = findRemoval(BETA_NODE, listOf(again), again)
  t.is(removal?.change.subject, subjectOf('node', BETA_NODE))
})

test('what decides nothing any more leaves the log, and a start makes the same list of the rest', async t => {
  const { file, made, open } = await makeScene(t)
  const store = open()
  const moved = await archive(store)
  t.true(moved > 10)
  store[Symbol.dispose]()
  t.is(rowsIn(file), made.store.entries.length - moved)
  t.is(rowsIn(join(dirname(file), 'archive-1.db')), moved)
  t.is(statSync(join(dirname(file), 'archive-1.db')).mode & 0o777, 0o400)
  const again = open()
  t.true(again.isSealed)
  const list = listOf(again)
  t.deepEqual(statesOf(list), statesOf(made.list))
  t.is(list.changes, made.list.changes)
  t.deepEqual(list.clock(), made.list.clock())
})

test('what has left the log is found, read and sent as before, in its order', async t => {
  const { file, made, open } = await makeScene(t)
  const hashes = made.store.entries.map(one => (isStray(one) ? one.entry.hash : one.hash))
  const first = open()
  await archive(first)
  using read = StoredChanges.open(file)
  t.deepEqual(
    Array.from(read.after(0), ({ entry }) => entry.hash),
    hashes,
  )
  first[Symbol.dispose]()
  const store = open()
  t.deepEqual(hashesAfter(store), hashes)
  const behind = new Map([[ALPHA, 2]])
  t.deepEqual(hashesAfter(store, behind), hashesOfAfter(made, behind))
  for (const one of made.store.entries) {
    if (isStray(one)) continue
    t.true(store.has(one.change.subject, idOf(one)))
    t.is(store.find(one.change, one.hash)?.hash, one.hash)
  }
  t.deepEqual(
    Array.from(store.ofSource(BETA, 1), ({ hash }) => hash),
    Array.from(made.store.ofSource(BETA, 1), ({ hash }) => hash),
  )
})

function hashesOfAfter({ store }: ListReplica, clock: ReadonlyMap<Source, number>): string[] {
  return Array.from(store.after(clock), one => (isStray(one) ? one.entry.hash : one.hash))
}

for (const stage of ['copied', 'begun']) {
  test(`a node that is killed while rows are moved has each of them once when it starts again (${stage})`, async t => {
    const { file, made, open } = await makeScene(t)
    const archive = join(dirname(file), 'archive-1.db')
    await using killed = startStoreProcess('archive', file, stage)
    t.is(await killed.line(), stage)
    await killed.kill()
    t.is(readdirSync(dirname(file)).includes('archive-1.db'), stage === 'begun')
    if (stage === 'begun') t.true(rowsIn(file) + rowsIn(archive) > made.store.entries.length)
    const again = open()
    const rows = stage === 'begun' ? rowsIn(file) + rowsIn(archive) : rowsIn(file)
    t.is(rows, made.store.entries.length)
    t.is(new Set(hashesAfter(again)).size, made.store.entries.length)
    t.deepEqual(statesOf(listOf(again)), statesOf(made.list))
  })
}

test('what is read while rows are taken out of the log is read once', async t => {
  const { made, open } = await makeScene(t)
  const store = open()
  const beginAt = store.beginAt.bind(store)
  store.beginAt = base => {
    beginAt(base)
    store.archives.takeOut(2)
    const hashes = hashesAfter(store)
    t.is(hashes.length, made.store.entries.length)
    t.is(new Set(hashes).size, hashes.length)
  }
  t.true((await archive(store)) > 2)
})

test('a start gives the disk back what has left the log, and the next one reads on', async t => {
  const { file, made, open } = await makeScene(t, 40)
  const first = open()
  await archive(first)
  first[Symbol.dispose]()
  const before = statSync(file).size
  open()[Symbol.dispose]()
  t.true(statSync(file).size < before / 2)
  const again = open()
  t.true(again.isSealed)
  t.deepEqual(statesOf(listOf(again)), statesOf(made.list))
})

test('a log is archived again behind a later checkpoint', async t => {
  const { made, open } = await makeScene(t)
  const first = open()
  await archive(first)
  first[Symbol.dispose]()
  const before = made.store.entries.length
  for (const kind of ['revocation', 'grant', 'revocation', 'grant'] as const) {
    const [subject = client('dill')] = CLIENTS
    made.accept(made.list.draft(requestOf(kind, subject), BETA, 1))
  }
  makeCheckpoint(made)
  const second = open()
  second.append(made.store.entries.slice(before))
  t.true((await archive(second)) > 2)
  second[Symbol.dispose]()
  const third = open()
  t.deepEqual(statesOf(listOf(third)), statesOf(made.list))
  t.is(hashesAfter(third).length, made.store.entries.length)
})

test('a list that begins at a checkpoint goes on from the one behind which its log is archived next', async t => {
  const { made, open } = await makeScene(t)
  const first = open()
  await archive(first)
  first[Symbol.dispose]()
  const before = made.store.entries.length
  const [subject = client('dill')] = CLIENTS
  // The newest entry of a source stays, though it is spent: what has seen it by way of others does not.
  made.accept(made.list.draft(requestOf('revocation', subject), testSource('gamma'), 1))
  for (const kind of ['grant', 'revocation', 'grant'] as const) {
    made.accept(made.list.draft(requestOf(kind, subject), BETA, 1))
  }
  makeCheckpoint(made)
  const store = open()
  store.append(made.store.entries.slice(before))
  const list = listOf(store)
  const heads = made.list.everything()
  const expected = statedAt(heads, made.list)
  const onBegun = (base: Base): void => {
    list.moveBase(base)
    // Rows are still to be taken out.
    t.deepEqual(statedAt(heads, list), expected)
  }
  using archiving = new Archiving({ list: () => list, store, onBegun })
  t.true((await archiving.run()).changes > 2)
  t.deepEqual(statedAt(heads, list), expected)
})

test('without its archive a node starts and serves, and says so when it is asked for what is in there', async t => {
  const { file, made, open } = await makeScene(t)
  const first = open()
  await archive(first)
  first[Symbol.dispose]()
  const folder = dirname(file)
  renameSync(join(folder, 'archive-1.db'), join(folder, 'elsewhere.db'))
  const store = open()
  t.deepEqual(store.archives.missing, ['archive-1.db'])
  t.deepEqual(statesOf(listOf(store)), statesOf(made.list))
  const lacking = { instanceOf: FridgeError, code: 'ERR_ARCHIVE' }
  t.throws(() => hashesAfter(store), lacking)
  t.deepEqual(hashesAfter(store, made.list.clock()), [])
  await t.throwsAsync(archive(store), { instanceOf: FridgeError, code: 'ERR_REFUSED' })
})

test('an archive that is another one is not read', async t => {
  const { file, open } = await makeScene(t)
  const first = open()
  await archive(first)
  first[Symbol.dispose]()
  const path = join(dirname(file), 'archive-1.db')
  chmodSync(path, 0o600)
  const database = new DatabaseSync(path)
  database.exec("UPDATE own SET value = 'another' WHERE name = 'digest'")
  database.close()
  t.deepEqual(open().archives.missing, ['archive-1.db'])
  t.false(readdirSync(dirname(file)).some(name => name.endsWith('.part')))
})
