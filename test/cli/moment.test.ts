import test from 'ava'
import { formatMoment, formatTimeOfDay } from '../../cli/moment.ts'

test('a time that no calendar has is shown as the number that it is, on either side of all times', t => {
  t.is(formatMoment(Date.UTC(2026, 2, 1, 8, 30)), '2026-03-01T08:30:00.000Z')
  for (const at of [9e15, -9e15, 1e300, -1e300]) t.is(formatMoment(at), String(at))
})

test('a time of day has no date, also in a year of more than four digits', t => {
  t.is(formatTimeOfDay(Date.UTC(2026, 2, 1, 8, 30)), '08:30:00.000')
  t.is(formatTimeOfDay(8.64e15), '00:00:00.000')
  t.is(formatTimeOfDay(9e15), String(9e15))
})
