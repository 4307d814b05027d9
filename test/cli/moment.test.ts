import test from 'ava'
import { formatMoment } from '../../cli/moment.ts'

test('a time that no calendar has is shown as the number that it is, on either side of all times', t => {
  t.is(formatMoment(Date.UTC(2026, 2, 1, 8, 30)), '2026-03-01T08:30:00.000Z')
  for (const at of [9e15, -9e15, 1e300, -1e300]) t.is(formatMoment(at), String(at))
})
