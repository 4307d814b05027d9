import test from 'ava'
import { InputLimit } from '../../../node/wire/input-limit.ts'

test('four seconds of the rate may come at once, then the rate', t => {
  const limit = new InputLimit(100, 5_000)
  t.is(limit.take(400, 0, 5_000), 0)
  t.is(limit.take(1, 0, 5_000), 10)
  t.is(limit.take(0, 0, 5_010), 0)
  t.is(limit.take(100, 0, 6_010), 0)
  t.is(limit.take(50, 0, 6_010), 500)
})

test('each KiB counts as a frame', t => {
  const limit = new InputLimit(100, 0)
  t.is(limit.take(1, 399 * 1_024, 0), 0)
  t.is(limit.take(0, 1_024, 0), 10)
})

test('an idle peer saves up no more than four seconds', t => {
  const limit = new InputLimit(100, 0)
  t.is(limit.take(400, 0, 3_600_000), 0)
  t.is(limit.take(1, 0, 3_600_000), 10)
})

test('nobody waits for longer than a second, and owes no more than that', t => {
  const limit = new InputLimit(10, 0)
  t.is(limit.take(1_000_000, 0, 0), 1_000)
  t.is(limit.take(0, 0, 1_000), 0)
  t.is(limit.take(1, 0, 1_000), 100)
})
