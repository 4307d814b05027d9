import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { testChangeStore } from '../../support/change-store-suite.ts'
import { revocationsOf, testSource } from '../../support/replica-changes.ts'
import { readStore } from '../../support/replica-store.ts'
import { startStoreProcess, storeArguments } from './store-process.ts'

const cannotWrite = { instanceOf: FridgeError, code: 'ERR_DATABASE' }

testChangeStore(test, 'in SQLite on disk', async t => {
  const store = openSqliteStore(join(await makeTestFolder(t), 'whitelist.db'))
  t.teardown(() => store[Symbol.dispose]())
  return { store, readBack: () => store }
})

testChangeStore(test, 'in SQLite, read back from what is at rest', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const store = openSqliteStore(file)
  t.teardown(() => store[Symbol.dispose]())
  const readBack = () => {
    store[Symbol.dispose]()
    const again = openSqliteStore(file)
    t.teardown(() => again[Symbol.dispose]())
    return again
  }
  return { store, readBack }
})

test('a change that cannot be written is reported with what mends it', async t => {
  using store = openSqliteStore(join(await makeTestFolder(t), 'whitelist.db'))
  const entries = revocationsOf(testSource('alpha'), 1)
  store.append(entries)
  t.truthy(t.throws(() => store.append(entries), cannotWrite)?.fix)
})

test('the folder of a new database belongs to its owner alone', async t => {
  const dir = join(await makeTestFolder(t), 'data')
  openSqliteStore(join(dir, 'whitelist.db'))[Symbol.dispose]()
  t.is(statSync(dir).mode & 0o777, 0o700)
  t.false(readdirSync(dir).some(name => name.endsWith('.new')))
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

/** From the thirtieth flush of a file on, none is done: the disk has the pages, and says that it has not. */
const FAILING_FLUSH = `
  #include <errno.h>
  static int flushes;
  static int flush(void) { if (++flushes < 30) return 0; errno = EIO; return -1; }
  int fsync(int fd) { return flush(); }
  int fdatasync(int fd) { return flush(); }
`
const hasCompiler = spawnSync('cc', ['--version']).status === 0

;(hasCompiler ? test : test.skip)(
  'what was refused because a flush failed is not there after a kill, though the disk has taken it',
  async t => {
    const dir = await makeTestFolder(t)
    const file = join(dir, 'whitelist.db')
    const shim = join(dir, 'flush.so')
    const compiled = spawnSync('cc', ['-shared', '-fPIC', '-o', shim, '-xc', '-'], {
      input: FAILING_FLUSH,
    })
    t.is(compiled.status, 0)
    const { stdout, signal } = spawnSync(process.execPath, storeArguments('die', file), {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: shim },
    })
    t.is(signal, 'SIGKILL')
    const { committed, failure } = JSON.parse(stdout) as Filled
    t.is(failure, 'ERR_DATABASE')
    t.true(committed.length > 0)
    t.deepEqual(readStore(file), committed)
  },
)

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
