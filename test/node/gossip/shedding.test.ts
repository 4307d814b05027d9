import test from 'ava'
import { linksAccepted, linksKept, SPARED_LINKS } from '../../../node/gossip/overlay-plan.ts'
import { Shedding } from '../../../node/gossip/shedding.ts'
import { parseName, sourceOf, type Source } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const NODES = 30
/** Longer than a node of so many waits between two links, in milliseconds. */
const LONG_MS = 2 * NODES * 2_000

const runOf = (index: number): Source => sourceOf(parseName(`n${index}`), '0'.repeat(16))
const SELF = runOf(0)

/**
 * A node with links to the next ones, which say that they have so many.
 * @param options.isJoined whether all of these are linked to each other as well
 */
function shedding({ links = 0, peersHave = 0, isJoined = true }) {
  const clock = new FakeClock()
  const peers = Array.from({ length: links }, (_, index) => runOf(index + 1))
  const shedding = new Shedding({
    clock,
    random: () => 0.5,
    members: {
      id: SELF,
      get: () => ({ links: Array.from({ length: peersHave }, (_, index) => runOf(index)) }),
      linkMap: {
        runOf: () => undefined,
        neighboursOf: run => (run === SELF ? peers : isJoined ? [SELF, ...peers] : [SELF]),
      },
    },
  })
  const held = peers.map(source => ({ source, synced: true }))
  return { clock, choose: () => shedding.choose(held, NODES) }
}

test('of too many links some are let go of at once, but none to a node that has few', t => {
  const links = linksAccepted(NODES) + 8
  t.is(shedding({ links, peersHave: SPARED_LINKS + 1 }).choose().length, 1)
  t.deepEqual(shedding({ links, peersHave: SPARED_LINKS }).choose(), [])
})

test('a link that neither end wants is let go of after a while, and then another', async t => {
  const kept = linksKept(NODES)
  const { clock, choose } = shedding({ links: kept + 2, peersHave: kept + 1 })
  t.deepEqual(choose(), [], 'not at once')
  for (let round = 0; round < 2; round += 1) {
    await clock.advance(LONG_MS)
    t.is(choose().length, 1)
    t.deepEqual(choose(), [], 'one at a time')
  }
})

test('a link that one of its ends wants, or that joins what nothing else does, is kept', async t => {
  const kept = linksKept(NODES)
  for (const options of [
    { links: kept, peersHave: kept + 1 },
    { links: kept + 1, peersHave: kept },
    { links: kept + 1, peersHave: kept + 1, isJoined: false },
  ]) {
    const { clock, choose } = shedding(options)
    choose()
    await clock.advance(LONG_MS)
    t.deepEqual(choose(), [])
  }
})
