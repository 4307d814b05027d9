import test from 'ava'
import {
  signConfirmation,
  type Confirmation,
  type SignedConfirmation,
} from '../../../node/gossip/confirmation.ts'
import { ConfirmationRelay } from '../../../node/gossip/confirmation-relay.ts'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import { linksWanted } from '../../../node/gossip/overlay-plan.ts'
import { encodeTally, markOf } from '../../../node/gossip/tally.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const
type Name = (typeof NAMES)[number]

const people = await makePeople({ nodes: NAMES })

/** Every relay of a test: what one sends, another checks. */
const OPEN = new Set<TestRelay>()

interface TestRelay {
  readonly relay: ConfirmationRelay
  readonly heard: Confirmation[]
  readonly clock: FakeClock
}

function openRelay(name: Name, { run = 1, clock = new FakeClock(NOON) } = {}): TestRelay {
  const signers = people.signers(new MemoryStore())
  for (const other of NAMES) signers.learn(people.node(other).signer.chain)
  const relay = new ConfirmationRelay({
    source: testSource(name, run),
    signers,
    self: people.node(name),
    clock,
  })
  const heard: Confirmation[] = []
  relay.subscribe(confirmation => heard.push(confirmation))
  const open = { relay, heard, clock }
  OPEN.add(open)
  return open
}

/** The stream of one node to another; what is sent is taken there at once. */
function streamTo(
  target: TestRelay | undefined,
  sent: object[] = [],
  refusals: string[] = [],
): DocumentStream {
  return {
    send: frame => {
      sent.push(frame as object)
      if (target !== undefined)
        target.relay.take(JSON.parse(JSON.stringify(frame)) as object, streamTo(undefined))
    },
    drained: async () => {},
    refuse: reason => refusals.push(reason),
    leave: () => {},
    onSynced: () => {},
  }
}

async function settle(...relays: readonly TestRelay[]): Promise<void> {
  for (let hop = 0; hop < 4; hop += 1) {
    for (const { clock } of relays) await clock.advance(10)
    for (const { relay } of OPEN) await relay.settled()
  }
}

function confirmationBy(name: Name, applied = 1): SignedConfirmation {
  const confirmation = { node: testSource(name), to: testSource('alpha'), applied, changes: [] }
  return signConfirmation(confirmation, people.node(name))
}

test('a confirmation goes back on the way of the change, and to nobody else', async t => {
  const [alpha, beta, gamma] = [openRelay('alpha'), openRelay('beta'), openRelay('gamma')]
  const aside: object[] = []
  beta.relay.heardFrom(testSource('alpha'), streamTo(alpha))
  beta.relay.heardFrom(testSource('delta'), streamTo(undefined, aside))
  gamma.relay.heardFrom(testSource('alpha'), streamTo(beta))
  gamma.relay.reportApplied(testSource('alpha'), [
    { sequence: 1, tookMs: 2, cut: 0 },
    { sequence: 2, tookMs: 1, cut: 3 },
  ])
  await settle(gamma, beta)
  t.deepEqual(
    alpha.heard.map(({ node, applied, changes }) => [node, applied, changes.at(-1)?.cut]),
    [[testSource('gamma'), 2, 3]],
  )
  t.deepEqual([...beta.heard, ...gamma.heard, ...aside], [])
})

test('what many nodes confirm at once leaves a relay as one frame', async t => {
  const beta = openRelay('beta')
  const sent: object[] = []
  beta.relay.heardFrom(testSource('alpha'), streamTo(undefined, sent))
  beta.relay.reportApplied(testSource('alpha'), [{ sequence: 1, tookMs: 1, cut: 0 }])
  const confirmed = [confirmationBy('gamma'), confirmationBy('delta')]
  beta.relay.take({ confirmed }, streamTo(undefined))
  await beta.relay.settled()
  await settle(beta)
  t.is(sent.length, 1)
  t.is((sent[0] as { confirmed: unknown[] }).confirmed.length, 3)
})

test('among 200 nodes a change costs each a frame or a few, and all of them are heard', async t => {
  const clock = new FakeClock(NOON)
  const random = seededRandom(200)
  // Runs of one node, so that one key serves all of them.
  const nodes = Array.from({ length: 200 }, (_, index) =>
    openRelay('beta', { run: index + 1, clock }),
  )
  const links = nodes.map(() => new Set<number>())
  for (const [one, others] of links.entries()) {
    while (others.size < linksWanted(nodes.length)) {
      const other = Math.floor(random() * nodes.length)
      if (other === one) continue
      others.add(other)
      links[other]?.add(one)
    }
  }
  const [origin] = nodes
  const change = testSource('beta', 1)
  const frames = nodes.map((): object[] => [])
  const reached = [0]
  for (const one of reached) {
    for (const other of links[one] ?? []) {
      if (reached.includes(other)) continue
      reached.push(other)
      nodes[other]?.relay.heardFrom(change, streamTo(nodes[one], frames[other]))
    }
  }
  for (const { relay } of nodes) relay.reportApplied(change, [{ sequence: 1, tookMs: 1, cut: 0 }])
  while (new Set(origin?.heard.map(({ node }) => node)).size < nodes.length) {
    await clock.advance(5)
    // What came in is verified by then, so that it goes on together.
    for (const { relay } of nodes) await relay.settled()
  }
  const counts = frames.map(({ length }) => length)
  t.true(Math.max(...counts) <= 8, `${Math.max(...counts)} frames of one node`)
  t.true(counts.reduce((sum, count) => sum + count, 0) < 2 * nodes.length)
  t.is(origin?.heard.length, nodes.length)
})

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

