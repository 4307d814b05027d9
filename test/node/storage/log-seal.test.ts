import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { revocationsOf, testSource } from '../../support/replica-changes.ts'

const KEY = Buffer.alloc(32, 1)
const SOURCE = testSource('alpha')

function isSealed(file: string, key = KEY): boolean {
  using store = openSqliteStore(file, key)
  return store.isSealed
}

async function sealedLog(t: Parameters<typeof makeTestFolder>[0]): Promise<string> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  using store = openSqliteStore(file, KEY)
  const [first, ...rest] = revocationsOf(SOURCE, 3)
  if (first) store.append([first])
  store.append(rest)
  store.keepCertificate('print', ['bGVhZg=='])
  return file
}

test('a log that one node has written is sealed at its next start, and for no other key', async t => {
  const file = await sealedLog(t)
  t.true(isSealed(file))
  t.false(isSealed(file, Buffer.alloc(32, 2)))
  {
    using store = openSqliteStore(file, KEY)
    store.seal(Buffer.alloc(32, 2))
  }
  t.true(isSealed(file, Buffer.alloc(32, 2)), 'the node has another key now')
  {
    using store = openSqliteStore(file, Buffer.alloc(32, 2))
    store.takeBack(SOURCE, 2)
  }
  t.true(isSealed(file, Buffer.alloc(32, 2)))
})

const FORGERIES: readonly [what: string, sql: string][] = [
  [
    'a row behind the last',
    `INSERT INTO changes SELECT 9, 'beta#0000000000000001', 1, text, 'x', 'x', subject, 0, operatorCertificate, operatorSignature, nodeCertificate, nodeSignature, seal, stray FROM changes WHERE position = 1`,
  ],
  ['a row less', 'DELETE FROM changes WHERE position = 3'],
  ['a removal that says to repeat another', 'UPDATE changes SET repeats = 1 WHERE position = 1'],
  ['an entry that says to be a stray', "UPDATE changes SET stray = '{}' WHERE position = 3"],
  ['a certificate', "INSERT INTO certificates VALUES ('other', 'bGVhZg==', 'x')"],
  ['no seal', "DELETE FROM own WHERE name = 'seal'"],
]
for (const [what, sql] of FORGERIES) {
  test(`${what} breaks the seal`, async t => {
    const file = await sealedLog(t)
    const database = new DatabaseSync(file)
    database.exec(sql)
    database.close()
    const reopened = (): boolean => {
      try {
        return isSealed(file)
      } catch {
        return false
      }
    }
    t.false(reopened())
  })
}

test('a log of nothing needs no seal', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  t.true(isSealed(file))
  t.true(isSealed(file))
})
