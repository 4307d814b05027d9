import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { errorCode, FridgeError } from '../../../node/lib/errors.ts'
import type { Source } from '../../../node/identity/names.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { chain, grantAt, revocationsOf, testSource } from '../../support/replica-changes.ts'
import { readStore, storeText } from '../../support/replica-store.ts'
import { startStoreProcess } from './store-process.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const CLOCKS: ReadonlyMap<Source, number>[] = [
  new Map(),
  new Map([[ALPHA, 4]]),
  new Map([
    [ALPHA, 5],
    [BETA, 2],
  ]),
]
const PAGE_BYTES = 4_096
const corrupt = { instanceOf: FridgeError, code: 'ERR_DATABASE_CORRUPT' }

interface Sample {
  /** A place for damaged copies. */
  readonly file: string
  /** The intact database. */
  readonly bytes: Buffer
  /** What it says. */
  readonly text: string
}

/** A small database, closed as a node leaves it: few pages, so that damage meets content. */
async function sample(t: Parameters<typeof makeTestFolder>[0]): Promise<Sample> {
  const dir = await makeTestFolder(t)
  const intact = join(dir, 'intact.db')
  {
    using store = openSqliteStore(intact)
    store.keepCertificate('c'.repeat(64), ['bGVhZg==', 'cm9vdA=='])
    const alpha = revocationsOf(ALPHA, 5)
    const [rival] = chain([grantAt(ALPHA, 5)], alpha[3]?.hash)
    const [, , , , last] = alpha
    if (rival === undefined || last === undefined) throw new Error('there are five changes')
    store.append([...alpha, ...revocationsOf(BETA, 5)])
    store.append([
      { entry: last, against: rival },
      { entry: rival, against: last },
    ])
  }
  using store = openSqliteStore(intact)
  return { file: join(dir, 'copy.db'), bytes: readFileSync(intact), text: storeText(store, CLOCKS) }
}

/** What a store in these bytes says, or the code of the error that refuses it. */
function outcome(file: string, bytes: Uint8Array): string {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
  writeFileSync(file, bytes)
  try {
    using store = openSqliteStore(file)
    return storeText(store, CLOCKS)
  } catch (error) {
    return errorCode(error) ?? `not one of ours: ${String(error)}`
  }
}

test('a file that was cut off is refused at every length', async t => {
  const { file, bytes, text } = await sample(t)
  t.is(outcome(file, bytes), text)
  const lengths = [0, 1, 15, 16, 99, 100, 101, 511, 512, 1_024, bytes.length - 1]
  for (let length = PAGE_BYTES; length < bytes.length; length += PAGE_BYTES / 4) {
    lengths.push(length, length + 1)
  }
  for (const length of lengths) {
    t.is(outcome(file, bytes.subarray(0, length)), 'ERR_DATABASE_CORRUPT', `cut at ${length}`)
  }
})

test('a flipped bit is refused or harmless: no change is lost, altered or made up', async t => {
  const { file, bytes, text } = await sample(t)
  const random = seededRandom(7)
  // Most of a page is free room, where a bit decides nothing.
  const used = Array.from(bytes.keys()).filter(at => bytes[at] !== 0)
  const tally = new Map<string, number>()
  for (let flips = 0; flips < 250; flips += 1) {
    const at = used[Math.floor(random() * used.length)] ?? 0
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8))
    const said = outcome(file, flipped)
    const isRefused = said === 'ERR_DATABASE_CORRUPT' || said === 'ERR_DATABASE'
    t.true(isRefused || said === text, `byte ${at}: ${said}`)
    const kind = isRefused ? said : 'harmless'
    tally.set(kind, (tally.get(kind) ?? 0) + 1)
  }
  t.true((tally.get('ERR_DATABASE_CORRUPT') ?? 0) > 100, JSON.stringify([...tally]))
  // The number of its version, and the one of SQLite's format, say nothing of damage.
  t.true((tally.get('ERR_DATABASE') ?? 0) < 5, JSON.stringify([...tally]))
})

test('an index that hides a change from peers is refused', async t => {
  const { file, bytes } = await sample(t)
  let altered = 0
  for (let start = PAGE_BYTES; start < bytes.length; start += PAGE_BYTES) {
    // 10 marks a leaf of an index (sqlite.org/fileformat2.html, section 1.6).
    const at = bytes.subarray(start, start + PAGE_BYTES).indexOf(ALPHA)
    if (bytes[start] !== 10 || at === -1) continue
    const copy = Buffer.from(bytes)
    copy[start + at] = 'z'.charCodeAt(0)
    t.is(outcome(file, copy), 'ERR_DATABASE_CORRUPT')
    altered += 1
  }
  t.is(altered, 1)
})

