import test from 'ava'
import { startCommand, type IoOptions } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'

/** What one command does with more names than a node takes at once. */

const shared = await makeSharedCerts()
const { certs } = shared
const whitelist = asAdmin('whitelist')
const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }
test.after.always(() => shared.remove())

const NAMES = Array.from({ length: 300 }, (_, index) => `till-${index}`)

/** How the names stand at a node, by how many of them. */
async function standings(cluster: Cluster, index: number): Promise<Record<string, number>> {
  await using operator = await cluster.operator(index)
  const counts: Record<string, number> = {}
  for (const { standing } of await operator.findAll(NAMES.map(name => `client/${name}` as never)))
    counts[standing] = (counts[standing] ?? 0) + 1
  return counts
}

function start(cluster: Cluster, args: readonly string[], options: IoOptions = {}) {
  return startCommand(['whitelist', ...args, '--node', cluster.address(1)], {
    env: ENV,
    ...options,
  })
}

test('hundreds of names are let in and removed by one command each, and confirmed once for all of them', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  const shown: string[] = []
  const added = start(cluster, ['add', ...NAMES, '--sensor', 'door'], {
    progress: text => shown.push(text),
  })
  t.is(await added.status, 0, added.err.text)
  t.is(added.out.all.length, 4)
  t.is(added.out.all.at(-1), '300 names added on 3 nodes')
  t.deepEqual(
    shown.filter(text => text.includes('names')),
    ['0 of 300 names…', '128 of 300 names…', '256 of 300 names…'],
  )
  for (const index of [1, 2, 3]) t.deepEqual(await standings(cluster, index), { granted: 300 })
  const removed = start(cluster, ['remove', ...NAMES, '--json'])
  t.is(await removed.status, 0, removed.err.text)
  const report = JSON.parse(removed.out.text) as { subjects: string[]; confirmed: unknown[] }
  t.like(report, { change: 'revocation', node: 'node-1', sequence: 600, silent: [] })
  t.is(report.confirmed.length, 3)
  t.deepEqual(
    report.subjects,
    NAMES.map(name => `client/${name}`),
  )
  for (const index of [1, 2, 3]) t.deepEqual(await standings(cluster, index), { revoked: 300 })
})

test('a name among hundreds that cannot be let in is named, and nobody is let in', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'till-200', { expiresAt: Date.now() - 1 })
  const { status, err } = await whitelist(cluster, 1, 'add', ...NAMES)
  t.is(status, 2)
  t.regex(err, /^fridge: the grant of till-200 has ended$/m)
  t.deepEqual(await standings(cluster, 1), { unknown: 299, expired: 1 })
})

test('operators and nodes among the names that are removed are removed behind the others', async t => {
  const own = await makeSharedCerts({ nodes: ['node-1'], operators: ['admin', 'berta'] })
  t.teardown(async () => own.remove())
  await using cluster = await startCluster(t, { certs: own.certs })
  const added = await whitelist(cluster, 1, 'add', 'till-0', 'till-1')
  t.is(added.status, 0, added.err)
  const removed = await whitelist(cluster, 1, 'remove', 'operator/berta', 'till-0', 'till-1')
  t.is(removed.status, 0, removed.err)
  t.is(removed.out.split('\n').at(-1), '3 names removed on 1 node')
  const log = await whitelist(cluster, 1, 'log', '--json')
  const texts = log.out.match(/"subject":"[^"]+"/g) ?? []
  t.is(texts.at(-1), '"subject":"operator/berta"')
})

test('Ctrl-C in the middle of hundreds says how many are done, and from which name on it is not known', async t => {
  await using cluster = await startCluster(t, { certs })
  const stop = new AbortController()
  const { status, err } = start(cluster, ['add', ...NAMES], {
    signal: stop.signal,
    progress: text => {
      if (text.startsWith('128 of')) stop.abort()
    },
  })
  t.is(await status, 1)
  t.regex(
    err.text,
    /^128 of 300 names added on node-1; till-128 and what follows it perhaps not: see fridge whitelist show till-128$/m,
  )
  const { granted = 0 } = await standings(cluster, 1)
  t.true([128, 256].includes(granted), 'a batch is made whole or not at all')
})

test('a node that is lost in the middle of hundreds loses none that it has said to have made', async t => {
  await using cluster = await startCluster(t, { certs })
  const lost = Promise.withResolvers<void>()
  const { status, err } = start(cluster, ['add', ...NAMES], {
    progress: text => {
      if (text.startsWith('128 of')) lost.resolve(cluster.stop(1))
    },
  })
  await lost.promise
  t.not(await status, 0)
  t.regex(err.text, /^128 of 300 names added on node-1; till-128 and what follows it perhaps not/m)
  await cluster.start(1)
  const { granted = 0 } = await standings(cluster, 1)
  t.true([128, 256].includes(granted))
  const again = await whitelist(cluster, 1, 'add', ...NAMES)
  t.is(again.status, 0, again.err)
  t.deepEqual(await standings(cluster, 1), { granted: 300 })
})

test('two operators who change hundreds of the same names at once both succeed, and all nodes agree', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const few = NAMES.slice(0, 40)
  await whitelist(cluster, 1, 'add', ...few)
  const [more, fewer] = await Promise.all([
    whitelist(cluster, 1, 'add', ...NAMES, '--sensor', 'door'),
    whitelist(cluster, 1, 'remove', ...few),
  ])
  t.is(fewer.status, 0, fewer.err)
  t.true([0, 4].includes(more.status), more.err)
  t.deepEqual(await standings(cluster, 1), await standings(cluster, 2))
})
