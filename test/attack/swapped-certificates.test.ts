import { join } from 'node:path'
import test from 'ava'
import { OwnSource } from '../../node/gossip/own-source.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import type { Entry } from '../../node/whitelist/entry.ts'
import { makeTestFolder } from '../support/certs.ts'
import { attackReplica, signEntry } from '../support/hostile-node.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { client, grantAt, testSource } from '../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../support/replica-pair.ts'
import { makePeople, type Person } from '../support/replica-people.ts'

/**
 * A relay puts another certificate of the same key under an entry that is not its own: one of an
 * authority that was withdrawn, so that a checkpoint would void the grant where it came that way.
 */

const AMBER = client('amber')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma', 'mallory'] })
const olga = people.operator()
const oldOlga = await people.issue('operator', 'olga', { byFormer: true, key: olga.key })
const alphaNode = people.node('alpha')
const oldAlpha = await people.issue('node', 'alpha', { byFormer: true, key: alphaNode.key })

const sorted = (clock: ReadonlyMap<string, number>): unknown =>
  [...clock].map(([source, sequence]) => `${source} ${sequence}`).sort()

const fingerprintOf = ({ signer }: Person): string => signer.identity.fingerprint

/** A grant that alpha has accepted, and no other node has heard of. */
async function grantAtAlpha(): Promise<{ alpha: TestReplica; entry: Entry }> {
  const alpha = openReplica(people, 'alpha')
  const commit = await alpha.grant(AMBER)
  if (commit.outcome !== 'committed') throw new Error(commit.why)
  return { alpha, entry: commit.entry }
}

const SWAPS = [
  ['its operator', { operatorCertificate: fingerprintOf(oldOlga) }],
  ['its node', { nodeCertificate: fingerprintOf(oldAlpha) }],
] as const

for (const [whose, swapped] of SWAPS) {
  test(`attack: a relay that puts another certificate of ${whose} under a grant is refused`, async t => {
    const { alpha, entry } = await grantAtAlpha()
    const beta = openReplica(people, 'beta')
    const signers = [olga, oldOlga, alphaNode, oldAlpha].map(({ signer }) => signer)
    const relay = attackReplica(beta.replica, testSource('mallory'), signers)
    await relay.tell({ ...entry, signatures: { ...entry.signatures, ...swapped } })
    t.regex(relay.refused ?? '', /change 1 of alpha#\d+ is not signed by its node/)
    t.is(beta.replica.whitelist.changes, 0)
    relay.end()

    // What alpha has made comes to both as it was made, and a checkpoint says the same of it.
    const { connect, quiet } = testNetwork()
    connect(alpha, beta)
    await quiet()
    t.is((await alpha.checkpoint()).outcome, 'committed')
    await quiet()
    for (const { replica } of [alpha, beta]) {
      t.is(replica.whitelist.state(AMBER).grants.length, 1)
      t.deepEqual([...replica.whitelist.heads()], [...alpha.replica.whitelist.heads()])
    }
  })
}

test('attack: a node that signs one text under two certificates has forked, and all nodes agree', async t => {
  const change = grantAt(testSource('alpha'), 1, { subject: AMBER })
  const { connect, quiet } = testNetwork()
  const victims = [openReplica(people, 'beta'), openReplica(people, 'gamma')] as const
  for (const [index, operator] of [olga, oldOlga].entries()) {
    const { replica } = victims[index] ?? victims[0]
    const signers = [operator.signer, alphaNode.signer]
    const thief = attackReplica(replica, testSource('mallory'), signers)
    await thief.tell(signEntry(change, '', { operator, node: alphaNode }))
    t.is(thief.refused, undefined)
    thief.end()
  }
  connect(...victims)
  await quiet()
  const [beta, gamma] = victims
  for (const { replica } of victims) {
    t.true(replica.whitelist.hasEquivocated(alphaNode.signer.identity.name))
    t.is(replica.whitelist.state(AMBER).grants.length, 2, 'both are kept')
  }
  t.deepEqual(sorted(beta.replica.whitelist.clock()), sorted(gamma.replica.whitelist.clock()))
})

test('a certificate that was renewed between two starts of a node changes no hash, and forks nothing', async t => {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  const store = new MemoryStore()
  const beta = openReplica(people, 'beta', { store })
  const renewed = await people.issue('node', 'alpha', { key: alphaNode.key })
  const hashes: string[] = []
  for (const self of [alphaNode, renewed]) {
    using own = openSqliteStore(file)
    const kept = own.ownSource()
    const ownSource = new OwnSource({
      ...(kept && { kept }),
      draw: () => testSource('alpha'),
      keep: source => own.keepOwnSource(source),
    })
    const alpha = openReplica(people, 'alpha', {
      store: own,
      ownSource,
      self,
      run: hashes.length + 1,
    })
    const { connect, quiet } = testNetwork()
    const link = connect(alpha, beta)
    await quiet()
    const commit = await alpha.grant(AMBER)
    if (commit.outcome !== 'committed') return t.fail(commit.why)
    await quiet()
    hashes.push(commit.entry.hash)
    t.is(commit.entry.signatures.nodeCertificate, fingerprintOf(self))
    link.cut()
    alpha.replica[Symbol.dispose]()
  }
  const held = [...store.ofSource(testSource('alpha'), 1)]
  t.deepEqual(
    held.map(({ hash }) => hash),
    hashes,
    'one source over both starts',
  )
  t.is(held[1]?.change.previous, hashes[0])
  t.false(beta.replica.whitelist.hasEquivocated(alphaNode.signer.identity.name))
  using reopened = openSqliteStore(file)
  t.deepEqual(
    Array.from(reopened.ofSource(testSource('alpha'), 1), ({ hash }) => hash),
    hashes,
  )
})
