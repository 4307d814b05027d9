import test from 'ava'
import { describeChange, type AlarmChange } from '../../../node/alarms/alarm.ts'
import { Alarms, MAX_PAST, type KeptAlarms } from '../../../node/alarms/alarms.ts'
import type { Rule } from '../../../node/alarms/rule.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const RULES: readonly Rule[] = [
  { type: 'high', limit: 8, forMs: HOUR, hysteresis: 0.5 },
  { type: 'unavailable', forMs: 15 * MINUTE },
]
const AIR = { name: 'temperature', kind: 'temperature' } as const
const DOOR = { name: 'door', kind: 'door' } as const

function watch(clock: FakeClock, kept?: KeptAlarms, rules = RULES) {
  const said: AlarmChange[] = []
  const alarms = new Alarms({
    node: 'node-1',
    clock,
    rulesOf: ({ kind }) => (kind === 'door' ? [{ type: 'open', forMs: 5 * MINUTE }] : rules),
    kept,
  })
  alarms.subscribe(change => said.push(change))
  const read = (value: number): void =>
    alarms.hear(AIR, { type: 'reading', value, unit: 'C', at: clock.now() })
  const fail = (): void =>
    alarms.hear(AIR, { type: 'unavailable', reason: 'gone', at: clock.now() })
  const told = (): string[] =>
    said.map(({ state, alarm }) => `${alarm.sensor} ${alarm.rule} ${state}`)
  return { alarms, said, read, fail, told }
}

test('an alarm names node, sensor, rule, since when, value and extreme', async t => {
  const clock = new FakeClock()
  const since = clock.now()
  const { said, read } = watch(clock)
  read(9)
  await clock.advance(MINUTE)
  read(11)
  await clock.advance(MINUTE)
  read(9.5)
  await clock.advance(58 * MINUTE - 1)
  t.deepEqual(said, [])
  await clock.advance(1)
  const alarm = {
    node: 'node-1',
    sensor: 'temperature',
    kind: 'temperature',
    rule: 'high',
    limit: 8,
    forMs: HOUR,
    since,
    raisedAt: since + HOUR,
    value: 9.5,
    extreme: 11,
  }
  t.like(said, [{ state: 'raised', alarm }])
  read(4)
  t.like(said.at(-1), { state: 'over', alarm: { ...alarm, value: 4, until: clock.now() } })
  t.is(said[0]?.alarm.id, said[1]?.alarm.id)
  t.is(clock.pending, 0)
})

test('alarms that begin within one millisecond are told apart, over a restart as well', t => {
  const clock = new FakeClock()
  const atOnce: readonly Rule[] = [{ type: 'high', limit: 8, forMs: 0, hysteresis: 0.5 }]
  const first = watch(clock, undefined, atOnce)
  for (const value of [9, 4, 9, 4]) first.read(value)
  const second = watch(clock, first.alarms.keep(), atOnce)
  second.read(9)
  const raised = [...first.said, ...second.said].filter(({ state }) => state === 'raised')
  t.is(raised.length, 3)
  t.is(new Set(raised.map(({ alarm }) => alarm.id)).size, 3)
})

test('a sensor that fails while it is warm keeps its alarm and gains another', async t => {
  const clock = new FakeClock()
  const { read, fail, told, alarms } = watch(clock)
  read(9.5)
  await clock.advance(HOUR)
  fail()
  await clock.advance(HOUR)
  t.deepEqual(told(), ['temperature high raised', 'temperature unavailable raised'])
  t.deepEqual(
    alarms.standing().map(({ rule }) => rule),
    ['high', 'unavailable'],
  )
})

test('a sensor that has never said anything is unavailable too, in its time', async t => {
  const clock = new FakeClock()
  const { alarms, told, read } = watch(clock)
  alarms.expect(AIR)
  alarms.expect(DOOR)
  await clock.advance(15 * MINUTE - 1)
  t.deepEqual(told(), [])
  await clock.advance(1)
  t.deepEqual(told(), ['temperature unavailable raised'])
  read(4)
  await clock.advance(MINUTE)
  t.deepEqual(told().slice(1), ['temperature unavailable over'])
})

