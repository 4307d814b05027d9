import test from 'ava'
import type { Confirmation } from '../../../node/gossip/confirmation.ts'
import { linksWanted } from '../../../node/gossip/overlay-plan.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { encodeTally, markOf } from '../../../node/gossip/tally.ts'
import { confirmationBy, openRelay, settle, streamTo } from '../../support/confirmation-relays.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'

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
