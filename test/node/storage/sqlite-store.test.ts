import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import * as fc from 'fast-check'
import { FridgeError } from '../../../node/lib/errors.ts'
import type { Source } from '../../../node/identity/names.ts'
import { isStray, type Entry, type Stray } from '../../../node/whitelist/change.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import type { ChangeStore } from '../../../node/whitelist/store.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { chain, client, grantAt, revocationsOf, testSource } from '../../support/replica-changes.ts'
import {
  loggedHashes,
  readStore,
  startStoreProcess,
  storeArguments,
} from '../../support/replica-store.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const NOWHERE: ReadonlyMap<Source, number> = new Map()
const cannotWrite = { instanceOf: FridgeError, code: 'ERR_DATABASE' }

function hashes(entries: Iterable<Entry>): string[] {
  return Array.from(entries, ({ hash }) => hash)
}

function sentHashes(store: ChangeStore, clock = NOWHERE): string[] {
  return Array.from(store.after(clock), one => (isStray(one) ? one.entry.hash : one.hash))
}

/** The entries of two sources, interleaved. */
function interleaved(count: number): Entry[] {
  const beta = revocationsOf(BETA, count)
  return revocationsOf(ALPHA, count).flatMap((entry, index) => [
    entry,
    ...beta.slice(index, index + 1),
  ])
}

test('what was appended is there again after a reopen, entry for entry', async t => {
  const file = join(await makeTestFolder(t), 'data', 'whitelist.db')
  const grant = grantAt(ALPHA, 1, {
    subject: client('amber'),
    seen: [[BETA, 3]],
    reason: 'für die Nacht 🌙',
    terms: { sensors: ['door'], expiresAt: 5 },
  })
  const entries = [...revocationsOf(BETA, 3), ...chain([grant])]
  {
    using store = openSqliteStore(file)
    store.append(entries.slice(0, 2))
    store.append(entries.slice(2))
    t.deepEqual(loggedHashes(store), hashes(entries))
  }
  using store = openSqliteStore(file)
  t.deepEqual(loggedHashes(store), hashes(entries))
  t.deepEqual([...store.after(NOWHERE)], entries)
})

test('a chain that is kept under the certificate of another takes its place', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  using store = openSqliteStore(file)
  store.keepCertificate('fingerprint', ['bGVhZg==', 'b2xk'])
  store.keepCertificate('fingerprint', ['bGVhZg==', 'bmV3'])
  t.deepEqual([...store.certificates()], [['bGVhZg==', 'bmV3']])
})

test('strays and certificates are there again after a reopen', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const [first] = revocationsOf(ALPHA, 1)
  const [other] = chain([grantAt(ALPHA, 1, { seen: [[BETA, 3]] })])
  if (!first || !other) return t.fail()
  const strays: Stray[] = [{ entry: first, against: other }, { entry: other }]
  const certificates = [['bGVhZg=='], ['bGVhZg==', 'cm9vdA==']]
  {
    using store = openSqliteStore(file)
    store.append([first, ...strays])
    for (const chain of certificates) store.keepCertificate(`fingerprint-${chain.length}`, chain)
  }
  using store = openSqliteStore(file)
  t.deepEqual([...store.after(NOWHERE)], [first, ...strays])
  t.deepEqual([...store.certificates()], certificates)
  t.deepEqual([...store.ofSource(ALPHA, 1)], [first])
})

test('the folder of a new database belongs to its owner alone', async t => {
  const dir = join(await makeTestFolder(t), 'data')
  openSqliteStore(join(dir, 'whitelist.db'))[Symbol.dispose]()
  t.is(statSync(dir).mode & 0o777, 0o700)
  t.false(readdirSync(dir).some(name => name.endsWith('.new')))
})

test('an append that fails in the middle leaves nothing, and the next one works', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const [first, second, third, fourth] = revocationsOf(ALPHA, 4)
  if (!first || !second || !third || !fourth) return t.fail()
  {
    using store = openSqliteStore(file)
    store.append([first])
    // The last one takes a place that is taken: the first two are written by then.
    const error = t.throws(() => store.append([second, third, first]), cannotWrite)
    t.truthy(error?.fix)
    t.deepEqual(loggedHashes(store), [first.hash])
    t.deepEqual(sentHashes(store), [first.hash])
    store.append([second, third])
  }
  using store = openSqliteStore(file)
  t.deepEqual(loggedHashes(store), hashes([first, second, third]))
})

test('what a peer lacks is what the model says, in the order in which it was taken', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  using store = openSqliteStore(file)
  const model = new MemoryStore()
  for (const entry of [...interleaved(20), ...revocationsOf(testSource('gamma'), 3)]) {
    store.append([entry])
    model.append([entry])
  }
  const clock = fc
    .array(
      fc.tuple(
        fc.constantFrom(ALPHA, BETA, testSource('gamma'), testSource('never-heard')),
        fc.integer({ min: 0, max: 25 }),
      ),
    )
    .map(pairs => new Map(pairs))
  fc.assert(
    fc.property(clock, clock => {
      t.deepEqual(sentHashes(store, clock), sentHashes(model, clock))
    }),
    { numRuns: 200 },
  )
})