test('changes that were altered, moved or taken out through SQLite itself are refused', async t => {
  const { file, bytes, text } = await sample(t)
  const tamper = [
    'ALTER TABLE changes RENAME COLUMN position TO posItion',
    `UPDATE changes SET text = replace(text, 'client-3', 'client-9') WHERE position = 4`,
    `UPDATE changes SET text = text || ' ' WHERE position = 4`,
    `UPDATE changes SET id = '' WHERE position = 4`,
    `UPDATE changes SET subject = 'client/x' WHERE position = 4`,
    `UPDATE changes SET repeats = 1 WHERE position = 4`,
    `UPDATE changes SET hash = '' WHERE position = 5`,
    `UPDATE changes SET sequence = 17 WHERE position = 5`,
    `UPDATE changes SET source = 'gamma#0000000000000001' WHERE source LIKE 'beta%'`,
    `UPDATE changes SET position = 99 WHERE position = 1`,
    `UPDATE changes SET operatorSignature = 'x' WHERE position = 2`,
    `UPDATE changes SET stray = NULL WHERE stray IS NOT NULL`,
    `UPDATE changes SET stray = '{}' WHERE stray IS NOT NULL`,
    `UPDATE certificates SET chain = 'bGVhZg=='`,
    `UPDATE certificates SET fingerprint = 'd'`,
    'DELETE FROM changes WHERE position = 3',
    'DROP TABLE changes',
  ]
  for (const sql of tamper) {
    writeFileSync(file, bytes)
    const database = new DatabaseSync(file)
    database.exec(sql)
    database.close()
    const said = outcome(file, readFileSync(file))
    t.is(said, 'ERR_DATABASE_CORRUPT', sql)
  }
  t.is(outcome(file, bytes), text)
})

test('an empty file, a foreign one and a foreign database are refused and left as they are', async t => {
  const dir = await makeTestFolder(t)
  const foreign = join(dir, 'foreign.db')
  const database = new DatabaseSync(foreign)
  database.exec('CREATE TABLE changes (position INTEGER PRIMARY KEY); PRAGMA user_version = 1')
  database.close()
  const contents = [Buffer.alloc(0), Buffer.from('not a database\n'), readFileSync(foreign)]
  for (const content of contents) {
    const file = join(dir, 'whitelist.db')
    writeFileSync(file, content)
    const error = t.throws(() => openSqliteStore(file), corrupt)
    t.regex(error?.fix ?? '', /--peer/, 'it says how to get the list back')
    t.deepEqual(readFileSync(file), content)
  }
})

test('after a refusal the file can be moved away, and a new one is made', async t => {
  const { file, bytes } = await sample(t)
  t.is(outcome(file, bytes.subarray(0, 5_000)), 'ERR_DATABASE_CORRUPT')
  rmSync(file)
  t.deepEqual(readStore(file), [])
})

test('a log of writes that is lost or damaged leaves what a restored backup would: never more', async t => {
  const dir = await makeTestFolder(t)
  const file = join(dir, 'whitelist.db')
  const acknowledged: string[] = []
  await using writer = startStoreProcess('write', file)
  while (acknowledged.length < 10) acknowledged.push(await writer.line())
  await writer.kill()
  const main = readFileSync(file)
  const log = readFileSync(`${file}-wal`)
  const all = ((): string[] => {
    const whole = join(dir, 'whole.db')
    copyFileSync(file, whole)
    copyFileSync(`${file}-wal`, `${whole}-wal`)
    return readStore(whole)
  })()
  t.deepEqual(all.slice(0, acknowledged.length), acknowledged)

  const copy = join(dir, 'copy.db')
  const random = seededRandom(11)
  const isPrefix = (damaged: Buffer | undefined): void => {
    rmSync(`${copy}-shm`, { force: true })
    rmSync(`${copy}-wal`, { force: true })
    writeFileSync(copy, main)
    if (damaged !== undefined) writeFileSync(`${copy}-wal`, damaged)
    let said: string[]
    try {
      said = readStore(copy)
    } catch (error) {
      t.is(errorCode(error), 'ERR_DATABASE_CORRUPT')
      return
    }
    t.deepEqual(said, all.slice(0, said.length))
  }
  isPrefix(undefined)
  for (let tries = 0; tries < 40; tries += 1) {
    const flipped = Buffer.from(log)
    const at = Math.floor(random() * log.length)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8))
    isPrefix(flipped)
    isPrefix(log.subarray(0, at))
  }
})

test('a list cut short under a running store is reported when it is read', async t => {
  const dir = await makeTestFolder(t)
  const file = join(dir, 'whitelist.db')
  openSqliteStore(file)[Symbol.dispose]()
  {
    using store = openSqliteStore(file)
    store.append(revocationsOf(ALPHA, 200))
  }
  using store = openSqliteStore(file)
  truncateSync(file, 3 * PAGE_BYTES)
  t.throws(() => [...store.logged()], { instanceOf: FridgeError })
})
