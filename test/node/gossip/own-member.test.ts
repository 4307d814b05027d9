import test from 'ava'
import type { Words } from '../../../node/gossip/member-part.ts'
import { OwnMember } from '../../../node/gossip/own-member.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const GAMMA = testSource('gamma')

const people = await makePeople({ nodes: ['alpha'] })

/** A node of a cluster of so many, linked to two others, and the links that it says then. */
async function openLinked(size: number) {
  const clock = new FakeClock(NOON)
  const said: (readonly Source[])[] = []
  const own = new OwnMember({
    ...people.node('alpha'),
    self: {
      name: parseName('alpha'),
      source: ALPHA,
      addresses: ['alpha:1'],
      version: '0.0.0',
      startedAt: NOON,
      links: [],
    },
    clock,
    random: () => 0.5,
    gatherMs: 5,
    size: () => size,
    publish: (_update, words: Words) => {
      if (words.part === 'state') said.push(words.state.links)
    },
  })
  own.sayState({ links: [BETA, GAMMA] })
  await clock.advance(5)
  return { own, clock, said }
}

test('a link that was lost is told within a second, since others may find out by it who is dead', async t => {
  const { own, clock, said } = await openLinked(150)
  own.sayState({ links: [BETA] })
  await clock.advance(1_000)
  t.deepEqual(said, [[BETA, GAMMA], [BETA]])
})

test('a link that was let go of in good order is told at the pace of new ones', async t => {
  const { own, clock, said } = await openLinked(150)
  own.sayState({ links: [BETA] }, true)
  await clock.advance(2_900)
  t.deepEqual(said, [[BETA, GAMMA]])
  await clock.advance(100)
  t.deepEqual(said, [[BETA, GAMMA], [BETA]])
})

test('a link that is lost behind one that was let go of is told as soon as any', async t => {
  const { own, clock, said } = await openLinked(150)
  own.sayState({ links: [BETA] }, true)
  own.sayState({ links: [] })
  await clock.advance(1_000)
  t.deepEqual(said, [[BETA, GAMMA], []])
})

for (const [size, paceMs] of [
  [30, 1_000],
  [200, 4_000],
  [10_000, 5_000],
] as const) {
  test(`of ${size} nodes each says new links every ${paceMs} ms at most`, async t => {
    const { own, clock, said } = await openLinked(size)
    own.sayState({ links: [BETA, GAMMA, testSource('delta')] })
    await clock.advance(paceMs - 6)
    t.is(said.length, 1)
    await clock.advance(6)
    t.is(said.length, 2)
  })
}