test('what is known outlives a restart: an excursion goes on, and an alarm keeps its id and is over', async t => {
  const clock = new FakeClock()
  const first = watch(clock)
  first.read(9)
  await clock.advance(30 * MINUTE)
  const second = watch(clock, first.alarms.keep())
  first.alarms[Symbol.dispose]()
  await clock.advance(10_000)
  second.read(9)
  await clock.advance(30 * MINUTE)
  t.deepEqual(second.told(), ['temperature high raised'])
  const id = second.said[0]?.alarm.id

  const third = watch(clock, second.alarms.keep())
  t.deepEqual(
    third.alarms.standing().map(alarm => alarm.id),
    [id],
  )
  third.read(4)
  t.like(third.said, [{ state: 'over', alarm: { id } }])
})

test('after a restart an excursion waits for its sensor, and for half a minute at most', async t => {
  const clock = new FakeClock()
  const first = watch(clock)
  first.read(9)
  const kept = first.alarms.keep()
  first.alarms[Symbol.dispose]()
  await clock.advance(3 * HOUR)
  const well = watch(clock, kept)
  const silent = watch(clock, kept)
  await clock.advance(1_000)
  well.read(4)
  await clock.advance(29_000)
  t.deepEqual(well.told(), [])
  t.deepEqual(silent.told(), ['temperature high raised'])
})

test('what was known before a restart is not unknown time, and not known after it', async t => {
  const clock = new FakeClock()
  const first = watch(clock)
  first.fail()
  await clock.advance(5 * MINUTE)
  first.read(4)
  await clock.advance(30_000)
  const kept = first.alarms.keep()
  first.alarms[Symbol.dispose]()
  const { alarms, told } = watch(clock, kept)
  alarms.expect(AIR)
  await clock.advance(10 * MINUTE - 1)
  t.deepEqual(told(), [])
  await clock.advance(1)
  t.deepEqual(told(), ['temperature unavailable raised'])
})

test('a clock that is set changes neither how long something lasts nor since when', async t => {
  for (const jump of [365 * 24 * HOUR, -365 * 24 * HOUR]) {
    const clock = new FakeClock()
    const { alarms, read, told, said } = watch(clock)
    read(9)
    alarms.hear(DOOR, { type: 'open', at: clock.now() })
    await clock.advance(MINUTE)
    clock.jump(jump)
    read(9)
    await clock.advance(4 * MINUTE - 1)
    t.deepEqual(told(), [])
    await clock.advance(1)
    t.deepEqual(told(), ['door open raised'])
    t.is(said[0]?.alarm.since, clock.now() - 5 * MINUTE)
    await clock.advance(55 * MINUTE)
    t.deepEqual(told().slice(1), ['temperature high raised'])
  }
})

test('a clock that is set while nothing is said changes no duration either', async t => {
  for (const jump of [365 * 24 * HOUR, -365 * 24 * HOUR]) {
    const clock = new FakeClock()
    const { alarms, told, said } = watch(clock)
    alarms.hear(DOOR, { type: 'open', at: clock.now() })
    await clock.advance(MINUTE)
    clock.jump(jump)
    await clock.advance(4 * MINUTE - 1)
    t.deepEqual(told(), [])
    await clock.advance(1)
    t.deepEqual(told(), ['door open raised'])
    t.is(said[0]?.alarm.since, clock.now() - 5 * MINUTE)
  }
})

test('times are whole milliseconds also when the clock was set', async t => {
  const clock = new FakeClock()
  let part = 0.25
  const said: AlarmChange[] = []
  const alarms = new Alarms({
    node: 'node-1',
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic() + part,
      after: (ms, work) => clock.after(ms, work),
    },
    rulesOf: () => [{ type: 'open', forMs: 5 * MINUTE }],
  })
  alarms.subscribe(change => said.push(change))
  const since = clock.now()
  alarms.hear(DOOR, { type: 'open', at: since })
  part = 0.75
  clock.jump(HOUR)
  await clock.advance(6 * MINUTE)
  t.is(said[0]?.alarm.since, since + HOUR)
})

test('a clock that is behind what it was before a restart has let no time pass', async t => {
  const clock = new FakeClock()
  const first = watch(clock)
  first.read(9)
  await clock.advance(30 * MINUTE)
  const kept = first.alarms.keep()
  first.alarms[Symbol.dispose]()
  clock.jump(-365 * 24 * HOUR)
  const { read, told } = watch(clock, kept)
  read(9)
  await clock.advance(30 * MINUTE - 1)
  t.deepEqual(told(), [])
  await clock.advance(1)
  t.deepEqual(told(), ['temperature high raised'])
})

