import test from 'ava'
import type { Alarm } from '../../../node/alarms/alarm.ts'
import { AlarmMemory } from '../../../node/client/alarm-memory.ts'

const ALARM: Alarm = {
  id: '0123456789ab',
  node: 'node-1',
  sensor: 'temperature',
  kind: 'temperature',
  rule: 'high',
  limit: 8,
  forMs: 0,
  since: 1,
  raisedAt: 2,
  value: 9.5,
  extreme: 11,
}

test('an alarm that was over while no node was connected is told without a reading that ended it', t => {
  const memory = new AlarmMemory()
  t.deepEqual(memory.take('raised', ALARM), [{ state: 'raised', alarm: ALARM }])
  t.deepEqual(memory.begin([ALARM.id]), [])
  const { value: _value, ...alarm } = ALARM
  t.deepEqual(memory.begin([]), [{ state: 'over', alarm }])
  t.deepEqual(memory.standing, [])
})
