import test from 'ava'
import { DigestBuckets, readMask } from '../../../node/gossip/digest-buckets.ts'
import type { Source } from '../../../node/identity/names.ts'
import { testSource } from '../../support/replica-changes.ts'

type Held = readonly [place: Source, sequence: number]

/** What many nodes say, each at its own sequence. */
const HELD: readonly Held[] = Array.from({ length: 500 }, (_, index) => [
  testSource(`node-${index}`),
  1 + (index % 7),
])

function bucketsOf(held: Iterable<Held>): DigestBuckets {
  const buckets = new DigestBuckets()
  for (const [place, sequence] of held) buckets.move(place, 0, sequence)
  return buckets
}

const some = (index: number): Held => HELD[index] ?? [testSource('nobody'), 1]

test('nodes that hold the same say the same, however they came to it', t => {
  const detour = bucketsOf(HELD.toReversed().map(([place]) => [place, 9]))
  for (const [place, sequence] of HELD) detour.move(place, 9, sequence)
  const gone = testSource('gone')
  detour.move(gone, 0, 3)
  detour.move(gone, 3, 0)
  const sums = bucketsOf(HELD).sums([])
  t.is(detour.sums([]), sums)
  t.deepEqual([...detour.apart(detour.compare(sums, []) ?? t.fail())], [])
  t.is(detour.size, HELD.length)
})

test('a place that differs opens its bucket and no other', t => {
  const [place, sequence] = some(17)
  const here = bucketsOf(HELD)
  const there = bucketsOf(HELD)
  there.move(place, sequence, sequence + 1)
  const same = here.compare(there.sums([]), [])
  if (same === undefined) return t.fail()
  const apart = [...here.apart(same)]
  t.true(apart.includes(place))
  t.true(apart.length < HELD.length / 4)
})

test('an end that says fewer buckets is compared with by as many', t => {
  const few = bucketsOf(HELD.slice(0, 40))
  const many = bucketsOf(HELD)
  t.true(few.sums([]).length < many.sums([]).length)
  const same = many.compare(few.sums([]), [])
  if (same === undefined) return t.fail()
  const named = new Set(many.apart(same))
  for (const [place] of HELD.slice(40)) t.true(named.has(place))
})

test('what is left out at both ends makes no bucket differ', t => {
  const [place, sequence] = some(3)
  const here = bucketsOf(HELD)
  const there = bucketsOf(HELD)
  there.move(place, sequence, 99)
  const same = here.compare(there.sums([[place, 99]]), [[place, sequence]])
  t.deepEqual([...here.apart(same ?? t.fail())], [])
})

test('what an end reads of a mask is what the other end found', t => {
  const here = bucketsOf(HELD)
  const there = bucketsOf(HELD.slice(1))
  const sums = there.sums([])
  const found = here.compare(sums, [])
  if (found === undefined) return t.fail()
  const read = readMask(found.mask, sums)
  t.deepEqual([...here.apart(read ?? t.fail())], [...here.apart(found)])
  t.true([...here.apart(found)].length > 0)
  for (const mask of [1, '', `${found.mask}0`, found.mask.slice(1), found.mask.toUpperCase()]) {
    if (mask !== found.mask) t.is(readMask(mask, sums), undefined)
  }
  t.is(readMask('1', new DigestBuckets().sums([])), undefined, 'a bit of no bucket')
})

for (const [what, sums] of [
  ['no text', 1],
  ['nothing', ''],
  ['a part of a bucket', 'A'.repeat(15)],
  ['three buckets', 'A'.repeat(48)],
  ['too many buckets', 'A'.repeat(16 * 2_048)],
  ['another alphabet', '+'.repeat(16)],
] as const) {
  test(`attack: of a peer that says ${what} nothing is compared`, t => {
    t.is(bucketsOf(HELD).compare(sums, []), undefined)
  })
}
