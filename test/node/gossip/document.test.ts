import test from 'ava'
import type { Update } from '../../../node/gossip/document.ts'
import type { Source } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { attachEndpoint, TextDocument } from '../../support/gossip-document.ts'
import { testSource } from '../../support/replica-changes.ts'
import { testNetwork, type TestEnd } from '../../support/replica-pair.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const GAMMA = testSource('gamma')
const DELTA = testSource('delta')
const digest = { id: BETA, clock: {} }

function documentWith(...texts: string[]): TextDocument {
  const document = new TextDocument(ALPHA)
  for (const text of texts) document.add(text)
  return document
}

function updatesIn(frames: readonly unknown[]): unknown[] {
  return frames.filter(frame => Array.isArray(frame))
}

test('first comes the own digest, then for the digest of the peer what it lacks, then SYNC', async t => {
  const document = documentWith('one', 'two')
  const end = attachEndpoint(document, BETA)
  t.deepEqual(end.sent, [{ id: ALPHA, clock: { [ALPHA]: 2 } }])
  await end.receive({ id: BETA, clock: { [ALPHA]: 1 } })
  t.deepEqual(end.sent.slice(1), [['two', 2, ALPHA], 'SYNC'])
  t.is(end.synced(), 0)
  await end.receive('SYNC')
  t.is(end.synced(), 1)
  t.deepEqual(end.refusals, [])
})

test('what comes later is sent once, and never back to who sent it', async t => {
  const document = documentWith()
  const beta = attachEndpoint(document, BETA)
  const gamma = attachEndpoint(document, GAMMA)
  await beta.receive(digest, 'SYNC')
  await gamma.receive({ id: GAMMA, clock: {} }, 'SYNC')
  await beta.receive(['hello', 1, BETA])
  await gamma.receive(['hello', 1, BETA])
  t.deepEqual(updatesIn(beta.sent), [])
  t.deepEqual(updatesIn(gamma.sent), [['hello', 1, BETA]])
  t.deepEqual(document.texts(), ['hello'])
  document.add('own')
  t.deepEqual(updatesIn(beta.sent), [['own', 1, ALPHA]])
})

test('what one link brings is told to a later peer in the digest', async t => {
  const document = documentWith()
  const beta = attachEndpoint(document, BETA)
  await beta.receive(digest, ['hello', 1, BETA])
  const gamma = attachEndpoint(document, GAMMA)
  t.deepEqual(gamma.sent[0], { id: ALPHA, clock: { [BETA]: 1 } })
})

test('a long history goes page by page, each when the one before has left, in order and once', async t => {
  const texts = Array.from({ length: 1_700 }, (_, index) => `text ${index}`)
  const document = documentWith(...texts)
  const end = attachEndpoint(document, BETA)
  await end.receive({ id: BETA, clock: { [ALPHA]: 100 } })
  t.is(end.waits(), 3)
  t.deepEqual(
    updatesIn(end.sent).map(update => (update as Update)[0]),
    texts.slice(100),
  )
  t.is(end.sent.at(-1), 'SYNC')
})

