import test from 'ava'
import type { Update } from '../../../node/gossip/document.ts'
import { testSource } from '../../support/replica-changes.ts'
import { attachEndpoint, TextDocument, type TestEndpoint } from '../../support/gossip-document.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const GAMMA = testSource('gamma')
const DELTA = testSource('delta')

/** More sources than are named at once. */
const UPDATES: readonly Update[] = Array.from({ length: 200 }, (_, index) => [
  'hello',
  1,
  testSource(`node-${index}`),
])

async function filled(
  id: typeof ALPHA,
  updates: readonly Update[] = UPDATES,
): Promise<TextDocument> {
  const document = new TextDocument(id, undefined, { isCausal: false, hasBuckets: true })
  const source = attachEndpoint(document, DELTA)
  await source.receive({ id: DELTA, clock: {} }, ...updates, 'SYNC')
  source.dispose()
  return document
}

/** Hand each end what the other has said, until neither says more. */
async function converse(one: TestEndpoint, other: TestEndpoint): Promise<void> {
  const heard = new Map([one, other].map(end => [end, 0]))
  for (let turns = 0; turns < 20; turns += 1) {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const at = heard.get(from) ?? 0
      heard.set(from, from.sent.length)
      await to.receive(...from.sent.slice(at))
    }
  }
}

function bytesOf({ sent }: TestEndpoint): number {
  return JSON.stringify(sent.filter(frame => !Array.isArray(frame))).length
}

test('two nodes that hold nearly the same name what may differ, and end with the same', async t => {
  const alpha = await filled(ALPHA, UPDATES.slice(1))
  const beta = await filled(BETA, UPDATES.slice(0, -1))
  const [toBeta, toAlpha] = [attachEndpoint(alpha, BETA), attachEndpoint(beta, ALPHA)]
  await converse(toBeta, toAlpha)
  t.deepEqual({ ...alpha.sources }, { ...beta.sources })
  t.is(Object.keys(alpha.sources).length, UPDATES.length)
  const told = toBeta.sent.filter(frame => Array.isArray(frame))
  t.deepEqual(told, [UPDATES.at(-1)])
  t.true(bytesOf(toBeta) < JSON.stringify(alpha.sources).length / 2)
  t.deepEqual([toBeta.refusals, toAlpha.refusals], [[], []])
})

test('a newcomer is told by buckets and names its own, and is then named no more than that', async t => {
  const alpha = await filled(ALPHA)
  const beta = await filled(BETA, UPDATES.slice(0, 2))
  const [toBeta, toAlpha] = [attachEndpoint(alpha, BETA), attachEndpoint(beta, ALPHA)]
  await converse(toBeta, toAlpha)
  t.deepEqual({ ...beta.sources }, { ...alpha.sources })
  t.true(bytesOf(toBeta) < 1_000)
  t.deepEqual([toBeta.refusals, toAlpha.refusals], [[], []])
})

test('what comes between the buckets and the digest of the peer is sent to it', async t => {
  const alpha = await filled(ALPHA)
  const toBeta = attachEndpoint(alpha, BETA)
  const gamma = attachEndpoint(alpha, GAMMA)
  const [first] = UPDATES
  const later: Update = ['again', 2, first?.[2] ?? ALPHA]
  await gamma.receive({ id: GAMMA, clock: {} }, later, 'SYNC')
  // The peer held what alpha held when it said its buckets.
  await toBeta.receive({ id: BETA, clock: {}, same: 'ff' }, 'SYNC')
  t.deepEqual(toBeta.refusals, [])
  t.deepEqual(
    toBeta.sent.filter(frame => Array.isArray(frame)),
    [later],
  )
})

for (const [what, frames] of [
  ['buckets said twice', [{ buckets: 'A'.repeat(16) }, { buckets: 'A'.repeat(16) }]],
  ['buckets behind the digest', [{ id: BETA, clock: {} }, { buckets: 'A'.repeat(16) }]],
  ['buckets with more', [{ buckets: 'A'.repeat(16), more: 1 }]],
  ['no buckets', [{ buckets: [] }]],
  ['a mask of too few buckets', [{ id: BETA, clock: {}, same: 'f' }]],
] as const) {
  test(`attack: ${what} are refused`, async t => {
    const alpha = await filled(ALPHA)
    const end = attachEndpoint(alpha, BETA)
    await end.receive(...frames)
    t.is(end.refusals.length, 1)
    t.is(Object.keys(alpha.sources).length, UPDATES.length)
  })
}

test('attack: a digest that compares what was not said is refused', async t => {
  const end = attachEndpoint(await filled(ALPHA, []), BETA)
  await end.receive({ id: BETA, clock: {}, same: 'f' })
  t.deepEqual(end.refusals, ['a digest compares what was not said'])
})

test('attack: buckets in a document that has none are refused', async t => {
  const end = attachEndpoint(new TextDocument(ALPHA), BETA)
  await end.receive({ buckets: 'A'.repeat(16) })
  t.deepEqual(end.refusals, ['buckets are malformed'])
})
