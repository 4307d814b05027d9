import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { NodeStore } from '../../../node/storage/node-store.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { verifyDatabase } from '../../../node/storage/verify.ts'
import { atOnce } from '../../../node/whitelist/at-once.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import type { Base } from '../../../node/whitelist/store.ts'
import { WHOLE_LIST } from '../../../node/identity/names.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { ListReplica, statedAt } from '../../support/list-replica.ts'
import { client, grantAt, requestOf, testSource } from '../../support/replica-changes.ts'
import { loggedHashes } from '../../support/replica-store.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'

const SOURCE = testSource('alpha')
const KEY = Buffer.alloc(32, 7)

/** More than two slices of entries, and the checkpoint that covers them. */
const { entries, base } = brought(1_100)

function brought(names: number): { readonly entries: readonly Entry[]; readonly base: Base } {
  const replica = new ListReplica()
  const taken: Entry[] = []
  for (let name = 0; name < names; name += 1) {
    const request = requestOf('grant', client(`name-${name}`))
    taken.push(replica.accept(replica.list.draft(request, SOURCE, 1)))
  }
  const heads = replica.list.everything()
  const about = { kind: 'checkpoint', subject: WHOLE_LIST, seen: [], heads, former: [] } as const
  const stated = statedAt(heads, replica.list)
  taken.push(replica.accept({ ...grantAt(SOURCE, 1), ...about, ...stated }))
  const none = new Set<string>()
  return {
    entries: taken,
    base: {
      checkpoint: taken.at(-1)?.hash ?? '',
      spent: none,
      strays: none,
      true: none,
      archived: 2_000,
    },
  }
}

interface Scene {
  readonly file: string
  readonly open: () => NodeStore
}

async function makeScene(t: ExecutionContext): Promise<Scene> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const open = (): NodeStore => {
    const store = openSqliteStore(file, KEY)
    t.teardown(() => store[Symbol.dispose]())
    return store
  }
  return { file, open }
}

test('a list that was brought is written in slices, and is sealed when all of it is there', async t => {
  const { open } = await makeScene(t)
  const store = open()
  t.is([...store.beginWith(entries, base)].length, 3)
  store.keepCertificate('a'.repeat(64), ['chain'])
  store[Symbol.dispose]()
  const again = open()
  t.true(again.isSealed)
  t.deepEqual(again.base(), base)
  t.is(buildWhitelist(again, ALL_VOUCHED).size, 1_100)
  t.deepEqual(
    loggedHashes(again),
    entries.map(({ hash }) => hash),
  )
})

test('what was written of a list that was brought when a node stopped is no log at its next start', async t => {
  const { file, open } = await makeScene(t)
  const store = open()
  const steps = store.beginWith(entries, base)
  steps.next()
  steps.next()
  store.keepCertificate('a'.repeat(64), ['chain'])
  store[Symbol.dispose]()
  const { findings } = await verifyDatabase(file, { authorities: [], trustDomain: undefined })
  t.true(findings.some(({ problem }) => problem.includes('none of it counts')))
  const again = open()
  t.true(again.isSealed)
  t.is(again.base(), undefined)
  t.deepEqual(loggedHashes(again), [])
  atOnce(again.beginWith(entries, base))
  t.is(loggedHashes(again).length, entries.length)
})

test('a list that was brought and is given up leaves nothing, and a log can begin after it', async t => {
  const { open } = await makeScene(t)
  const store = open()
  const steps = store.beginWith(entries, base)
  steps.next()
  steps.return()
  t.deepEqual(loggedHashes(store), [])
  store.append(entries.slice(0, 1))
  store[Symbol.dispose]()
  const again = open()
  t.true(again.isSealed)
  t.is(loggedHashes(again).length, 1)
})
