import test from 'ava'
import { signConfirmation, type SignedConfirmation } from '../../../node/gossip/confirmation.ts'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import {
  NAMES,
  confirmationBy,
  openRelay,
  people,
  settle,
  streamTo,
  type Name,
  type TestRelay,
} from '../../support/confirmation-relays.ts'
import { testSource } from '../../support/replica-changes.ts'

/** A link between two relays: what one sends the other takes, until it is cut. */
function link(one: TestRelay, other: TestRelay) {
  let isCut = false
  const end = (to: TestRelay, own: () => DocumentStream): DocumentStream => ({
    ...streamTo(undefined),
    send: frame => {
      if (!isCut) to.relay.take(JSON.parse(JSON.stringify(frame)) as object, own())
    },
  })
  const toOther: DocumentStream = end(other, () => toOne)
  const toOne: DocumentStream = end(one, () => toOther)
  one.relay.meet(toOther)
  other.relay.meet(toOne)
  return {
    toOne,
    toOther,
    /** Lose from now on what is sent: neither end knows it yet. */
    lose: () => {
      isCut = true
    },
    cut: () => {
      isCut = true
      one.relay.forget(toOther)
      other.relay.forget(toOne)
    },
  }
}

test('what was sent on a way that is gone is sent again by another neighbour that brought the change', async t => {
  const [alpha, beta, gamma, delta] = NAMES.map(name => openRelay(name))
  if (!alpha || !beta || !gamma || !delta) return t.fail()
  const change = testSource('alpha')
  const [direct, round] = [link(alpha, beta), link(alpha, gamma)]
  const [side, below] = [link(gamma, beta), link(beta, delta)]
  beta.relay.heardFrom(change, direct.toOne)
  gamma.relay.heardFrom(change, round.toOne)
  beta.relay.broughtBy(change, side.toOne)
  delta.relay.heardFrom(change, below.toOne)
  direct.lose()
  for (const { relay } of [beta, gamma, delta]) {
    relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  }
  await settle(delta, gamma, beta)
  const heard = (): string[] => alpha.heard.map(({ node }) => String(node)).sort()
  t.deepEqual(heard(), [String(testSource('gamma'))])
  direct.cut()
  await settle(beta, gamma)
  t.deepEqual(
    heard(),
    ['beta', 'delta', 'gamma'].map(name => String(testSource(name))),
  )
})

test('where no other neighbour brought the change one is found all the same, below', async t => {
  const [alpha, beta, gamma, delta] = NAMES.map(name => openRelay(name))
  if (!alpha || !beta || !gamma || !delta) return t.fail()
  const change = testSource('alpha')
  // alpha — beta — gamma — delta — alpha; the change went by beta to gamma, and by alpha to delta.
  const [first, second, third, last] = [
    link(alpha, beta),
    link(beta, gamma),
    link(gamma, delta),
    link(delta, alpha),
  ]
  beta.relay.heardFrom(change, first.toOne)
  gamma.relay.heardFrom(change, second.toOne)
  gamma.relay.broughtBy(change, third.toOther)
  delta.relay.heardFrom(change, last.toOther)
  first.lose()
  for (const { relay } of [beta, gamma, delta]) {
    relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  }
  await settle(gamma, beta, delta)
  first.cut()
  await settle(beta, gamma, delta)
  const heard = alpha.heard.map(({ node }) => String(node)).sort()
  t.deepEqual(
    heard,
    ['beta', 'delta', 'gamma'].map(name => String(testSource(name))),
  )
})

test('what was lost with the last link goes to the next one that comes, unless it is old', async t => {
  const [alpha, beta, gamma] = [openRelay('alpha'), openRelay('beta'), openRelay('gamma')]
  const change = testSource('alpha')
  const only = link(alpha, beta)
  beta.relay.heardFrom(change, only.toOne)
  only.lose()
  beta.relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  await settle(beta)
  only.cut()
  const round = link(alpha, gamma)
  gamma.relay.heardFrom(change, round.toOne)
  link(beta, gamma)
  await settle(beta, gamma)
  t.deepEqual(
    alpha.heard.map(({ node }) => node),
    [testSource('beta')],
  )
  await beta.clock.advance(10_000)
  const sent: object[] = []
  beta.relay.meet(streamTo(undefined, sent))
  await settle(beta)
  t.deepEqual(sent, [])
})

/** How many confirmations frames hold. */
function countIn(frames: readonly object[]): number {
  return frames.flatMap(frame => (frame as { confirmed: unknown[] }).confirmed).length
}

test('what has no way any more goes once to each neighbour that is there or comes, while it is of use', async t => {
  const beta = openRelay('beta')
  const change = testSource('alpha')
  const [gone, there, second, late] = [[], [], [], []].map((sent: object[]) => ({
    sent,
    stream: streamTo(undefined, sent),
  }))
  if (!gone || !there || !second || !late) return t.fail()
  beta.relay.meet(gone.stream)
  beta.relay.meet(there.stream)
  beta.relay.heardFrom(change, gone.stream)
  beta.relay.take({ confirmed: [confirmationBy('gamma')] }, streamTo(undefined))
  beta.relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  await settle(beta)
  t.deepEqual([countIn(gone.sent), countIn(there.sent)], [2, 0])
  beta.relay.forget(gone.stream)
  await settle(beta)
  t.is(countIn(there.sent), 2)
  beta.relay.meet(second.stream)
  await settle(beta)
  t.deepEqual([countIn(there.sent), countIn(second.sent)], [2, 2])
  await beta.clock.advance(10_000)
  beta.relay.meet(late.stream)
  await settle(beta)
  t.deepEqual([countIn(there.sent), countIn(second.sent), countIn(late.sent)], [2, 2, 0])
})

