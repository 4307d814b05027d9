import test from 'ava'

import { poll, textOf, type Measurement } from '../../../../node/sensors/drivers/poll.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

/** A poll that finds what `next` gives each time, every 5 s, without jitter. */
function start(next: (signal: AbortSignal) => Promise<Measurement>) {
  const clock = new FakeClock()
  const abort = new AbortController()
  const told: SensorEvent[] = []
  const options = { kind: 'temperature', clock, random: () => 1, intervalMs: 5_000 } as const
  const ended = poll(next, options, event => told.push(event), abort.signal)
  return { clock, abort, told, ended }
}

test('what hangs is looked at less and less often, and as usual once it answers', async t => {
  let found: Measurement = { reason: 'it does not answer', isHung: true }
  let looks = 0
  const { clock, abort, ended } = start(async () => {
    looks += 1
    return found
  })
  const looksAfter = async (ms: number): Promise<number> => {
    await clock.advance(ms)
    return looks
  }
  t.is(await looksAfter(29_999), 1)
  t.is(await looksAfter(1), 2)
  t.is(await looksAfter(60_000), 3)
  t.is(await looksAfter(119_999), 3)
  found = { value: 4 }
  t.is(await looksAfter(1), 4)
  t.is(await looksAfter(5_000), 5)
  abort.abort()
  await ended
  t.is(clock.pending, 0)
})

test('any other fault is looked at again at the next interval', async t => {
  let looks = 0
  const { clock, abort, told, ended } = start(async () => {
    looks += 1
    return looks === 1 ? { reason: 'it is gone' } : { value: 4.5 }
  })
  await clock.advance(5_000)
  abort.abort()
  await ended
  t.like(told[0], { type: 'unavailable', reason: 'it is gone' })
  t.like(told[1], { type: 'reading', value: 4.5, unit: 'C', at: clock.now() })
})

test('it ends at once while a look is under way', async t => {
  const { clock, abort, told, ended } = start(
    async signal =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      }),
  )
  await clock.advance(0)
  abort.abort()
  await ended
  t.deepEqual(told, [])
})

test('a look that fails for no reason that is known ends the poll with it', async t => {
  const { ended } = start(() => Promise.reject(new TypeError('a mistake')))
  await t.throwsAsync(ended, { instanceOf: TypeError })
})

test('each outcome of a read has a reason of its own, for people', t => {
  const faults = ['missing', 'denied', 'not a file', 'failed', 'hung'] as const
  const reasons = faults.map(type => JSON.stringify(textOf({ type }, 'thermometer')))
  t.is(new Set(reasons).size, faults.length)
  t.like(textOf({ type: 'hung' }, 'thermometer'), {
    reason: 'the thermometer does not answer',
    isHung: true,
  })
  t.like(textOf({ type: 'broken', reason: 'there is no such program' }, 'chip'), {
    reason: 'the chip cannot be read: there is no such program',
  })
})