test('a peer that reads more slowly than a newcomer is brought changes is sent them page by page', async t => {
  const document = documentWith('first')
  const sent: unknown[] = []
  let read: (() => void) | undefined
  const isBehind = (): boolean => sent.length > 600
  using link = document.attach(
    {
      send: frame => sent.push(frame),
      isBehind,
      drained: async () =>
        new Promise(resolve => {
          read = () => {
            sent.length = 0
            resolve()
          }
          if (!isBehind()) resolve()
        }),
      refuse: reason => t.fail(reason),
      leave: text => t.fail(text),
      onSynced: () => {},
    },
    source => source === BETA,
  )
  const turn = async (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  link.receive(digest)
  link.receive('SYNC')
  await turn()
  const numbers: unknown[] = []
  let most = 0
  for (let count = 1; count <= 4_000; count += 1) document.add(`text ${count}`)
  while (numbers.length < 4_001) {
    most = Math.max(most, updatesIn(sent).length)
    numbers.push(...updatesIn(sent).map(update => (update as Update)[1]))
    read?.()
    await turn()
  }
  t.true(most <= 1_200, `${most} updates waited for a peer that read nothing`)
  t.deepEqual(
    numbers,
    Array.from({ length: 4_001 }, (_, index) => index + 1),
  )
})

test('a history of whole pages is complete as well', async t => {
  for (const length of [499, 500, 501, 1_000]) {
    const document = documentWith(...Array.from({ length }, (_, index) => `text ${index}`))
    const end = attachEndpoint(document, BETA)
    await end.receive(digest)
    t.is(updatesIn(end.sent).length, length)
    t.is(end.sent.at(-1), 'SYNC')
  }
})

test('two documents that start far apart and change meanwhile end equal', async t => {
  const { connect, quiet } = testNetwork()
  const ends = ['alpha', 'beta', 'gamma'].map((name): TestEnd & { replica: TextDocument } => ({
    name,
    replica: new TextDocument(testSource(name)),
  }))
  const [alpha, beta, gamma] = ends
  if (!alpha || !beta || !gamma) return t.fail()
  for (let count = 0; count < 1_200; count += 1) alpha.replica.add(`alpha ${count}`)
  for (let count = 0; count < 700; count += 1) beta.replica.add(`beta ${count}`)
  connect(alpha, beta)
  connect(beta, gamma)
  connect(gamma, alpha)
  for (const { replica } of ends) replica.add('meanwhile')
  await quiet()
  for (const { replica } of ends) {
    t.is(replica.updates.length, 1_903)
    t.deepEqual(replica.sources, alpha.replica.sources)
  }
  // Two links lead to each: at most the history comes twice, nothing bounces.
  t.true(gamma.replica.taken.length <= 2 * 1_902)
})

test('a link that was disposed sends and takes nothing more', async t => {
  const document = documentWith()
  const end = attachEndpoint(document, BETA)
  await end.receive(digest, 'SYNC')
  end.dispose()
  const before = end.sent.length
  document.add('late')
  await end.receive(['late', 1, BETA], 'SYNC', digest)
  t.is(end.sent.length, before)
  t.deepEqual(document.texts(), ['late'])
  t.deepEqual(end.refusals, [])
})

test('links that have ended leave nothing behind', async t => {
  const document = documentWith('one')
  for (let count = 0; count < 50; count += 1) {
    const end = attachEndpoint(document, BETA)
    await end.receive(digest, 'SYNC')
    end.dispose()
  }
  t.is(document.listenerCount('_update'), 0)
  t.is(document.listenerCount('dispose'), 0)
})

const tooMany = Object.fromEntries(
  Array.from({ length: 20_001 }, (_, index) => [testSource('x', index), 1]),
)

const outOfPlace: [what: string, frames: unknown[]][] = [
  ['an update before the digest', [['hello', 1, BETA]]],
  ['a SYNC before the digest', ['SYNC']],
  ['a second SYNC', [digest, 'SYNC', 'SYNC']],
  ['a second digest', [digest, digest]],
  ['a digest that names another node', [{ id: GAMMA, clock: {} }]],
  ['a digest that names this node', [{ id: ALPHA, clock: {} }]],
  ['a digest without a clock', [{ id: BETA }]],
  ['a digest without a name', [{ clock: {} }]],
  ['a digest with more in it', [{ id: BETA, clock: {}, meta: 1 }]],
  ['a clock that is a list', [{ id: BETA, clock: [] }]],
  ['a clock that is null', [{ id: BETA, clock: null }]],
  ['a clock of no source', [{ id: BETA, clock: { constructor: 1 } }]],
  ['a clock with a text', [{ id: BETA, clock: { [ALPHA]: '1' } }]],
  ['a clock with a zero', [{ id: BETA, clock: { [ALPHA]: 0 } }]],
  ['a clock with a fraction', [{ id: BETA, clock: { [ALPHA]: 1.5 } }]],
  ['a clock past 2^53', [{ id: BETA, clock: { [ALPHA]: 2 ** 53 } }]],
  ['a clock with a prototype', [JSON.parse(`{"id":"${BETA}","clock":{"__proto__":1}}`)]],
  ['news before the digest', [{ have: { [BETA]: 1 } }]],
  ['news of no source', [digest, { have: { constructor: 1 } }]],
  ['news of place zero', [digest, { have: { [BETA]: 0 } }]],
  ['news with more in it', [digest, { have: {}, lazy: 'alpha' }]],
  ['news with a long hash', [digest, { have: { [BETA]: [1, 'x'.repeat(65)] } }]],
  ['news of too much', [digest, { have: tooMany }]],
  ['a wish for no source', [digest, { want: ['x'] }]],
  ['a wish that is no list', [digest, { want: { [BETA]: 1 } }]],
  ['a lazy peer without a tree', [digest, { lazy: true }]],
  ['an eager peer without a tree', [digest, { eager: '../..' }]],
  ['null', [null]],
  ['a number', [1]],
  ['a text', ['hello']],
  ['an empty object', [{}]],
  ['an empty update', [digest, []]],
  ['an update of two fields', [digest, ['hello', 1]]],
  ['an update of five fields', [digest, ['hello', 1, BETA, 's', 's']]],
  ['an update from no source', [digest, ['hello', 1, 'x']]],
  ['an update from toString', [digest, ['hello', 1, 'toString']]],
  ['an update from __proto__', [digest, ['hello', 1, '__proto__']]],
  ['a place that is a text', [digest, ['hello', '1', BETA]]],
  ['a place of zero', [digest, ['hello', 0, BETA]]],
  ['a place past 2^53', [digest, ['hello', 1e308, BETA]]],
  ['an endless place', [digest, ['hello', Infinity, BETA]]],
  ['a value of the wrong kind', [digest, [{}, 1, BETA]]],
  ['an update that the document refuses', [digest, ['poison', 1, BETA]]],
  ['a hole', [digest, ['hello', 2, BETA]]],
]

for (const [what, frames] of outOfPlace) {
  test(`${what} is refused once, and moves no clock`, async t => {
    const document = documentWith('one')
    const end = attachEndpoint(document, BETA)
    await end.receive(...frames)
    t.is(end.refusals.length, 1)
    t.deepEqual({ ...document.sources }, { [ALPHA]: 1 })
    t.deepEqual(document.texts(), ['one'])
    t.is(Object.getPrototypeOf(document.sources), null)
  })
}

test('nothing behind a refused frame is taken', async t => {
  const document = documentWith()
  const end = attachEndpoint(document, BETA)
  await end.receive(digest, 'SYNC', 'SYNC', ['hello', 1, BETA])
  t.deepEqual(document.taken, [])
})

test('a digest that claims more than there is hides nothing from others', async t => {
  const document = documentWith('one')
  const end = attachEndpoint(document, BETA)
  await end.receive({ id: BETA, clock: { [ALPHA]: Number.MAX_SAFE_INTEGER } }, 'SYNC')
  document.add('two')
  const other = attachEndpoint(document, GAMMA)
  await other.receive({ id: GAMMA, clock: {} })
  t.deepEqual(document.texts(), ['one', 'two'])
  t.is(updatesIn(other.sent).length, 2)
})

/** A document with peers in step, one for each source. */
async function inStep(
  document: TextDocument,
  ...sources: Source[]
): Promise<ReturnType<typeof attachEndpoint>[]> {
  const ends = sources.map(source => attachEndpoint(document, source))
  for (const [index, end] of ends.entries()) {
    await end.receive({ id: sources[index], clock: {} }, 'SYNC')
    end.sent.length = 0
  }
  return ends
}

test('a peer that brings what another has brought is asked to announce it', async t => {
  const [beta, gamma] = await inStep(documentWith(), BETA, GAMMA)
  await beta?.receive(['one', 1, DELTA])
  // It was on its way before the answer could be there.
  await gamma?.receive(['one', 1, DELTA], ['two', 2, DELTA])
  t.deepEqual(gamma?.sent, [['one', 1, DELTA], { lazy: 'delta' }])
  t.deepEqual(beta?.sent, [['two', 2, DELTA]])
})

test('a peer that asks for announcements is told places, and sent what it wants in order', async t => {
  const clock = new FakeClock()
  const document = new TextDocument(ALPHA, clock)
  const [beta] = await inStep(document, BETA)
  await beta?.receive({ lazy: 'alpha' })
  document.add('one')
  document.add('two')
  t.deepEqual(beta?.sent, [])
  await clock.advance(20)
  t.deepEqual(beta?.sent, [{ have: { [ALPHA]: 2 } }])
  await beta?.receive({ want: [ALPHA] })
  document.add('three')
  t.deepEqual(updatesIn(beta?.sent ?? []), [
    ['one', 1, ALPHA],
    ['two', 2, ALPHA],
    ['three', 3, ALPHA],
  ])
  await beta?.receive({ want: [ALPHA] }, { want: [BETA, DELTA] })
  t.is(updatesIn(beta?.sent ?? []).length, 3, 'nothing is sent twice')
})

test('announcements that nobody waits for leave together, in the moments of beats', async t => {
  const clock = new FakeClock()
  const spreading = { isCausal: false, answerMs: 50, roundMs: 1_000 }
  const document = new TextDocument(ALPHA, clock, spreading)
  const [beta] = await inStep(document, BETA)
  await beta?.receive({ lazy: 'alpha' })
  document.add('one')
  await clock.advance(50)
  t.deepEqual(beta?.sent.splice(0), [{ have: { [ALPHA]: 1 } }], 'a new link is told at once')
  await clock.advance(10_250)
  document.add('two')
  await clock.advance(600)
  document.add('three')
  await clock.advance(1_000)
  t.deepEqual(beta?.sent, [])
  await clock.advance(100)
  t.deepEqual(beta?.sent, [{ have: { [ALPHA]: 3 } }])
})

test('what an update may have seen goes before it, also where it was only announced', async t => {
  const document = documentWith()
  const [beta, gamma] = await inStep(document, BETA, GAMMA)
  await beta?.receive({ lazy: 'alpha' })
  document.add('one')
  await gamma?.receive(['two', 1, DELTA])
  t.deepEqual(updatesIn(beta?.sent ?? []), [
    ['one', 1, ALPHA],
    ['two', 1, DELTA],
  ])
})

test('what both ends have announced goes before nothing', async t => {
  const clock = new FakeClock()
  const document = new TextDocument(ALPHA, clock)
  const [beta, gamma] = await inStep(document, BETA, GAMMA)
  await beta?.receive({ lazy: 'delta' }, { have: { [DELTA]: 1 } })
  await gamma?.receive(['one', 1, DELTA])
  await clock.advance(20)
  t.deepEqual(beta?.sent, [{ have: { [DELTA]: 1 } }], 'it is told that it need not send it')
  await gamma?.receive(['two', 2, DELTA])
  await clock.advance(20)
  await beta?.receive({ have: { [DELTA]: 2 } })
  document.add('three')
  t.deepEqual(updatesIn(beta?.sent ?? []), [['three', 1, ALPHA]])
})

test('what a peer has announced and nobody sends is asked for, and of one that does not answer once', async t => {
  const clock = new FakeClock()
  const document = new TextDocument(ALPHA, clock)
  const [beta, gamma] = await inStep(document, BETA, GAMMA)
  await beta?.receive({ have: { [DELTA]: 7 } })
  await clock.advance(1_000)
  t.deepEqual(beta?.sent, [{ want: [DELTA] }])
  for (let sequence = 8; sequence < 50; sequence += 1) {
    await beta?.receive({ have: { [DELTA]: sequence } })
    await clock.advance(100)
  }
  t.is(beta?.sent.length, 1)
  await gamma?.receive({ have: { [DELTA]: 1 } })
  await clock.advance(60)
  t.deepEqual(gamma?.sent, [{ want: [DELTA] }])
  await gamma?.receive(['one', 1, DELTA])
  t.deepEqual(document.texts(), ['one'])
  t.deepEqual([...(beta?.refusals ?? []), ...(gamma?.refusals ?? [])], [])
})

test('of very many sources that a peer has announced no wish is longer than peers take', async t => {
  const clock = new FakeClock()
  const document = new TextDocument(ALPHA, clock)
  const beta = attachEndpoint(document, BETA)
  await beta.receive(digest, 'SYNC')
  beta.sent.length = 0
  for (const from of [0, 512]) {
    const runs = Array.from({ length: 512 }, (_, run) => [testSource('x', from + run), 1])
    await beta.receive({ have: Object.fromEntries(runs) as object })
  }
  await clock.advance(50)
  const wishes = beta.sent.map(frame => (frame as { want: Source[] }).want.length)
  t.deepEqual(wishes, [512, 512])
})

test('what a peer claims to have of this very node is not asked for', async t => {
  const clock = new FakeClock()
  const document = new TextDocument(ALPHA, clock)
  const [beta] = await inStep(document, BETA)
  await beta?.receive({ have: { [ALPHA]: 9 } })
  await clock.advance(1_000)
  t.deepEqual(beta?.sent, [])
})

test('a link that ends leaves nothing waiting', async t => {
  const clock = new FakeClock()
  const document = new TextDocument(ALPHA, clock)
  const [beta] = await inStep(document, BETA)
  await beta?.receive({ lazy: 'alpha' }, { have: { [DELTA]: 1 } })
  document.add('one')
  beta?.dispose()
  t.is(clock.pending, 0)
  t.deepEqual(beta?.sent, [])
})
