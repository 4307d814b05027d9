import test from 'ava'
import { array, assert, boolean, constantFrom, property, record, uniqueArray } from 'fast-check'
import { Reach } from '../../../node/gossip/reach.ts'
import type { Source } from '../../../node/identity/names.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { testSource } from '../../support/replica-changes.ts'

const RUNS = Array.from({ length: 9 }, (_, index) => testSource(`n${index}`))
const [SELF = testSource('n0')] = RUNS

/** The definition: all that can be walked to over links that both ends name. */
function walk(named: ReadonlyMap<Source, ReadonlySet<Source>>): Set<Source> {
  const reached = new Set<Source>()
  const open = [SELF]
  for (let run = open.pop(); run !== undefined; run = open.pop()) {
    if (reached.has(run)) continue
    reached.add(run)
    for (const other of named.get(run) ?? []) {
      if (named.get(other)?.has(run) === true) open.push(other)
    }
  }
  return reached
}

function sorted(runs: Iterable<Source>): Source[] {
  return [...runs].sort()
}

const run = constantFrom(...RUNS)
const word = record({ run, links: uniqueArray(run), isForgotten: boolean() })

test('whoever is reached can be walked to, whatever was said in which order', t => {
  assert(
    property(array(word, { maxLength: 60 }), words => {
      const reach = new Reach(SELF)
      const named = new Map<Source, ReadonlySet<Source>>()
      for (const { run, links, isForgotten } of words) {
        const before = new Set(reach.reached)
        const lost = isForgotten ? reach.forget(run) : reach.name(run, links)
        if (isForgotten) named.delete(run)
        else named.set(run, new Set(links))
        const after = walk(named)
        t.deepEqual(sorted(reach.reached), sorted(after))
        t.deepEqual(sorted(lost), sorted(before.difference(after)))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('in a large cluster a link that goes is looked around, and not all links', t => {
  const nodes = Array.from({ length: 1_000 }, (_, index) => testSource(`m${index}`))
  const random = seededRandom(3)
  const links = new Map(nodes.map(node => [node, new Set<Source>()]))
  for (const node of nodes) {
    for (let count = 0; count < 6; count += 1) {
      const other = nodes[Math.floor(random() * nodes.length)] ?? node
      if (other === node) continue
      links.get(node)?.add(other)
      links.get(other)?.add(node)
    }
  }
  const [self = SELF] = nodes
  const reach = new Reach(self)
  for (const [node, others] of links) reach.name(node, [...others])
  t.is(reach.reached.size, nodes.length)
  const before = reach.steps
  for (let count = 0; count < 100; count += 1) {
    const node = nodes[Math.floor(random() * nodes.length)] ?? self
    const [other] = links.get(node) ?? []
    if (other === undefined || links.get(other)?.size === 1) continue
    links.get(node)?.delete(other)
    reach.name(node, [...(links.get(node) ?? [])])
  }
  const steps = (reach.steps - before) / 100
  t.true(steps < 2_000, `${steps} of ${12 * nodes.length} links were looked at for each`)
})
