import test from 'ava'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import {
  findRemoval,
  makeRemovalProof,
  openRemovalProof,
  type RemovalProof,
} from '../../../node/gossip/removal-proof.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, NOON, OPERATOR, requestOf } from '../../support/replica-changes.ts'
import { openReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

/** What a removed node is shown, and what it believes of it. */

const people = await makePeople({ nodes: ['alpha', 'beta'] })
const BETA = parseName('beta')

interface Removed {
  readonly entry: Entry
  readonly proof: RemovalProof
  readonly found: Entry | undefined
}

/** What alpha shows after it has removed somebody. */
async function remove(subject = subjectOf('node', BETA)): Promise<Removed> {
  const store = new MemoryStore()
  const node = openReplica(people, 'alpha', { store })
  const commit = await node.request({ ...requestOf('revocation', subject), reason: 'stolen' })
  if (commit.outcome !== 'committed') throw new Error(commit.why)
  const { entry } = commit
  const proof = makeRemovalProof(entry, node.signers)
  if (proof === undefined) throw new Error('its signers are not known')
  return { entry, proof, found: findRemoval(BETA, node.replica.whitelist, store) }
}

/** What beta makes of what it is shown: it has never heard of anybody. */
async function open(proof: unknown): Promise<unknown> {
  return openRemovalProof(proof, BETA, people.signers(new MemoryStore()))
}

const genuine = await remove()

test('a removed node is shown by whom it was removed, when and why, and believes it', async t => {
  const sent: unknown = JSON.parse(JSON.stringify(genuine.proof))
  t.deepEqual(await open(sent), { operator: OPERATOR, at: NOON, reason: 'stolen' })
})

test('the entry that removed a node is found in the log, and none for another', async t => {
  t.is(genuine.found?.hash, genuine.entry.hash)
  t.is((await remove(client('amber'))).found, undefined)
})

test('a proof that removes somebody else removes nobody here', async t => {
  const sentence = 'a proof does not remove node/beta'
  t.is(await open((await remove(client('beta'))).proof), sentence)
  t.is(await open((await remove(subjectOf('node', parseName('alpha')))).proof), sentence)
})

test('a proof that is not signed as a change must be does not hold', async t => {
  const { proof } = genuine
  const entry = proof.entry as Record<string, string>
  const stranger = await makePeople({ nodes: ['alpha'] })
  const forgeries: [forged: unknown, why: RegExp][] = [
    [null, /not an object/],
    [[proof], /not an object/],
    [{ ...proof, more: 1 }, /unknown fields/],
    [{ ...proof, operator: [] }, /malformed/],
    [{ ...proof, node: stranger.node('alpha').signer.chain }, /not trusted/],
    [{ ...proof, operator: proof.node }, /certificate of an operator was not sent/],
    [
      { ...proof, entry: { ...entry, change: entry['change']?.replace('stolen', 'broken') } },
      /not signed/,
    ],
    [{ ...proof, entry: { ...entry, operatorSignature: entry['nodeSignature'] } }, /not signed/],
    [{ ...proof, entry: { ...entry, nodeSignature: entry['operatorSignature'] } }, /not signed/],
    [{ ...proof, entry: { stray: entry } }, /stray/],
  ]
  for (const [forged, why] of forgeries) t.regex(String(await open(forged)), why)
})
