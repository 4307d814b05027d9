import { copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { backupDatabase } from '../../../node/storage/backup.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { revocationsOf, testSource } from '../../support/replica-changes.ts'

const SOURCE = testSource('alpha')

function ownSourceIn(file: string): string | undefined {
  using store = openSqliteStore(file)
  return store.ownSource()
}

test('a source is read back with the file that it was used with', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  {
    using store = openSqliteStore(file)
    t.is(store.ownSource(), undefined)
    store.keepOwnSource(SOURCE)
    store.append(revocationsOf(SOURCE, 3))
  }
  t.is(ownSourceIn(file), SOURCE)
  t.is(ownSourceIn(file), SOURCE, 'a start leaves it there')
})

test('one that has ended is not read back, though only the database or only the file beside it says so', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const beside = join(file, '..', 'whitelist.source')
  {
    using store = openSqliteStore(file)
    store.keepOwnSource(SOURCE)
    copyFileSync(beside, `${beside}.kept`)
    store.keepOwnSource(undefined)
  }
  t.is(ownSourceIn(file), undefined)
  renameSync(`${beside}.kept`, beside)
  t.is(ownSourceIn(file), undefined)
  {
    using store = openSqliteStore(file)
    store.keepOwnSource(SOURCE)
  }
  rmSync(beside)
  t.is(ownSourceIn(file), undefined)
})

test('a copy, a backup and a restored file go on in no source of another', async t => {
  const folder = await makeTestFolder(t)
  const file = join(folder, 'whitelist.db')
  {
    using store = openSqliteStore(file)
    store.keepOwnSource(SOURCE)
  }
  const copy = join(folder, 'copy.db')
  await backupDatabase(file, copy)
  t.is(ownSourceIn(copy), undefined)
  renameSync(copy, file)
  t.is(ownSourceIn(file), undefined, 'it has the name, and is another file')
})

/** What a person does who puts a copy back: the file stays the same one. */
function putBack(copy: string, file: string): void {
  const { ino } = statSync(file)
  copyFileSync(copy, file)
  if (statSync(file).ino !== ino) throw new Error('it is another file')
}

const isWholeIn = (file: string): boolean => {
  using store = openSqliteStore(file)
  return store.extent() === 'whole'
}

test('a copy that is put back onto the same file is known to be one, made while the node ran or after', async t => {
  const folder = await makeTestFolder(t)
  const [file, running] = [join(folder, 'whitelist.db'), join(folder, 'running.db')]
  {
    using store = openSqliteStore(file)
    store.keepOwnSource(SOURCE)
    store.noteExtent('whole')
    using database = new DatabaseSync(file)
    await backup(database, running)
  }
  const stopped = join(folder, 'stopped.db')
  copyFileSync(file, stopped)
  t.is(ownSourceIn(file), SOURCE)
  t.true(isWholeIn(file))
  for (const copy of [running, stopped]) {
    const now = join(folder, 'now.db')
    copyFileSync(file, now)
    putBack(copy, file)
    t.is(ownSourceIn(file), undefined, copy)
    t.false(isWholeIn(file), copy)
    putBack(now, file)
    t.is(ownSourceIn(file), SOURCE, 'it is the one that was there last')
    t.true(isWholeIn(file))
  }
})

test('what a copy says of being whole counts for nothing, also once it is written to', async t => {
  const folder = await makeTestFolder(t)
  const [file, copy] = [join(folder, 'whitelist.db'), join(folder, 'copy.db')]
  {
    using store = openSqliteStore(file)
    store.noteExtent('whole')
  }
  copyFileSync(file, copy)
  t.true(isWholeIn(file))
  putBack(copy, file)
  {
    using store = openSqliteStore(file)
    store.keepOwnSource(SOURCE)
  }
  t.is(ownSourceIn(file), SOURCE)
  t.false(isWholeIn(file))
})

test('a node that is killed while it begins an epoch is no copy of itself', async t => {
  const folder = await makeTestFolder(t)
  const file = join(folder, 'whitelist.db')
  const beside = join(folder, 'whitelist.source')
  {
    using store = openSqliteStore(file)
    store.keepOwnSource(SOURCE)
  }
  const mark = JSON.parse(readFileSync(beside, 'utf8')) as { epoch: string }
  // The file is written first: the database still says what it said before.
  const next = { ...mark, epoch: 'f'.repeat(32), epochBefore: mark.epoch }
  writeFileSync(beside, JSON.stringify(next))
  t.is(ownSourceIn(file), SOURCE)
})

test('what was taken back leaves no hole in the positions, and no repeat without a first', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  {
    using store = openSqliteStore(file)
    const [one, two, three] = revocationsOf(SOURCE, 3)
    const [other] = revocationsOf(testSource('beta'), 1)
    if (!one || !two || !three || !other) return t.fail()
    store.append([one, two, other, three])
    store.takeBack(SOURCE, 2)
  }
  const database = new DatabaseSync(file)
  t.deepEqual(
    database
      .prepare('SELECT position, source FROM changes ORDER BY position')
      .all()
      .map(row => [row['position'], row['source']]),
    [
      [1, SOURCE],
      [2, testSource('beta')],
    ],
  )
  database.close()
})
