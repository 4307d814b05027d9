import test from 'ava'
import { makeForkProof } from '../../../node/gossip/fork-proof.ts'
import { OwnRemoval } from '../../../node/gossip/own-removal.ts'
import { makeRemovalProof } from '../../../node/gossip/removal-proof.ts'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { signEntry } from '../../support/hostile-node.ts'
import { client, grantAt, OPERATOR, requestOf, testSource } from '../../support/replica-changes.ts'
import { openReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

/** How a node learns that it was removed itself, and that it remembers it. */

const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'] })
const ALPHA = parseName('alpha')
const BETA = parseName('beta')
const [AMBER, BASIL] = [client('amber'), client('basil')]
const removal = await removalOf('beta')
const proof: unknown = JSON.parse(
  JSON.stringify(makeRemovalProof(removal, people.signers(known()))),
)

function known(): MemoryStore {
  const store = new MemoryStore()
  for (const { signer } of [people.operator(), people.node('alpha')]) {
    store.keepCertificate(signer.identity.fingerprint, signer.chain)
  }
  return store
}

async function removalOf(name: string): Promise<Entry> {
  const node = openReplica(people, 'alpha')
  const commit = await node.request(requestOf('revocation', subjectOf('node', parseName(name))))
  if (commit.outcome !== 'committed') throw new Error(commit.why)
  return commit.entry
}

interface Scene {
  readonly own: OwnRemoval
  readonly log: LogLine[]
  readonly kept: string[]
  /** How often it has told that this node was removed. */
  readonly told: () => number
}

/** Node beta, with what it kept in an earlier run. */
function setScene(recalled?: string): Scene {
  const log: LogLine[] = []
  const kept: string[] = []
  const own = new OwnRemoval({
    name: BETA,
    signers: people.signers(known()),
    file: { read: () => recalled, replace: text => void kept.push(text) },
    log: recordLog(log),
  })
  let told = 0
  own.subscribe(() => void (told += 1))
  return { own, log, kept, told: () => told }
}

test('a node that is shown the proof of its removal tells it once, keeps it, and says what mends it', async t => {
  const { own, log, kept, told } = setScene()
  t.is(own.removal, undefined)
  await own.take(proof, ALPHA)
  await own.take(proof, ALPHA)
  t.is(own.removal?.operator, OPERATOR)
  t.true(own.isOut && !own.isForked)
  t.is(told(), 1)
  t.deepEqual(
    kept.map(text => JSON.parse(text) as unknown),
    [proof],
  )
  t.deepEqual(
    log.map(({ level, fields }): unknown[] => [level, fields['fix']]),
    [['error', 'give it a new name: fridge certs issue node NAME']],
  )
})

test('a node that hears of its removal in its own list keeps the same proof', t => {
  const { own, kept, told } = setScene()
  own.note(removal)
  t.is(told(), 1)
  t.deepEqual(
    kept.map(text => JSON.parse(text) as unknown),
    [proof],
  )
})

test('the removal of another node is none of its own', async t => {
  const { own, kept } = setScene()
  own.note(await removalOf('gamma'))
  t.is(own.removal, undefined)
  t.deepEqual(kept, [])
})

test('a node that was removed in an earlier run knows it before any peer is in reach', async t => {
  const { own, told } = setScene(JSON.stringify(proof))
  await own.recall()
  t.is(own.removal?.operator, OPERATOR)
  t.is(told(), 1)
})

test('who comes late hears at once that the node was removed', async t => {
  const { own } = setScene()
  await own.take(proof, ALPHA)
  let told = 0
  own.subscribe(() => void (told += 1))
  t.is(told, 1)
})

for (const [what, text] of [
  ['that is cut short', '{"entry":'],
  ['that is about another node', JSON.stringify({ ...(proof as object), node: [] })],
] as const) {
  test(`a kept proof ${what} removes nobody`, async t => {
    const { own, log, told } = setScene(text)
    await own.recall()
    t.is(own.removal, undefined)
    t.is(told(), 0)
    t.is(log.length, 1)
  })
}

test('a forged proof changes nothing, and the peer that showed it is named', async t => {
  const { own, log, kept, told } = setScene()
  await own.take({ ...(proof as object), entry: {} }, ALPHA)
  t.is(own.removal, undefined)
  t.is(told(), 0)
  t.deepEqual(kept, [])
  t.deepEqual(
    log.map(({ level, fields }): unknown[] => [level, fields['peer']]),
    [['warn', ALPHA]],
  )
})

const beta = { operator: people.operator(), node: people.node('beta') }
const gamma = { operator: people.operator(), node: people.node('gamma') }
const [first, second] = [AMBER, BASIL].map(subject =>
  signEntry(grantAt(testSource('beta'), 1, { subject }), '', beta),
) as [Entry, Entry]

/** What a peer shows, as it comes over the line. */
function forkProofOf(one: Entry, other: Entry): object {
  const signers = people.signers(new MemoryStore())
  for (const { signer } of [beta.operator, beta.node, gamma.node]) signers.learn(signer.chain)
  return JSON.parse(JSON.stringify(makeForkProof([one, other], signers))) as object
}

test('a node that is shown two changes at one place of it tells it once, keeps them, and knows it at its next start', async t => {
  const { own, log, kept, told } = setScene()
  const shown = forkProofOf(first, second)
  await own.take(shown, ALPHA)
  await own.take(shown, ALPHA)
  t.true(own.isForked && own.isOut)
  t.is(own.removal, undefined)
  t.is(told(), 1)
  t.deepEqual(
    log.map(({ level, fields }): unknown[] => [level, fields['fix']]),
    [['error', 'give it a new key under a new name: fridge certs issue node NAME']],
  )
  const again = setScene(kept[0])
  await again.own.recall()
  t.true(again.own.isForked)
  t.is(again.told(), 1)
})

test('attack: what proves no fork of this node ends nothing', async t => {
  const behind = signEntry(grantAt(testSource('beta'), 2, { subject: BASIL }), first.hash, beta)
  const [one, other] = [AMBER, BASIL].map(subject =>
    signEntry(grantAt(testSource('gamma'), 1, { subject }), '', gamma),
  ) as [Entry, Entry]
  const genuine = forkProofOf(first, second) as { forked: [object, object]; signers: unknown[] }
  const [shown] = genuine.forked
  const forged = [
    forkProofOf(first, first),
    forkProofOf(first, behind),
    forkProofOf(one, other),
    { ...genuine, more: 1 },
    { ...genuine, forked: [shown] },
    { ...genuine, forked: [shown, {}] },
    { ...genuine, forked: [shown, { ...shown, nodeSignature: 'AAAA' }] },
    { ...genuine, signers: [] },
    { ...genuine, signers: Array.from({ length: 5 }, () => genuine.signers[0]) },
    { ...genuine, signers: null },
  ]
  for (const proof of forged) {
    const { own, log, kept, told } = setScene()
    await own.take(proof, ALPHA)
    t.false(own.isOut, JSON.stringify(proof).slice(0, 200))
    t.is(told(), 0)
    t.deepEqual(kept, [])
    t.is(log[0]?.level, 'warn')
  }
})
