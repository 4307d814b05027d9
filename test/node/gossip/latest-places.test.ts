import test from 'ava'
import { latestPlaces } from '../../../node/gossip/latest-places.ts'
import { testSource } from '../../support/replica-changes.ts'

const [ALPHA, BETA, GAMMA] = ['alpha', 'beta', 'gamma'].map(name => testSource(name))

function* places(...all: [source: typeof ALPHA, sequence: number][]) {
  for (const [source, sequence] of all) if (source !== undefined) yield { source, sequence }
}

test('of each source its newest place is told, the latest source last', t => {
  const newestFirst = places([BETA, 2], [ALPHA, 7], [BETA, 1], [ALPHA, 6])
  t.deepEqual(Object.entries(latestPlaces(newestFirst, 8, 100)), [
    [ALPHA, 7],
    [BETA, 2],
  ])
})

test('neither more sources are told nor more places looked at than is asked for', t => {
  const newestFirst = (): Iterable<{ source: NonNullable<typeof ALPHA>; sequence: number }> =>
    places([ALPHA, 3], [ALPHA, 2], [BETA, 9], [GAMMA, 4])
  t.deepEqual(Object.keys(latestPlaces(newestFirst(), 2, 100)), [BETA, ALPHA])
  t.deepEqual(Object.keys(latestPlaces(newestFirst(), 8, 2)), [ALPHA])
})