test('for tallies that do not hold the nodes are asked, at most once a second', async t => {
  const alpha = openRelay('alpha')
  const sent: object[] = []
  alpha.relay.meet(streamTo(undefined, sent))
  const marks = new Set([markOf(testSource('beta'))])
  const tallied = [
    encodeTally({ to: testSource('alpha'), applied: 1, marks, tag: Buffer.alloc(16) }),
  ]
  const asked = async (): Promise<number> => {
    alpha.relay.take({ tallied }, streamTo(undefined))
    await settle(alpha)
    return sent.filter(frame => 'ask' in frame).length
  }
  t.deepEqual([await asked(), await asked()], [1, 1])
  await alpha.clock.advance(1_000)
  t.is(await asked(), 2)
})

test('of very many sources at once, as in a first exchange, the latest are told, and no malformed word is said', async t => {
  const beta = openRelay('beta')
  const gamma = openRelay('gamma')
  const refused: unknown[] = []
  const sent: object[] = []
  const toGamma = streamTo(undefined, sent)
  for (let run = 1; run <= 300; run += 1) {
    beta.relay.heardFrom(testSource('alpha', run), toGamma)
    beta.relay.reportApplied(testSource('alpha', run), [{ sequence: 1, tookMs: 1, cut: 0 }])
  }
  await settle(beta)
  for (const frame of sent) {
    const { refused: why } = gamma.relay.take(frame, streamTo(undefined))
    if (why !== undefined) refused.push(why)
  }
  t.true(sent.length > 0)
  t.deepEqual(refused, [])
})

test('one that is known already goes no further, and none goes back where it came from', async t => {
  const beta = openRelay('beta')
  const sent: object[] = []
  const toAlpha = streamTo(undefined, sent)
  beta.relay.heardFrom(testSource('alpha'), toAlpha)
  for (const applied of [5, 5, 4]) {
    beta.relay.take({ confirmed: [confirmationBy('gamma', applied)] }, streamTo(undefined))
    await settle(beta)
  }
  beta.relay.take({ confirmed: [confirmationBy('delta')] }, toAlpha)
  await settle(beta)
  t.deepEqual(
    sent.map(frame => (frame as { confirmed: unknown[] }).confirmed.length),
    [1],
  )
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

test('what nobody waits for is not checked, and the same one once at a time', async t => {
  const beta = openRelay('beta')
  const one = { confirmed: [confirmationBy('gamma')] }
  beta.relay.take(one, streamTo(undefined))
  t.is(beta.relay.backlog, 0)
  beta.relay.heardFrom(testSource('alpha'), streamTo(undefined))
  for (let copy = 0; copy < 10; copy += 1) beta.relay.take(one, streamTo(undefined))
  t.is(beta.relay.backlog, 1)
  await beta.relay.settled()
  t.is(beta.relay.backlog, 0)
})

test('a later confirmation says what the one before it said', async t => {
  const [alpha, beta] = [openRelay('alpha'), openRelay('beta')]
  beta.relay.heardFrom(testSource('alpha'), streamTo(alpha))
  beta.relay.reportApplied(testSource('alpha'), [{ sequence: 1, tookMs: 1, cut: 7 }])
  await settle(beta)
  beta.relay.reportApplied(testSource('alpha'), [{ sequence: 2, tookMs: 1, cut: 0 }])
  await settle(beta)
  t.deepEqual(
    alpha.heard.at(-1)?.changes.map(({ cut }) => cut),
    [7, 0],
  )
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

test('one that its node did not sign ends the link, and counts for nothing', async t => {
  const alpha = openRelay('alpha')
  const refusals: string[] = []
  const [text, certificate] = confirmationBy('beta')
  const [, , signature] = confirmationBy('beta', 2)
  alpha.relay.take(
    { confirmed: [[text, certificate, signature]] },
    streamTo(undefined, [], refusals),
  )
  const [ofGamma, byGamma, signedByGamma] = confirmationBy('gamma')
  const forDelta = ofGamma.replace('gamma', 'delta')
  alpha.relay.take(
    { confirmed: [[forDelta, byGamma, signedByGamma]] },
    streamTo(undefined, [], refusals),
  )
  await settle(alpha)
  t.deepEqual(alpha.heard, [])
  t.is(refusals.length, 2)
})

test('who asks late still hears what the node has applied of its own', t => {
  const { relay } = openRelay('alpha')
  relay.reportApplied(testSource('alpha'), [{ sequence: 1, tookMs: 1, cut: 2 }])
  const late: Confirmation[] = []
  relay.subscribe(confirmation => late.push(confirmation))
  t.deepEqual(
    late.map(({ applied, changes }) => [applied, changes[0]?.cut]),
    [[1, 2]],
  )
})
