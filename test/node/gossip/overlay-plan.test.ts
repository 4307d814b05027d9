import test from 'ava'
import * as fc from 'fast-check'
import {
  chooseDials,
  chooseToShed,
  isJoinedBeside,
  linksAccepted,
  linksKept,
  linksWanted,
  newsPlanMs,
  surplusAfterMs,
  type Candidate,
} from '../../../node/gossip/overlay-plan.ts'
import { parseName, sourceOf, type Source } from '../../../node/identity/names.ts'
import { Reach } from '../../../node/gossip/reach.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'

const seed = fc.integer()
const candidate: fc.Arbitrary<Candidate> = fc.record({
  address: fc.nat(99_999).map(port => `10.0.0.1:${port}`),
  owner: fc.option(
    fc.constantFrom('a', 'b', 'c', 'd').map(name => parseName(name)),
    { nil: undefined },
  ),
  live: fc.boolean(),
})
const candidates = fc.uniqueArray(candidate, { selector: ({ address }) => address })

test('few nodes link to all others, many to a handful that grows with their logarithm', t => {
  t.deepEqual(
    [1, 2, 3, 8, 9, 16, 64, 200, 1_000, 1_024].map(linksWanted),
    [1, 1, 2, 7, 6, 6, 8, 10, 12, 12],
  )
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 100_000 }), nodes => {
      t.true(linksWanted(nodes) < nodes)
      t.true(linksWanted(nodes) <= linksWanted(nodes * 2) + 1)
      t.true(linksAccepted(nodes) > linksWanted(nodes))
    }),
  )
})

/** How many of `nodes` can be reached when each links to `linksWanted` others at random. */
function reachable(nodes: number, seed: number): number {
  const random = seededRandom(seed)
  const names = Array.from({ length: nodes }, (_, index) => parseName(`n${index}`))
  const links = new Map(names.map(name => [name, new Set<string>()]))
  for (const name of names) {
    const others: Candidate[] = names
      .filter(other => other !== name && links.get(name)?.has(other) !== true)
      .map(other => ({ address: `${other}:1`, owner: other, live: true }))
    const missing = linksWanted(nodes) - (links.get(name)?.size ?? 0)
    for (const { owner } of chooseDials(others, missing, false, random)) {
      if (owner === undefined) continue
      links.get(name)?.add(owner)
      links.get(owner)?.add(name)
    }
  }
  const seen = new Set<string>()
  const open: string[] = ['n0']
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    open.push(...(links.get(parseName(name)) ?? []))
  }
  return seen.size
}

test('the graph that random dials make is connected, for up to two hundred nodes', t => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), seed, (nodes, seed) => {
      t.is(reachable(nodes, seed), nodes)
    }),
    { numRuns: 100 },
  )
})

test('never more is dialed than is missing, but for one who is out of reach', t => {
  fc.assert(
    fc.property(
      candidates,
      fc.integer({ min: -5, max: 12 }),
      fc.boolean(),
      seed,
      (candidates, missing, probing, seed) => {
        const chosen = chooseDials(candidates, missing, probing, seededRandom(seed))
        const live = chosen.filter(({ live }) => live)
        t.true(live.length <= Math.max(missing, 0))
        t.true(chosen.length <= Math.max(missing, 0) + 1)
        t.is(new Set(chosen).size, chosen.length)
        for (const one of chosen) t.true(candidates.includes(one))
        const owners = chosen.map(({ owner }) => owner).filter(owner => owner !== undefined)
        t.is(new Set(owners).size, owners.length, 'one address of a node at a time')
      },
    ),
    { numRuns: 1_000 },
  )
})

test('someone out of reach is always tried, unless one such dial is under way', t => {
  fc.assert(
    fc.property(candidates, fc.integer({ min: -5, max: 12 }), seed, (candidates, missing, seed) => {
      const unreached = candidates.filter(({ live }) => !live)
      const chosen = chooseDials(candidates, missing, false, seededRandom(seed))
      const owners = new Set(chosen.map(({ owner }) => owner))
      // A node one of whose addresses is dialed already counts as tried.
      const isTried = unreached.some(
        ({ address, owner }) =>
          chosen.some(one => one.address === address) || (owner !== undefined && owners.has(owner)),
      )
      t.is(isTried || unreached.length === 0, true)
    }),
  )
  const far: Candidate = { address: '10.0.0.1:1', owner: undefined, live: false }
  t.deepEqual(chooseDials([far], 0, true, Math.random), [])
  t.deepEqual(chooseDials([far], 0, false, Math.random), [far])
})