test('a neighbour that sends here what would go to it is no way, and what went to it goes another', async t => {
  const beta = openRelay('beta')
  const change = testSource('alpha')
  const [lost, other]: [object[], object[]] = [[], []]
  const back = streamTo(undefined, lost)
  beta.relay.heardFrom(change, back)
  beta.relay.broughtBy(change, streamTo(undefined, other))
  beta.relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  await settle(beta)
  t.deepEqual([countIn(lost), countIn(other)], [1, 0])
  beta.relay.take({ confirmed: [confirmationBy('gamma')] }, back)
  await settle(beta)
  t.deepEqual([countIn(lost), countIn(other)], [1, 2])
})

test('nothing goes to a neighbour that is gone', async t => {
  const beta = openRelay('beta')
  const sent: object[] = []
  const toAlpha = streamTo(undefined, sent)
  beta.relay.heardFrom(testSource('alpha'), toAlpha)
  beta.relay.reportApplied(testSource('alpha'), [{ sequence: 1, tookMs: 1, cut: 0 }])
  beta.relay.forget(toAlpha)
  beta.relay.reportApplied(testSource('alpha'), [{ sequence: 2, tookMs: 1, cut: 0 }])
  await settle(beta)
  t.deepEqual(sent, [])
})

test('a neighbour that is gone is no way, though what it had brought was taken in later', async t => {
  const beta = openRelay('beta')
  const sent: object[] = []
  const late = streamTo(undefined, sent)
  const live: object[] = []
  beta.relay.heardFrom(testSource('alpha'), streamTo(undefined, live))
  beta.relay.forget(late)
  beta.relay.heardFrom(testSource('alpha'), late)
  beta.relay.reportApplied(testSource('alpha'), [{ sequence: 1, tookMs: 1, cut: 0 }])
  await settle(beta)
  t.is(sent.length, 0)
  t.is(live.length, 1)
})

test('an answer about a source goes two ways at every node, and any other by one', async t => {
  const beta = openRelay('beta')
  const sent: object[][] = [[], [], []]
  const streams = sent.map(frames => streamTo(undefined, frames))
  const [toFirst, ...others] = streams
  if (toFirst === undefined) return t.fail()
  const to = testSource('alpha')
  beta.relay.heardFrom(to, toFirst)
  for (const stream of others) beta.relay.broughtBy(to, stream)
  const answer = { number: 1, changes: 1, clients: 0 }
  const answerBy = (name: Name, about: object): SignedConfirmation =>
    signConfirmation(
      { node: testSource(name), to, applied: 0, changes: [], answer: { ...answer, ...about } },
      people.node(name),
    )
  const counts = (): number[] => sent.map(({ length }) => length)
  beta.relay.take({ confirmed: [answerBy('gamma', {})] }, streamTo(undefined))
  await settle(beta)
  t.deepEqual(counts(), [1, 0, 0])
  beta.relay.take(
    { confirmed: [answerBy('delta', { about: to, applied: 1 })] },
    streamTo(undefined),
  )
  await settle(beta)
  t.deepEqual(counts(), [2, 1, 0])
  beta.relay.take({ confirmed: [answerBy('beta', { about: to, applied: 1 })] }, streamTo(undefined))
  await settle(beta)
  t.deepEqual(counts(), [2, 1, 0], 'what comes back to its node goes no further')
})

test('a neighbour that passes an answer about a source on here is a way as before', async t => {
  const beta = openRelay('beta')
  const sent: object[] = []
  const toFirst = streamTo(undefined, sent)
  const to = testSource('alpha')
  beta.relay.heardFrom(to, toFirst)
  const answer = { number: 1, about: to, applied: 1, changes: 1, clients: 0 }
  const said = { node: testSource('gamma'), to, applied: 0, changes: [], answer }
  beta.relay.take({ confirmed: [signConfirmation(said, people.node('gamma'))] }, toFirst)
  await settle(beta)
  t.deepEqual(sent, [], 'it does not go back where it came from')
  beta.relay.take({ confirmed: [confirmationBy('delta')] }, streamTo(undefined))
  await settle(beta)
  t.is(sent.length, 1)
})

test('what was joined to the words of others is not sent by itself when its way is gone: it is asked for', async t => {
  const [alpha, beta] = [openRelay('alpha'), openRelay('beta')]
  const members = [alpha, beta].map(({ relay }, index) => ({
    source: testSource(NAMES[index] ?? ''),
    tallyKey: relay.tallies.key.publicKey,
  }))
  const live = new Map(members.map(member => [member.source, member]))
  beta.relay.tallies.follow({ liveCount: 2, list: () => members, live: () => live }, 0)
  const [gone, there]: [object[], object[]] = [[], []]
  const way = streamTo(undefined, gone)
  const change = testSource('alpha')
  beta.relay.meet(way)
  beta.relay.heardFrom(change, way)
  beta.relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  await settle(beta)
  t.deepEqual(gone.map(Object.keys), [['tallied']])
  beta.relay.forget(way)
  beta.relay.meet(streamTo(undefined, there))
  await settle(beta)
  t.deepEqual(there, [])
})
