import test from 'ava'
import { untilNextRound, untilRound } from '../../../node/lib/clock.ts'

/** Moments at which a node does what it does again and again. */

const at = (ms: number): { now: () => number } => ({ now: () => Date.UTC(2026, 0, 1) + ms })

test('a round comes when the wall clock is at a multiple of its time', t => {
  t.deepEqual(
    [0, 1, 700, 999].map(ms => untilRound(at(ms), 1_000)),
    [1_000, 999, 300, 1],
  )
})

test('a timer that runs a moment early is not set for the same round again', t => {
  t.deepEqual(
    [999, 700, 500, 0].map(ms => untilNextRound(at(ms), 1_000)),
    [1_001, 1_300, 500, 1_000],
  )
})

test('a part of a millisecond is waited for whole', t => {
  t.is(untilRound(at(999.5), 1_000), 1)
})