test('an alarm is acknowledged once, by whom, when and why, while it stands and when it is over', async t => {
  const clock = new FakeClock()
  const { alarms, read, said, told } = watch(clock)
  read(9)
  await clock.advance(HOUR)
  const id = said[0]?.alarm.id ?? ''
  t.is(alarms.acknowledge('000000000000', 'client/c1', 'nothing'), undefined)
  const at = clock.now()
  const acknowledged = { by: 'client/c1', comment: 'moved to the other one', at }
  t.deepEqual(
    alarms.acknowledge(id, 'client/c1', 'moved to the other one')?.acknowledged,
    acknowledged,
  )
  await clock.advance(1)
  t.deepEqual(alarms.acknowledge(id, 'client/c2', 'me too')?.acknowledged, acknowledged)
  t.deepEqual(alarms.standing()[0]?.acknowledged, acknowledged)
  read(4)
  t.deepEqual(alarms.past()[0]?.acknowledged, acknowledged)
  // The next excursion is another matter.
  read(9)
  await clock.advance(HOUR)
  t.is(alarms.standing()[0]?.acknowledged, undefined)
  read(4)
  const last = alarms.past().at(-1)?.id ?? ''
  t.is(alarms.acknowledge(last, 'client/c2', 'late')?.acknowledged?.comment, 'late')
  t.is(alarms.acknowledge(last, 'client/c1', 'later')?.acknowledged?.comment, 'late')
  t.is(told().filter(line => line.endsWith('acknowledged')).length, 2)
})

test('the alarms of a rule or a sensor that is there no more are over', async t => {
  const clock = new FakeClock()
  const first = watch(clock)
  first.read(9)
  first.alarms.hear(DOOR, { type: 'open', at: clock.now() })
  await clock.advance(HOUR)
  const [, unavailable] = RULES as [Rule, Rule]
  const { alarms, told, read } = watch(clock, first.alarms.keep(), [unavailable])
  alarms.keepOnly([AIR])
  t.deepEqual(told(), ['door open over'])
  read(9)
  t.deepEqual(told().slice(1), ['temperature high over'])
})

test('an alarm whose rule was changed or removed tells by what it was raised, and says no more than that of its end', async t => {
  const clock = new FakeClock()
  const first = watch(clock)
  first.read(11)
  await clock.advance(HOUR)
  const kept = first.alarms.keep()
  const warmer: Rule = { type: 'high', limit: 14, forMs: 0, hysteresis: 0.5 }
  const changed = watch(clock, kept, [warmer])
  t.like(changed.alarms.standing()[0], { limit: 8, forMs: HOUR })
  changed.read(11)
  const alarm = { limit: 8, forMs: HOUR, value: 11, ended: 'rule' } as const
  t.like(changed.said, [{ state: 'over', alarm }])
  t.is(changed.said.map(describeChange).join(), 'its rule was changed or removed')
  changed.read(15)
  t.like(changed.said.at(-1), { state: 'raised', alarm: { limit: 14, forMs: 0 } })
  const removed = watch(clock, kept, [])
  removed.alarms.keepOnly([AIR])
  t.like(removed.said, [{ state: 'over', alarm: { ended: 'rule' } }])
  const gone = watch(clock, kept)
  gone.alarms.keepOnly([DOOR])
  t.like(gone.said, [{ state: 'over', alarm: { ended: 'sensor' } }])
  t.is(gone.said.map(describeChange).join(), 'its sensor was removed')
  const colder = watch(clock, kept, [{ ...warmer, limit: 5 }])
  colder.read(7)
  t.like(colder.alarms.standing()[0], { limit: 8 })
  colder.read(4)
  t.is(colder.said.map(describeChange).join(), '4.00 °C, back below 8 °C; it was 11.00 °C')
})

test('of alarms that are over the newest are kept', t => {
  const clock = new FakeClock()
  const { alarms, read } = watch(clock, undefined, [
    { type: 'high', limit: 8, forMs: 0, hysteresis: 0 },
  ])
  for (let times = 0; times < MAX_PAST + 10; times += 1) {
    read(9 + times)
    read(4)
  }
  t.is(alarms.past().length, MAX_PAST)
  t.is(alarms.past().at(-1)?.extreme, 9 + MAX_PAST + 9)
})
