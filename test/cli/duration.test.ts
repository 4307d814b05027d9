import test from 'ava'
import * as fc from 'fast-check'
import {
  formatDuration,
  formatRemaining,
  MAX_DURATION_MS,
  parseDuration,
} from '../../cli/duration.ts'

test('seconds, minutes, hours and days are read as milliseconds', t => {
  t.is(parseDuration('90s'), 90_000)
  t.is(parseDuration('15m'), 900_000)
  t.is(parseDuration('8h'), 28_800_000)
  t.is(parseDuration('30d'), 2_592_000_000)
  t.is(parseDuration('36500d'), MAX_DURATION_MS)
})

test('what is not a number with a unit, is nothing, or is absurdly long is refused', t => {
  const texts = [
    '',
    '90',
    's',
    '0s',
    '-1s',
    '1.5h',
    ' 1s',
    '1s ',
    '1s\n',
    '1S',
    '1w',
    '1ms',
    '1h30m',
  ]
  const long = ['36501d', '9999999999d', '1e3s', '0x1s', '٣s']
  for (const text of [...texts, ...long]) {
    t.throws(() => parseDuration(text), { code: 'ERR_USAGE', message: /is not a duration/ }, text)
  }
})

test('a duration is shown in its two greatest units', t => {
  for (const [ms, text] of [
    [0, '0ms'],
    [0.4, '0ms'],
    [999.9, '999ms'],
    [1000, '1s'],
    [90_500, '1m 30s'],
    [28_800_000, '8h'],
    [28_801_000, '8h'],
    [28_860_000, '8h 1m'],
    [187_200_000, '2d 4h'],
    [86_460_000, '1d'],
  ] as const) {
    t.is(formatDuration(ms), text)
  }
})

test('what is shown is never longer than the duration, and short of it by less than its last unit', t => {
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: MAX_DURATION_MS }), ms => {
      const shown = formatDuration(ms).split(' ').map(parseDuration)
      const sum = shown.reduce((total, part) => total + part, 0)
      const [first = 0] = shown
      return sum <= ms && ms - sum < first
    }),
  )
  t.pass()
})

test('a time that is left is told as it was typed a moment ago', t => {
  for (const typed of ['90s', '15m', '8h', '30d', '365d']) {
    const ms = parseDuration(typed)
    t.is(formatRemaining(ms), formatDuration(ms), typed)
    t.is(formatRemaining(ms - 1), formatDuration(ms), typed)
  }
  for (const [ms, text] of [
    [0, '0ms'],
    [1, '1s'],
    [59_001, '1m'],
    [7 * 3_600_000 + 58 * 60_000, '7h 58m'],
    [86_400_000 - 30_000, '1d'],
    [86_400_000 + 1, '1d 1h'],
  ] as const) {
    t.is(formatRemaining(ms), text)
  }
})

test('a time that is left is never told as less than it is, and as more by less than its last unit', t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_DURATION_MS }), ms => {
      const shown = formatRemaining(ms).split(' ').map(parseDuration)
      const sum = shown.reduce((total, part) => total + part, 0)
      const [first = 0] = shown
      return sum >= ms && sum - ms < first
    }),
  )
  t.pass()
})