test('whom a node dials is spread evenly', t => {
  const random = seededRandom(3)
  const all = Array.from({ length: 10 }, (_, index): Candidate => ({
    address: `10.0.0.1:${index}`,
    owner: undefined,
    live: true,
  }))
  const times = new Map<string, number>()
  for (let round = 0; round < 2_000; round += 1) {
    for (const { address } of chooseDials(all, 2, true, random)) {
      times.set(address, (times.get(address) ?? 0) + 1)
    }
  }
  for (const { address } of all) {
    const count = times.get(address) ?? 0
    t.true(count > 300 && count < 500, `${address} was dialed ${count} times`)
  }
})

test('whoever others reach is dialed before whoever they do not', t => {
  const all = Array.from({ length: 10 }, (_, index): Candidate => ({
    address: `10.0.0.1:${index}`,
    owner: undefined,
    live: index >= 5,
  }))
  for (let round = 1; round <= 50; round += 1) {
    const chosen = chooseDials(all, 3, true, seededRandom(round))
    t.deepEqual(
      chosen.map(({ live }) => live),
      [true, true, true],
    )
  }
})

test('of links that are too many an eighth is let go of at a time, at random', t => {
  const links = Array.from({ length: 270 }, (_, index) => index)
  t.is(chooseToShed(links, 240, seededRandom(1)).length, 30)
  t.notDeepEqual(
    chooseToShed(links, 240, seededRandom(1)),
    chooseToShed(links, 240, seededRandom(2)),
  )
  t.is(chooseToShed(links, 1, Math.random).length, 1)
  t.deepEqual(chooseToShed(links, 0, Math.random), [])
  t.deepEqual(chooseToShed([], 9, Math.random), [])
})

test('a node that wants links plans at once when another has more, and one that has enough the later the more there are', t => {
  t.is(newsPlanMs({ links: 3, nodes: 1_000 }), 0)
  t.is(newsPlanMs({ links: linksWanted(1_000), nodes: 1_000 }), 1_000)
  t.true(newsPlanMs({ links: 14, nodes: 300 }) < newsPlanMs({ links: 14, nodes: 1_000 }))
})

test('in all of a cluster one link beside those that are wanted is let go of in two seconds, whatever its size', t => {
  for (const nodes of [9, 30, 1_000]) {
    t.is(nodes / surplusAfterMs(nodes, () => 0.5), 1 / 2_000)
    t.true(linksKept(nodes) > linksWanted(nodes))
    t.true(linksKept(nodes) < linksAccepted(nodes))
  }
})

/** What *members* tell where such links stand. */
function mapOf(links: readonly (readonly [string, string])[]) {
  const run = (name: string) => sourceOf(parseName(name), '0'.repeat(16))
  const reach = new Reach(run('a'))
  for (const one of new Set(links.flat())) {
    const others = links.filter(ends => ends.includes(one)).flat()
    const names = new Set(others.filter(other => other !== one))
    reach.name(run(one), Array.from(names, run))
  }
  const map = { runOf: () => undefined, neighboursOf: (one: Source) => reach.neighbours(one) }
  return (self: string, peer: string) => isJoinedBeside(map, run(self), run(peer))
}

test('a link is dispensable where a way of at most three others joins its ends, and no bridge ever is', t => {
  const [ab, bc, cd, da, de] = [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'd'],
    ['d', 'a'],
    ['d', 'e'],
  ] as const
  t.true(mapOf([ab, bc, ['c', 'a']])('a', 'b'), 'over one other node')
  t.true(mapOf([ab, bc, cd, da])('a', 'b'), 'over two')
  t.false(mapOf([ab, bc, cd, de, ['e', 'a']])('a', 'b'), 'over three')
  const bridged = mapOf([ab, bc, ['c', 'a'], cd, de, ['e', 'f'], ['f', 'd']])
  t.false(bridged('c', 'd'))
  t.false(bridged('d', 'c'))
  t.true(bridged('d', 'e'))
})
