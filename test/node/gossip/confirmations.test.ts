import test from 'ava'
import {
  awaitConfirmations,
  type NodeConfirmation,
  type Proof,
} from '../../../node/gossip/confirmations.ts'
import type { Confirmation } from '../../../node/gossip/confirmation.ts'
import type { Member, Twin } from '../../../node/gossip/member.ts'
import { subscribeTo } from '../../../node/lib/listeners.ts'
import { nodeOf, parseName, type Name, type Source } from '../../../node/identity/names.ts'
import { memberOf } from '../../support/bare-member.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')

/** As others tell of it; alpha's runs may have met twins. */
function memberMeeting(source: Source, twins: readonly Twin[]): Member {
  return { ...memberOf(source), ...(source === ALPHA && { twins }) }
}

/** A change that alpha has accepted, in a cluster of alpha and beta. */
function waitForProof(timeoutMs: number, lost = new Set<Source>(), others: readonly Source[] = []) {
  const clock = new FakeClock(NOON)
  const told = new Set<(confirmation: Confirmation) => void>()
  const changed = new Set<() => void>()
  const applied = new Map<Source, number>()
  const twins: Twin[] = []
  const left = new Map<Name, Member>()
  const seen: NodeConfirmation[] = []
  let asked = 0
  const abort = new AbortController()
  const answer = (node: Source, sequence: number): void => {
    const held = { number: 1, about: ALPHA, applied: sequence, changes: 9, clients: 0 }
    for (const listener of told) {
      listener({ node, to: ALPHA, applied: 0, changes: [], answer: held })
    }
  }
  const proof: Promise<Proof> = awaitConfirmations(
    { source: ALPHA, sequence: 3 },
    {
      confirmations: {
        subscribe: listener => subscribeTo(told, listener),
        questions: {
          ask: () => {
            asked += 1
            for (const [node, sequence] of applied) answer(node, sequence)
            return asked
          },
        },
      },
      members: {
        isLive: source => !lost.has(source),
        live: () =>
          new Map(
            [ALPHA, BETA, ...others]
              .filter(source => !lost.has(source))
              .map(source => [source, memberMeeting(source, twins)]),
          ),
        unreachable: () =>
          new Map([...lost].map(source => [nodeOf(source), memberMeeting(source, twins)])),
        left: () => left,
        subscribe: listener => subscribeTo(changed, listener),
      },
      clock,
      timeoutMs,
      committedAt: clock.monotonic(),
      onConfirmed: confirmation => seen.push(confirmation),
      signal: abort.signal,
    },
  )
  return {
    clock,
    seen,
    twins,
    proof,
    abort,
    tell: (node: Source, sequence: number): void => {
      const changes = [{ sequence, tookMs: 1, cut: 2 }]
      for (const listener of told) listener({ node, to: ALPHA, applied: sequence, changes })
    },
    /** Beta is out of reach, or back. */
    lose: (isLost: boolean): void => {
      if (isLost) lost.add(BETA)
      else lost.delete(BETA)
      for (const listener of changed) listener()
    },
    /** What a run answers when it is asked. */
    hold: (source: Source, sequence: number): void => void applied.set(source, sequence),
    asked: () => asked,
  }
}

/** Another machine that runs under beta's name. */
const CLONE = testSource('beta', 2)

test('of two machines of one name each must confirm', async t => {
  const { clock, proof, seen, tell } = waitForProof(10_000, new Set(), [CLONE])
  tell(ALPHA, 3)
  tell(BETA, 3)
  await clock.advance(5_000)
  t.is(seen.length, 2, 'the wait goes on')
  tell(CLONE, 3)
  await clock.advance(20)
  const { confirmed, silent } = await proof
  t.deepEqual(
    confirmed.map(({ node }) => String(node)),
    ['alpha', 'beta', 'beta'],
  )
  t.deepEqual(silent, [])
})

test('of two machines of one name the one that says nothing is silent', async t => {
  const { clock, proof, tell } = waitForProof(1_000, new Set(), [CLONE])
  tell(ALPHA, 3)
  tell(BETA, 3)
  await clock.advance(1_000)
  t.deepEqual((await proof).silent.map(String), ['beta'])
})

test('a machine that is turned away because another has its name is out of reach', async t => {
  const { clock, proof, twins, tell } = waitForProof(10_000)
  twins.push({ name: parseName('beta'), kept: '10.0.0.5', refused: '10.0.0.7' })
  tell(ALPHA, 3)
  tell(BETA, 3)
  await clock.advance(20)
  const { confirmed, unreachable } = await proof
  t.is(confirmed.length, 2)
  t.deepEqual(unreachable.map(String), ['beta'])
})