test('a reader that stops early does not keep the store from writing', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  using store = openSqliteStore(file)
  const entries = revocationsOf(ALPHA, 10)
  store.append(entries.slice(0, 5))
  for (const _first of store.after(NOWHERE)) break
  store.append(entries.slice(5))
  t.deepEqual(loggedHashes(store), hashes(entries))
})

test('a second process is refused, and let in when the first was killed', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  await using first = startStoreProcess('hold', file)
  t.is(await first.line(), 'open')
  const error = t.throws(() => openSqliteStore(file), cannotWrite)
  t.regex(error?.message ?? '', /another node/)
  t.truthy(error?.fix)
  await first.kill()
  t.deepEqual(readStore(file), [])
})

test('a second store in the same process is refused as well', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  {
    using _first = openSqliteStore(file)
    t.throws(() => openSqliteStore(file), cannotWrite)
  }
  t.notThrows(() => openSqliteStore(file)[Symbol.dispose]())
})

test('all that was acknowledged before a kill is there after it', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const acknowledged: string[] = []
  await using writer = startStoreProcess('write', file)
  while (acknowledged.length < 30) acknowledged.push(await writer.line())
  await writer.kill()
  t.deepEqual(readStore(file).slice(0, acknowledged.length), acknowledged)
})

test('a database of another version is left as it is', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  openSqliteStore(file)[Symbol.dispose]()
  const database = new DatabaseSync(file)
  database.exec('PRAGMA user_version = 99')
  database.close()
  const error = t.throws(() => openSqliteStore(file), cannotWrite)
  t.regex(error?.message ?? '', /version 99/)
})

/** Run a shell script in which `$NODE` is this node.js, and give back the line that it prints. */
function runScript(script: string, ...values: string[]): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', script, process.execPath, ...values], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the script failed: ${stderr}`)
  return stdout
}

interface Filled {
  readonly committed: string[]
  readonly failure: string
  readonly changes: number
}

test('a change that no longer fits is an error to its operator, and not half there', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  openSqliteStore(file)[Symbol.dispose]()
  // A file may not grow past this many blocks of 512 bytes: no privilege is needed for that.
  const line = runScript('ulimit -f 200; exec "$0" "$@"', ...storeArguments('fill', file))
  const { committed, failure, changes } = JSON.parse(line) as Filled
  t.is(failure, 'ERR_DATABASE')
  t.true(committed.length > 0)
  t.is(changes, committed.length, 'the whitelist in memory is the one on disk')
  t.deepEqual(readStore(file), committed)
})

test('a database on a disk without any room is reported, not called damaged', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  openSqliteStore(file)[Symbol.dispose]()
  const script = 'ulimit -f 0; "$0" "$@" 2>&1 || true'
  const output = runScript(script, ...storeArguments('list', file))
  t.regex(output, /'ERR_DATABASE'/)
  t.notRegex(output, /damaged/)
  t.deepEqual(readStore(file), [])
})

// A file system of a given size needs a mount, which lives and ends with the one process.
const MOUNT = 'mount -t tmpfs -o size=256k none "$DIR"'
const canMount =
  spawnSync('unshare', ['-rm', 'sh', '-c', `DIR=/tmp; ${MOUNT}`], { stdio: 'ignore' }).status === 0

;(canMount ? test : test.skip)(
  'on a full file system a change is refused, and after some room is made all else is there',
  async t => {
    const dir = await makeTestFolder(t)
    const file = join(dir, 'whitelist.db')
    const script = `DIR=${dir}; ${MOUNT}; head -c 65536 /dev/zero > "$DIR/ballast"
      "$0" ${storeArguments('fill', file).join(' ')}; rm "$DIR/ballast"
      exec "$0" ${storeArguments('list', file).join(' ')}`
    const output = runScript(`exec unshare -rm sh -ec '${script}' "$0"`)
    const [filled = '', list = ''] = output.split('\n')
    const { committed, failure } = JSON.parse(filled) as Filled
    t.is(failure, 'ERR_DATABASE')
    t.true(committed.length > 0)
    t.deepEqual(JSON.parse(list), committed)
  },
)

// Root may write anywhere: then the folder is a read-only mount.
const READ_ONLY = 'mount --bind "$DIR" "$DIR"; mount -o remount,bind,ro "$DIR"'

;(canMount ? test : test.skip)('a folder that cannot be written to is refused', async t => {
  for (const exists of [false, true]) {
    const dir = await makeTestFolder(t)
    const file = join(dir, 'whitelist.db')
    if (exists) openSqliteStore(file)[Symbol.dispose]()
    const run = `"$0" ${storeArguments('list', file).join(' ')} 2>&1 || true`
    const output = runScript(`exec unshare -rm sh -ec 'DIR=${dir}; ${READ_ONLY}; ${run}' "$0"`)
    t.regex(output, /'ERR_DATABASE'/)
    t.notRegex(output, /damaged/)
  }
})
