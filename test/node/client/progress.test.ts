import test from 'ava'
import type { NumberedEvent } from '../../../node/events/dialect.ts'
import type { Source } from '../../../node/identity/names.ts'
import { Progress, type Step } from '../../../node/client/progress.ts'

const RUN = 'node-1#0123456789abcdef' as Source
const OTHER = 'node-2#0123456789abcdef' as Source

const door = (sequence: number): NumberedEvent => ({
  sequence,
  event: { type: sequence % 2 === 1 ? 'open' : 'close', at: sequence },
})

/** Numbers of events, and `+n` for n missed. */
const told = (steps: readonly Step[]): (number | string)[] =>
  steps.map(step => ('missed' in step ? `+${step.missed}` : step.sequence))

/** One that has heard a door up to a number, and comes back. */
function comeBack(heard: number): Progress {
  const progress = new Progress()
  progress.begin(RUN)
  for (let sequence = 1; sequence <= heard; sequence += 1) progress.take('door', door(sequence))
  return progress
}

test('the first event that comes is the beginning, whatever its number', t => {
  const progress = new Progress()
  t.is(progress.resume, undefined)
  t.false(progress.begin(RUN))
  t.deepEqual(told(progress.take('door', door(17))), [17])
  t.deepEqual(told(progress.take('door', door(18))), [18])
  t.deepEqual(progress.resume, { run: RUN, sensors: new Map([['door', 18]]) })
})

test('numbers that are passed over are told as missed, each sensor for itself', t => {
  const progress = comeBack(3)
  t.deepEqual(told(progress.take('hatch', door(2))), [2])
  t.deepEqual(told(progress.take('door', door(7))), ['+3', 7])
  t.deepEqual(told(progress.take('hatch', door(3))), [3])
})

test('an event that came before is not told again', t => {
  const progress = comeBack(3)
  t.deepEqual(told(progress.take('door', door(3))), [])
  t.deepEqual(told(progress.take('door', door(1))), [])
})

test('after a resume each event is told once and in order, when the node has said that this is all', t => {
  const progress = comeBack(3)
  t.true(progress.begin(RUN))
  const live = [6, 7]
  const again = [4, 5, 6, 7]
  for (const sequence of [...live, ...again]) {
    t.deepEqual(told(progress.take('door', door(sequence))), [])
  }
  t.deepEqual(told(progress.release('door')), [4, 5, 6, 7])
  t.deepEqual(told(progress.take('door', door(8))), [8])
})

test('what the node no longer held is told as missed', t => {
  const progress = comeBack(3)
  progress.begin(RUN)
  for (const sequence of [9, 8, 9]) progress.take('door', door(sequence))
  t.deepEqual(told(progress.release('door')), ['+4', 8, 9])
})

test('a sensor of which nothing was heard before waits for nothing', t => {
  const progress = comeBack(3)
  progress.begin(RUN)
  t.deepEqual(told(progress.take('hatch', door(5))), [5])
})

test('a node that never says that this is all is not waited for without end', t => {
  const progress = comeBack(3)
  progress.begin(RUN)
  let steps: Step[] = []
  for (let sequence = 4; steps.length === 0; sequence += 1) {
    steps = progress.take('door', door(sequence))
  }
  t.is(steps.length, 1_024)
})

test('on another run numbers begin anew', t => {
  const progress = comeBack(30)
  t.false(progress.begin(OTHER))
  t.is(progress.resume, undefined)
  t.deepEqual(told(progress.take('door', door(2))), [2])
  t.deepEqual(progress.resume, { run: OTHER, sensors: new Map([['door', 2]]) })
  t.false(progress.begin(RUN))
})
