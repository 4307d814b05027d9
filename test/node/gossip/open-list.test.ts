import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { asUpdate } from '../../../node/gossip/update.ts'
import { isSource, parseName, parseSubject } from '../../../node/identity/names.ts'
import { sealOf, type ChangeRow } from '../../../node/storage/change-row.ts'
import { encodeChange, readChange, type Change } from '../../../node/whitelist/change.ts'
import { entryHash } from '../../../node/whitelist/entry.ts'
import { makeIndexLie } from '../../support/lying-index.ts'
import {
  makeSharedCerts,
  startCluster,
  untilReachable,
  type Cluster,
} from '../../support/cluster.ts'
import { certificateOf, connectHostile, personOf, signEntry } from '../../support/hostile-node.ts'
import { grantAt, testSource } from '../../support/replica-changes.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** The sources of a node, by default of `node-2`, in the log of a node. */
function sourcesOn(cluster: Cluster, index: number, name = 'node-2'): string[] {
  const file = join(cluster.config(index).data, 'whitelist.db')
  using database = new DatabaseSync(file, { readOnly: true })
  return database
    .prepare('SELECT DISTINCT source FROM changes WHERE source LIKE ? ORDER BY position')
    .all(`${name}#%`)
    .map(({ source }) => String(source))
}

test('a node that starts again goes on in its source; a copy of its database put in its place does not', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const file = join(cluster.config(2).data, 'whitelist.db')
  for (const client of ['c1', 'c2', 'c3']) {
    await cluster.grant(2, client)
    await cluster.stop(2)
    if (client === 'c1') copyFileSync(file, `${file}.copy`)
    await cluster.start(2)
    await untilReachable(cluster, 2, 2)
  }
  t.is(sourcesOn(cluster, 1).length, 1)
  await cluster.stop(2)
  // In place: even the inode stays.
  copyFileSync(`${file}.copy`, file)
  await cluster.start(2)
  await untilReachable(cluster, 2, 2)
  await cluster.grant(2, 'c4')
  t.is(sourcesOn(cluster, 1).length, 2)
  t.false(
    cluster.log.lines.some(({ text }) => /broke the protocol|two different changes/.test(text)),
  )
})

test('what a node gives up because a peer holds something else there is told by status, also after a restart', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await cluster.revoke(1, 'c1')
  // What this node accepted at that place before it was set back, as a peer knows it.
  const [source] = sourcesOn(cluster, 1, 'node-1')
  if (!isSource(source)) return t.fail()
  const [operator, node, relay] = await Promise.all([
    certs.load('operator', parseName('admin')),
    certs.load('node', parseName('node-1')),
    certs.load('node', parseName('node-3')),
  ])
  const keys = { operator: personOf(operator), node: personOf(node) }
  const change = { ...grantAt(source, 1, { subject: parseSubject('c2') }), at: Date.now() }
  const entry = signEntry({ ...change, operator: operator.identity.name }, '', keys)
  const link = await connectHostile(t, cluster.node(1).address, relay, {
    source: testSource('node-3'),
  })
  const certificates = [keys.node, keys.operator].map(({ signer }) => certificateOf(signer))
  link.tell('whitelist', ...certificates, asUpdate(entry))
  const { fields } = await cluster.log.find(({ text }) => text.includes('accepted here is lost'))
  t.is(fields['fix'], 'fridge whitelist remove c1')
  const lostOn = async (): Promise<readonly string[]> => {
    await using connection = await cluster.operator(1)
    return ((await connection.status()).lost ?? []).map(({ subject }) => subject)
  }
  t.deepEqual(await lostOn(), ['client/c1'])
  await cluster.stop(1)
  await cluster.start(1, { gossip: { firstSyncMs: 1 } })
  t.deepEqual(await lostOn(), ['client/c1'])
  await cluster.revoke(1, 'c1')
  t.deepEqual(await lostOn(), [])
})

test('a row that somebody forged keeps a node from starting, and a genuine list without a seal is checked and taken', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await cluster.grant(1, 'c1')
  const file = join(cluster.config(1).data, 'whitelist.db')
  const alter = (sql: string): void => {
    using database = new DatabaseSync(file)
    database.exec(sql)
  }
  await cluster.stop(1)
  alter("DELETE FROM own WHERE name = 'seal'")
  await cluster.start(1)
  const isCheck = ({ text }: { text: string }): boolean => text.includes('carries no seal')
  t.is(cluster.log.lines.filter(isCheck).length, 1)
  await using client = await cluster.client(1, 'c1')
  t.is(client.sensors.length, 2)
  await cluster.stop(1)
  await cluster.start(1)
  t.is(cluster.log.lines.filter(isCheck).length, 1, 'it is sealed again')
  await cluster.revoke(1, 'c1')
  await cluster.stop(1)

  // A grant of c2 behind the last change: chained, with the signatures of another change.
  forgeGrant(file, 'c2')
  const error = await t.throwsAsync(cluster.start(1), { code: 'ERR_DATABASE_CORRUPT' })
  t.regex(error?.message ?? '', /is not signed by its operator/)
})

/** Write a grant behind the last change as one who can write the file but has no key. */
function forgeGrant(file: string, name: string): void {
  using database = new DatabaseSync(file)
  const [row] = database.prepare('SELECT * FROM changes ORDER BY position DESC LIMIT 1').all()
  const last = row as unknown as ChangeRow & { position: number }
  const previous = readChange(last.text)
  if (typeof previous === 'string') throw new Error(previous)
  const { upTo: _, ...rest } = { upTo: undefined, ...previous }
  const change: Change = {
    ...rest,
    kind: 'grant',
    terms: {},
    subject: parseSubject(name),
    sequence: last.sequence + 1,
    previous: last.hash,
    seen: [],
  }
  const text = encodeChange(change)
  const hash = entryHash(text, last)
  const seal = sealOf({ ...last, hash, stray: null })
  const forged = {
    ...last,
    position: last.position + 1,
    sequence: change.sequence,
    text,
    hash,
    id: hash,
    subject: change.subject,
    repeats: 0,
    seal,
  }
  const columns = Object.keys(forged)
  database
    .prepare(`INSERT INTO changes (${columns.join()}) VALUES (${columns.map(() => '?').join()})`)
    .run(...(Object.values(forged) as (string | number)[]))
}

test('a large database with an index that lies does not start, though it is checked beside', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await cluster.revoke(1, 'c1')
  await cluster.stop(1)
  const file = join(cluster.config(1).data, 'whitelist.db')
  makeIndexLie(file, 'node-1#')
  {
    using database = new DatabaseSync(file)
    // Of 40 MiB, from which on a thread checks it.
    const fill = database.prepare('INSERT INTO own (name, value) VALUES (?, ?)')
    for (let one = 0; one < 40; one += 1) fill.run(`fill ${one}`, 'x'.repeat(2 ** 20))
  }
  await t.throwsAsync(cluster.start(1), { code: 'ERR_DATABASE_CORRUPT' })
})
