import test from 'ava'
import { parseMoment } from '../../cli/moment.ts'
import { UTC, Zone, zoneOf } from '../../cli/zone.ts'

const berlin = new Zone('Europe/Berlin')
const kolkata = new Zone('Asia/Kolkata')

/** Clocks in Berlin go forward at 01:00 UTC on 29 March 2026, and back on 25 October. */
const FORWARD = Date.UTC(2026, 2, 29, 1)
const BACK = Date.UTC(2026, 9, 25, 1)

test('a moment is told as the clock on the wall shows it, with the offset of that day', t => {
  t.is(berlin.iso(FORWARD - 1), '2026-03-29T01:59:59.999+01:00')
  t.is(berlin.iso(FORWARD), '2026-03-29T03:00:00.000+02:00')
  t.is(kolkata.minute(Date.UTC(2026, 0, 1)), '2026-01-01 05:30')
  t.is(new Zone('America/St_Johns').iso(Date.UTC(2026, 0, 1)), '2025-12-31T20:30:00.000-03:30')
  t.is(UTC.iso(FORWARD), '2026-03-29T01:00:00.000Z')
})

test('a day begins at midnight there, and has 23, 24 or 25 hours', t => {
  const begin = berlin.startOfDay(FORWARD)
  t.is(begin, Date.UTC(2026, 2, 28, 23))
  t.is(berlin.startOfDay(FORWARD + 86_400_000) - begin, 23 * 3_600_000)
  const autumn = berlin.startOfDay(BACK)
  t.is(berlin.startOfDay(BACK + 86_400_000) - autumn, 25 * 3_600_000)
  t.is(kolkata.startOfDay(Date.UTC(2026, 0, 1)), Date.UTC(2025, 11, 31, 18, 30))
})

test('what a clock on the wall shows twice, or never, is a moment all the same', t => {
  const twice = berlin.momentOf(Date.UTC(2026, 9, 25, 2, 30))
  t.true([BACK - 1_800_000, BACK + 1_800_000].includes(twice))
  const never = berlin.momentOf(Date.UTC(2026, 2, 29, 2, 30))
  t.true(Math.abs(never - FORWARD) <= 3_600_000)
})

test('a moment without an offset is read in the zone in which moments are printed', t => {
  t.is(parseMoment('2026-03-01', 0, berlin), Date.UTC(2026, 1, 28, 23))
  t.is(parseMoment('2026-07-01T08:30', 0, berlin), Date.UTC(2026, 6, 1, 6, 30))
  t.is(parseMoment('2026-07-01T08:30Z', 0, berlin), Date.UTC(2026, 6, 1, 8, 30))
  t.is(parseMoment('2026-07-01T08:30', 0), Date.UTC(2026, 6, 1, 8, 30))
})

test('the zone is that of TZ, of the machine where TZ names none, and UTC where that is asked for', t => {
  t.is(zoneOf({}, { TZ: 'Asia/Kolkata' }).name, 'Asia/Kolkata')
  t.is(zoneOf({}, { TZ: ':Europe/Berlin' }).name, 'Europe/Berlin')
  t.is(zoneOf({ utc: true }, { TZ: 'Asia/Kolkata' }).name, 'UTC')
  t.is(zoneOf({}, { TZ: 'CET-1CEST,M3.5.0' }).name, zoneOf({}, {}).name)
})

test('a moment that cannot be is told as such', t => {
  for (const at of [NaN, 1e300, -8.64e15]) {
    t.deepEqual(
      [berlin.iso(at), berlin.second(at), berlin.minute(at), berlin.day(at)],
      Array.from({ length: 4 }, () => 'an impossible time'),
    )
  }
})
