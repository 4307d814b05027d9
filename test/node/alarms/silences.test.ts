import test from 'ava'
import { Silences } from '../../../node/alarms/silences.ts'
import type { Rule } from '../../../node/alarms/rule.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { celsius, SENSORS } from '../../support/history.ts'
import { playFeeds } from '../../support/played-feeds.ts'

const MINUTE_MS = 60_000
const [DOOR, AIR] = SENSORS

function watch(rules: readonly Rule[] = []) {
  const clock = new FakeClock()
  const feeds = playFeeds(SENSORS)
  const silences = new Silences({
    feeds,
    clock,
    rulesOf: ({ name }) => (name === 'door' ? [] : rules),
  })
  return { clock, silences, say: feeds.say }
}

function unavailable(reason: string): SensorEvent {
  return { type: 'unavailable', reason, at: 0 }
}

test('a sensor that has said nothing since the start is silent, and for too long after 15 minutes', async t => {
  const { clock, silences, say } = watch()
  t.like(silences.of(DOOR), { ms: 0, isTooLong: false, reason: 'it has said nothing yet' })
  say('door', { type: 'close', at: 0 })
  t.is(silences.of(DOOR), undefined)
  await clock.advance(15 * MINUTE_MS)
  t.like(silences.of(AIR), { isTooLong: false })
  await clock.advance(1)
  t.like(silences.of(AIR), { ms: 15 * MINUTE_MS + 1, isTooLong: true })
})

test('a silence begins once, whatever other reasons it is given, and its rule says what is too long', async t => {
  const { clock, silences, say } = watch([{ type: 'unavailable', forMs: MINUTE_MS }])
  say('temperature', celsius(4, 0))
  await clock.advance(MINUTE_MS)
  say('temperature', unavailable('no answer'))
  await clock.advance(MINUTE_MS)
  say('temperature', unavailable('the sensor ended'))
  await clock.advance(1)
  t.deepEqual(silences.of(AIR), {
    sensor: 'temperature',
    ms: MINUTE_MS + 1,
    reason: 'the sensor ended',
    isTooLong: true,
  })
  say('temperature', celsius(4, 0))
  t.is(silences.of(AIR), undefined)
})

test('a clock on the wall that is set makes no silence longer', async t => {
  const { clock, silences, say } = watch()
  say('temperature', unavailable('no answer'))
  clock.jump(365 * 24 * 60 * MINUTE_MS)
  t.like(silences.of(AIR), { ms: 0, isTooLong: false })
})
