import test from 'ava'
import type { BatchCommit, SignedText } from '../../../node/gossip/acceptance.ts'
import type { Subject } from '../../../node/identity/names.ts'
import { signText } from '../../../node/identity/signature.ts'
import { encodeChange } from '../../../node/whitelist/change.ts'
import type { Entry, Stray } from '../../../node/whitelist/entry.ts'
import { SimulatedDisk } from '../../simulation/simulated-disk.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, requestOf } from '../../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['alpha', 'beta'], operators: ['olga', 'oscar'] })
const SHELVES = Array.from({ length: 5 }, (_, index) => client(`shelf-${index}`))
const [FIRST = client(''), SECOND = client(''), THIRD = client('')] = SHELVES

/** Have a node propose changes together, and sign them as their operator's machine does. */
function propose(
  { replica, signers }: TestReplica,
  kind: 'grant' | 'revocation',
  subjects: readonly Subject[],
): {
  readonly signed: SignedText[]
  readonly commit: (signed?: SignedText[]) => Promise<BatchCommit>
} {
  const { signer, key } = people.operator()
  const operator = signers.learn(signer.chain)
  if (typeof operator === 'string') throw new Error(operator)
  const requests = subjects.map(subject => requestOf(kind, subject))
  const { changes } = replica.proposeBatch(requests, operator)
  const signed = changes.map(encodeChange).map(text => ({
    text,
    operatorSignature: signText(key, 'change', text),
  }))
  return { signed, commit: async (texts = signed) => replica.commitBatch(texts, operator) }
}

/** A store that counts what it is told to write at once. */
class CountingStore extends MemoryStore {
  readonly sizes: number[] = []

  override append(entries: readonly (Entry | Stray)[]): void {
    this.sizes.push(entries.length)
    super.append(entries)
  }
}

test('changes that are made together are written at once, and each peer takes them', async t => {
  const { connect, quiet, network } = testNetwork()
  const store = new CountingStore()
  const alpha = openReplica(people, 'alpha', { store })
  const beta = openReplica(people, 'beta')
  connect(alpha, beta)
  await alpha.grant(client('before'))
  const commit = await propose(alpha, 'grant', SHELVES).commit()
  t.is(commit.outcome, 'committed')
  t.deepEqual(store.sizes, [1, 5])
  await quiet()
  for (const subject of SHELVES) t.true(beta.isIn(subject))
  t.deepEqual(beta.states(), alpha.states())
  t.is((await propose(beta, 'revocation', SHELVES).commit()).outcome, 'committed')
  await quiet()
  for (const subject of SHELVES) t.false(alpha.isIn(subject))
  t.deepEqual(network.refusals, [])
})

test('of changes that are made together none is made when one of them was changed meanwhile', async t => {
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta')
  const { connect, quiet } = testNetwork()
  const { commit } = propose(alpha, 'grant', SHELVES)
  // Another node lets the third in: the place at this one is still free.
  await beta.grant(THIRD)
  connect(alpha, beta)
  await quiet()
  const before = alpha.states()
  const again = await commit()
  t.like(again, { outcome: 'again', why: 'shelf-2 was changed meanwhile' })
  t.deepEqual(alpha.states(), before)
  t.is(alpha.replica.whitelist.heard(alpha.source), 0)
  // What was taken back leaves nothing behind.
  t.is((await propose(alpha, 'grant', SHELVES).commit()).outcome, 'committed')
  await quiet()
  t.deepEqual(beta.states(), alpha.states())
})

test('none is made whose first place is taken, and what holds it is shown', async t => {
  const alpha = openReplica(people, 'alpha')
  const { commit } = propose(alpha, 'grant', SHELVES)
  const other = await alpha.grant(client('other'))
  const again = await commit()
  t.like(again, { outcome: 'again', why: 'its place has been taken' })
  t.is(
    again.outcome === 'again' && again.taken?.hash,
    other.outcome === 'committed' && other.entry.hash,
  )
  t.is(alpha.replica.whitelist.changes, 1)
})

test('one signature that does not hold, a text left out or two in another order make none of them', async t => {
  const alpha = openReplica(people, 'alpha')
  const { signed, commit } = propose(alpha, 'grant', SHELVES)
  const forged = signed.map((one, index) =>
    index === 3 ? { ...one, operatorSignature: signed[2]?.operatorSignature ?? '' } : one,
  )
  await t.throwsAsync(commit(forged), { code: 'ERR_REFUSED' })
  t.is((await commit(signed.toSpliced(1, 1))).outcome, 'again')
  t.is((await commit(signed.toReversed())).outcome, 'again')
  t.is(alpha.replica.whitelist.changes, 0)
  t.is((await commit()).outcome, 'committed')
  t.is((await commit()).outcome, 'again', 'nor are they made twice')
  t.is(alpha.replica.whitelist.changes, SHELVES.length)
})

test('removals that cannot be stored are none, act at once, and are there when they can', async t => {
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha', { store: disk.open() })
  await propose(alpha, 'grant', SHELVES).commit()
  disk.isFull = true
  await t.throwsAsync(propose(alpha, 'grant', [client('late'), client('later')]).commit(), {
    code: 'ERR_DATABASE',
    message: /nothing was changed\. .* for these 2 names$/,
  })
  await t.throwsAsync(propose(alpha, 'revocation', [FIRST, SECOND]).commit(), {
    code: 'ERR_DATABASE',
    message: /the removals are NOT recorded, though connections to this node were cut/,
  })
  t.is(alpha.replica.stateOf(FIRST).grants.length, 0)
  t.is(alpha.replica.stateOf(SECOND).grants.length, 0)
  t.true(alpha.isIn(FIRST), 'the list is what is on its disk')
  disk.isFull = false
  t.is((await propose(alpha, 'revocation', [FIRST, SECOND]).commit()).outcome, 'committed')
  t.deepEqual(openReplica(people, 'alpha', { store: disk.open() }).states(), alpha.states())
})

test('no batch is made by an operator who was removed', async t => {
  const alpha = openReplica(people, 'alpha')
  const { commit } = propose(alpha, 'grant', SHELVES)
  const removal = requestOf('revocation', 'operator/olga' as Subject)
  await alpha.request(
    { ...removal, operator: people.operator('oscar').signer.identity.name },
    people.operator('oscar'),
  )
  await t.throwsAsync(commit(), { code: 'ERR_REVOKED' })
  t.is(alpha.replica.whitelist.changes, 1)
})
