import { assert, constantFrom, integer, property, subarray } from 'fast-check'
import test from 'ava'
import { firstTree, type LinkMap } from '../../../node/gossip/first-tree.ts'
import { nodeOf, type Source } from '../../../node/identity/names.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { testSource } from '../../support/replica-changes.ts'

/** Links as in `ab bc`, between nodes that have letters for names, or as in `10-11`. */
function mapOf(links: string, separator = ''): LinkMap {
  const neighbours = new Map<Source, Set<Source>>()
  const join = (one: string, other: string): void => {
    const known = neighbours.get(testSource(one)) ?? new Set()
    neighbours.set(testSource(one), known.add(testSource(other)))
  }
  for (const [one = '', other = ''] of links.split(' ').map(link => link.split(separator))) {
    join(one, other)
    join(other, one)
  }
  return {
    runOf: name => neighbours.keys().find(run => nodeOf(run) === name),
    neighboursOf: run => neighbours.get(run) ?? [],
  }
}

function treeOf(map: LinkMap, self: string, origin: string, copies = 1) {
  const tree = firstTree({
    origin: nodeOf(testSource(origin)),
    self: testSource(self),
    copies,
    map,
  })
  const letters = (runs: ReadonlySet<Source> | undefined): string =>
    Array.from(runs ?? [], run => nodeOf(run))
      .toSorted()
      .join('')
  return tree && { to: letters(tree.announcedTo), by: letters(tree.announcedBy) }
}

test('each node is sent an update by the neighbour that is nearest to where it comes from', t => {
  const square = mapOf('ab bc ca cd')
  t.deepEqual(treeOf(square, 'a', 'a'), { to: '', by: 'bc' })
  t.deepEqual(treeOf(square, 'b', 'a'), { to: 'ac', by: 'c' })
  t.deepEqual(treeOf(square, 'c', 'a'), { to: 'ab', by: 'bd' })
  t.deepEqual(treeOf(square, 'd', 'a'), { to: 'c', by: '' })
})

test('it is sent it by as many neighbours as it wants copies', t => {
  const square = mapOf('ab bc ca cd')
  t.deepEqual(treeOf(square, 'b', 'a', 2), { to: 'a', by: '' })
  t.deepEqual(treeOf(square, 'c', 'a', 2), { to: 'a', by: 'd' })
})

test('of neighbours that are as near it is sent it by those that it names first', t => {
  // e is two links away from a, by each of the three others.
  const named = mapOf('ab ac ad ed ec eb')
  t.deepEqual(treeOf(named, 'e', 'a'), { to: 'bcd', by: 'bc' })
  t.deepEqual(treeOf(named, 'e', 'a', 2), { to: '', by: 'b' })
  t.deepEqual(treeOf(named, 'd', 'a'), { to: 'a', by: 'e' })
})

test('where no way from a node is known every link is part of its tree', t => {
  t.is(treeOf(mapOf('ab'), 'a', 'c'), undefined)
  t.is(treeOf(mapOf('ab cd'), 'a', 'c'), undefined)
})

test('in any cluster both ends of a link agree, and every node is sent as many copies as it has links for', t => {
  const letters = Array.from('abcdefghijkl')
  const pairs = letters.flatMap((one, index) => letters.slice(index + 1).map(other => one + other))
  // A chain holds all together.
  const chain = letters.slice(1).map((letter, index) => `${letters[index]}${letter}`)
  const agree = property(
    subarray(pairs),
    constantFrom(...letters),
    integer({ min: 1, max: 3 }),
    (extra, origin, copies) => {
      const map = mapOf([...chain, ...extra].join(' '))
      for (const self of letters) {
        const tree = treeOf(map, self, origin, copies)
        const peers = Array.from(map.neighboursOf(testSource(self)), run => nodeOf(run) as string)
        const whole = peers.filter(peer => tree?.by.includes(peer) === false)
        if (whole.length !== (self === origin ? 0 : Math.min(copies, peers.length))) return false
        for (const peer of peers) {
          const there = treeOf(map, peer, origin, copies)
          if (tree?.by.includes(peer) !== there?.to.includes(self)) return false
        }
      }
      return true
    },
  )
  assert(agree, { numRuns: 100, seed: Number(process.env['SEED'] ?? 1) })
  t.pass()
})

test('a node asks for the links of the few that are nearer than itself, and of those around it', t => {
  const random = seededRandom(1)
  const size = 3_000
  const pairs = Array.from({ length: size * 6 }, (_, index) => {
    const other = Math.floor(random() * size)
    return `${index % size}-${other}`
  })
  const map = mapOf(pairs.join(' '), '-')
  const asked = new Set<Source>()
  const counted: LinkMap = {
    runOf: name => map.runOf(name),
    neighboursOf: run => {
      asked.add(run)
      return map.neighboursOf(run)
    },
  }
  const most = [1, 2, 3, 4, 5].map(index => {
    asked.clear()
    t.truthy(treeOf(counted, String(index), '0'))
    return asked.size
  })
  t.true(Math.max(...most) < size / 4, most.join())
})
