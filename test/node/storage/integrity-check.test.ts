import { writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { IntegrityCheck } from '../../../node/storage/integrity-check.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { revocationsOf, testSource } from '../../support/replica-changes.ts'
import { makeIndexLie } from '../../support/lying-index.ts'

const ALPHA = testSource('alpha')
const corrupt = { instanceOf: FridgeError, code: 'ERR_DATABASE_CORRUPT' }

/** A database with some changes, closed. */
async function sample(t: Parameters<typeof makeTestFolder>[0]): Promise<string> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  using store = openSqliteStore(file)
  store.append(revocationsOf(ALPHA, 5))
  return file
}

test('a whole database passes while its node writes to it', async t => {
  const file = await sample(t)
  using store = openSqliteStore(file, undefined, true)
  await using check = new IntegrityCheck(file)
  store.append(revocationsOf(testSource('beta'), 5))
  await t.notThrowsAsync(check.passed())
})

test('an index that hides a change is found, though the rows can be read', async t => {
  const file = await sample(t)
  makeIndexLie(file, ALPHA)
  using store = openSqliteStore(file, undefined, true)
  t.is([...store.logged()].length, 5)
  await using check = new IntegrityCheck(file)
  await t.throwsAsync(check.passed(), corrupt)
})

test('pages that cannot be read at all are found', async t => {
  const file = await sample(t)
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.subarray(0, bytes.length - 4_096))
  await using check = new IntegrityCheck(file)
  await t.throwsAsync(check.passed(), corrupt)
})

test('a check that is given up keeps nobody waiting', async t => {
  const check = new IntegrityCheck(await sample(t))
  await check[Symbol.asyncDispose]()
  await t.notThrowsAsync(check.passed())
})
