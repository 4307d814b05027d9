import test from 'ava'
import type { Alarm, AlarmChange, AlarmState } from '../../../node/alarms/alarm.ts'
import { Outbox } from '../../../node/alarms/outbox.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function change(id: string, state: AlarmState = 'raised'): AlarmChange {
  const alarm: Alarm = {
    id,
    node: 'node-1',
    sensor: 'door',
    kind: 'door',
    rule: 'open',
    forMs: 0,
    since: 1,
    raisedAt: 1,
  }
  return { state, alarm }
}

/** A receiver that takes what a test lets it take. */
function start(takes: (change: AlarmChange) => boolean, unsent: readonly AlarmChange[] = []) {
  const clock = new FakeClock()
  const tried: string[] = []
  const lost: string[] = []
  const health: (string | undefined)[] = []
  let failures = 0
  let mended = 0
  const outbox: Outbox = new Outbox({
    clock,
    random: () => 0.5,
    log: { ...silentLog, error: (_fields, text) => void lost.push(text) },
    unsent,
    settled: async () => undefined,
    onChange: () => {},
    onHealth: () => void health.push(outbox.whyNot),
    receiver: 'the receiver',
    deliver: async told => {
      tried.push(`${told.alarm.id} ${told.state}`)
      if (!takes(told)) throw new Error('no')
    },
    describe: error => `it says ${(error as Error).message}`,
    onFailed: () => void (failures += 1),
    onMended: () => void (mended += 1),
  })
  return { clock, outbox, tried, lost, health, counts: () => ({ failures, mended }) }
}

const HOUR_MS = 3_600_000

test('what a receiver chokes on keeps no other alarm from it, and the changes of one stay in order', async t => {
  let isMended = false
  const { clock, outbox, tried, counts } = start(({ alarm }) => isMended || alarm.id !== 'a')
  outbox.tell(change('a'))
  outbox.tell(change('b'))
  outbox.tell(change('a', 'over'))
  await clock.advance(HOUR_MS)
  t.deepEqual(tried.slice(0, 6), [...Array.from({ length: 5 }, () => 'a raised'), 'b raised'])
  isMended = true
  await clock.advance(HOUR_MS)
  t.deepEqual(outbox.unsent, [])
  t.deepEqual(tried.slice(-2), ['a raised', 'a over'])
  t.deepEqual(counts(), { failures: 2, mended: 2 })
  await outbox[Symbol.asyncDispose]()
})

test('what the run before had not told is told first, and past a thousand the oldest is lost, and said', async t => {
  const { clock, outbox, tried, lost } = start(() => tried.length > 1, [change('first')])
  for (let count = 0; count < 1_000; count += 1) outbox.tell(change(String(count)))
  t.is(outbox.unsent.length, 1_000)
  t.deepEqual(lost, ['1000 changes of alarms wait for the receiver: one is lost'])
  await clock.advance(HOUR_MS)
  t.is(outbox.unsent.length, 0)
  await outbox[Symbol.asyncDispose]()
})

test('it is known why a receiver is told nothing, from the first failure until it is told again', async t => {
  let isMended = false
  const { clock, outbox, health } = start(() => isMended)
  t.is(outbox.whyNot, undefined)
  outbox.tell(change('a'))
  await clock.advance(HOUR_MS)
  t.is(outbox.whyNot, 'the receiver: it says no')
  isMended = true
  await clock.advance(HOUR_MS)
  t.is(outbox.whyNot, undefined)
  t.deepEqual(health, ['the receiver: it says no', undefined])
})