test('a node that started again between two words is counted once', async t => {
  const lost = new Set<Source>()
  const { clock, proof, tell } = waitForProof(10_000, lost, [CLONE])
  tell(BETA, 3)
  lost.add(BETA)
  tell(CLONE, 3)
  tell(ALPHA, 3)
  await clock.advance(20)
  const { confirmed, silent } = await proof
  t.deepEqual(
    confirmed.map(({ node }) => String(node)),
    ['beta', 'alpha'],
  )
  t.deepEqual(silent, [])
})

test('the proof is whole when every node has told what it did', async t => {
  const { clock, proof, tell } = waitForProof(10_000)
  tell(ALPHA, 3)
  await clock.advance(20)
  tell(BETA, 3)
  await clock.advance(5)
  const { confirmed, silent } = await proof
  t.deepEqual(silent, [])
  t.deepEqual(
    confirmed.map(({ node, cut }) => [String(node), cut]),
    [
      ['alpha', 2],
      ['beta', 2],
    ],
  )
  t.is(clock.pending, 0)
})

test('who has not confirmed is asked, because its word may be lost, and its answer counts', async t => {
  const { clock, seen, proof, tell, hold, asked } = waitForProof(10_000)
  tell(ALPHA, 3)
  hold(BETA, 3)
  await clock.advance(499)
  t.is(asked(), 0)
  t.is(seen.length, 1)
  await clock.advance(10)
  t.is(asked(), 1)
  const { confirmed, silent } = await proof
  t.deepEqual(silent, [])
  t.deepEqual(
    confirmed.map(({ node, cut }) => [String(node), cut]),
    [
      ['alpha', 2],
      ['beta', undefined],
    ],
  )
  t.is(clock.pending, 0)
})

test('who does not answer is asked again, each time later', async t => {
  const { clock, proof, tell, asked } = waitForProof(30_000)
  tell(ALPHA, 3)
  await clock.advance(500)
  t.is(asked(), 1)
  await clock.advance(1_010)
  t.is(asked(), 2)
  await clock.advance(2_010)
  t.is(asked(), 3)
  tell(BETA, 3)
  await clock.advance(10)
  t.deepEqual((await proof).silent, [])
  t.is(clock.pending, 0)
})

test('an earlier change confirms nothing, and who is silent is named when the time is up', async t => {
  const { clock, proof, tell, hold } = waitForProof(2_000)
  tell(ALPHA, 3)
  tell(BETA, 2)
  hold(BETA, 2)
  await clock.advance(2_000)
  const { confirmed, silent } = await proof
  t.is(confirmed.length, 1)
  t.deepEqual(silent.map(String), ['beta'])
})

test('nobody is waited for when the operator has gone', async t => {
  const { clock, proof, tell, abort } = waitForProof(600_000)
  tell(ALPHA, 3)
  await clock.advance(20)
  abort.abort()
  const { confirmed, silent } = await proof
  t.is(confirmed.length, 1)
  t.deepEqual(silent.map(String), ['beta'])
  t.is(clock.pending, 0)
})

test('a node that starts again before it has confirmed is waited for, and what it holds then counts', async t => {
  const { clock, proof, tell, hold, lose } = waitForProof(10_000)
  tell(ALPHA, 3)
  await clock.advance(20)
  lose(true)
  await clock.advance(2_000)
  hold(BETA, 3)
  lose(false)
  await clock.advance(2_000)
  const { confirmed, silent, unreachable } = await proof
  t.deepEqual([silent, unreachable], [[], []])
  t.deepEqual(
    confirmed.map(({ node }) => String(node)),
    ['alpha', 'beta'],
  )
  t.is(clock.pending, 0)
})

test('a node that is lost and does not come back is out of reach when the time is up', async t => {
  const { clock, proof, tell, lose } = waitForProof(10_000)
  tell(ALPHA, 3)
  await clock.advance(20)
  lose(true)
  await clock.advance(10_000)
  const { silent, unreachable } = await proof
  t.deepEqual([silent, unreachable.map(String)], [[], ['beta']])
})

test('a node that was out of reach before the change is not waited for', async t => {
  const { clock, proof, tell } = waitForProof(10_000, new Set([BETA]))
  tell(ALPHA, 3)
  await clock.advance(5)
  t.deepEqual((await proof).unreachable.map(String), ['beta'])
})

test('a node that is lost after it has confirmed is not called out of reach', async t => {
  const { clock, proof, tell, lose } = waitForProof(10_000)
  tell(BETA, 3)
  await clock.advance(1)
  lose(true)
  tell(ALPHA, 3)
  await clock.advance(5)
  t.deepEqual((await proof).unreachable, [])
})
