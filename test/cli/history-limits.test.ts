import test from 'ava'
import { BEGIN, HOUR_MS, makeHistory, RETENTION, type TestHistory } from '../support/history.ts'
import { folderOf } from '../support/history-day.ts'

const MINUTE_MS = 60_000
const HOUR = ['--from', '2026-01-01', '--to', '2026-01-01T01:00']

/** Readings every two seconds, and above 8 °C for 58 seconds from 00:10:01 on. */
function recordWarmth(history: TestHistory, untilMs: number): void {
  for (let ms = 1_000; ms < untilMs; ms += 2_000) {
    const isWarm = ms >= 10 * MINUTE_MS + 1_000 && ms < 11 * MINUTE_MS - 1_000
    history.reading(isWarm ? 9.5 : 4, BEGIN + ms)
  }
}

test('an excursion lasts as long as readings say, and no minute longer', async t => {
  const history = await makeHistory(t)
  recordWarmth(history, HOUR_MS)
  history.writer().end(BEGIN + HOUR_MS, 'the node stopped')
  const { run } = folderOf(history)
  const asked = ['--high', '8', '--high-for', '10s']
  const show = await run('show', 'temperature', ...HOUR, ...asked)
  t.regex(show.out, /^above 8\.00 °C from 2026-01-01 00:10 for 58s, at worst 9\.50 °C;/m)
  const longer = await run('show', 'temperature', ...HOUR, '--high', '8', '--high-for', '59s')
  t.regex(longer.out, /^no limit was passed for longer than it may be; outside for 58s in all$/m)
})

test('a report whose limits were passed for less than is allowed says for how long', async t => {
  const history = await makeHistory(t)
  recordWarmth(history, HOUR_MS)
  history.writer().end(BEGIN + HOUR_MS, 'the node stopped')
  const { run } = folderOf(history)
  const preset = ['--preset', 'vaccine-refrigerator']
  const { out } = await run('report', 'temperature', ...HOUR, ...preset)
  t.regex(
    out,
    /<p class="verdict well">Never outside its limits for longer than allowed; outside for 58s in all\./,
  )
  t.regex(out, /None was passed for longer than it may be; outside for 58s in all\./)
  const well = await run('report', 'temperature', ...HOUR, '--low', '2')
  t.regex(well.out, /<p class="verdict well">Within its limits whenever it was read\./)
  t.regex(well.out, /<p>None was passed\.<\/p>/)
})

test('a door is open for a part of the time that is known, not of the gaps beside it', async t => {
  const history = await makeHistory(t)
  history.move('close', BEGIN + 1_000)
  history.move('open', BEGIN + 6 * MINUTE_MS)
  history.reading(4, BEGIN + 10 * MINUTE_MS)
  history.writer().end(BEGIN + 10 * MINUTE_MS, 'the node stopped')
  const { run } = folderOf(history)
  const door = await run('report', 'door', ...HOUR)
  t.regex(door.out, /4m <small>40\.0\u00A0% of the time that is known</)
  t.regex(door.out, /16\.6\u00A0% of the time</)
  const beside = await run('report', 'temperature', ...HOUR)
  t.regex(beside.out, /open for 4m in all \(40\.0\u00A0% of the time that is known\)/)
})

test('where most of the time nothing is known, a report says that first, and calls nothing well', async t => {
  const history = await makeHistory(t)
  recordWarmth(history, 10 * MINUTE_MS)
  history.writer().end(BEGIN + 10 * MINUTE_MS, 'the node stopped')
  const { run } = folderOf(history)
  const { out } = await run('report', 'temperature', ...HOUR, '--high', '8')
  t.regex(
    out,
    /<p class="verdict">Nothing is known of 50m 1s \(83\.3\u00A0% of the time\)\. Within its limits whenever it was read\.</,
  )
  const span = ['--from', '2026-01-01T00:30', '--to', '2026-01-01T01:00']
  const nothing = await run('report', 'temperature', ...span, '--high', '8')
  t.regex(
    nothing.out,
    /<p class="verdict">Nothing is known of 30m \(100\u00A0% of .*It was never read\.</,
  )
})

test('seconds are not looked for where only minutes are kept, and it is said from when on they are', async t => {
  const history = await makeHistory(t, { retention: { ...RETENTION, readingsMs: HOUR_MS } })
  recordWarmth(history, 3 * HOUR_MS)
  for (let second = 0; second < 10; second += 1) history.writer().flush()
  history.writer().end(BEGIN + 3 * HOUR_MS, 'the node stopped')
  const { run } = folderOf(history)
  const span = ['--from', '2026-01-01', '--to', '2026-01-01T03:00']
  const refused = await run('show', 'temperature', ...span, '--high', '8', '--high-for', '10s')
  t.is(refused.status, 2)
  t.regex(
    refused.err,
    /whether the high limit was passed for 10s is not known before 2026-01-01 0[12]:\d\d: of that time only minutes are kept/,
  )
  const [, from = ''] = /look from then on, --from (\S+),/.exec(refused.err) ?? []
  const later = ['--from', from, '--to', '2026-01-01T03:00']
  const answered = await run('show', 'temperature', ...later, '--high', '8', '--high-for', '10s')
  t.regex(answered.out, /^no limit was passed$/m)
  const well = await run('show', 'temperature', ...span, '--high', '10', '--high-for', '10s')
  t.regex(well.out, /^no limit was passed$/m, 'minutes tell that as well')
  const minutes = await run('show', 'temperature', ...span, '--high', '8', '--high-for', '1m')
  t.regex(minutes.out, /^above 8\.00 °C from 2026-01-01 00:10 for 1m, at worst/m)
})

test('two excursions hours apart last as long as readings say, with all that is well between', async t => {
  const history = await makeHistory(t)
  recordWarmth(history, HOUR_MS)
  for (let ms = HOUR_MS + 1_000; ms < 5 * HOUR_MS; ms += 10_000) {
    const isCold = ms > 4 * HOUR_MS && ms < 4 * HOUR_MS + 130_000
    history.reading(isCold ? 1 : 4, BEGIN + ms)
  }
  history.writer().end(BEGIN + 5 * HOUR_MS, 'the node stopped')
  const { run } = folderOf(history)
  const span = ['--from', '2026-01-01', '--to', '2026-01-01T05:00']
  const { out } = await run('show', 'temperature', ...span, '--high', '8', '--low', '2')
  t.regex(out, /^above 8\.00 °C from 2026-01-01 00:10 for 58s, at worst 9\.50 °C;/m)
  t.regex(out, /^below 2\.00 °C from 2026-01-01 04:00 for 2m 10s, at worst 1\.00 °C;/m)
})

test('an excursion goes on while nothing is read, and ends with the first reading that is well', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.reading(9.5, BEGIN + 10 * MINUTE_MS)
  history.reading(4, BEGIN + 3 * HOUR_MS)
  history.writer().end(BEGIN + 4 * HOUR_MS, 'the node stopped')
  const { run } = folderOf(history)
  const span = ['--from', '2026-01-01', '--to', '2026-01-01T04:00']
  const { out } = await run('show', 'temperature', ...span, '--high', '8', '--high-for', '10s')
  t.regex(out, /^above 8\.00 °C from 2026-01-01 00:10 for 2h 50m, at worst 9\.50 °C;/m)
})

test('a reading that came too fast to be kept counts with its minute', async t => {
  const history = await makeHistory(t)
  for (let index = 0; index < 4_200; index += 1) history.reading(4, BEGIN + MINUTE_MS)
  history.reading(9.5, BEGIN + MINUTE_MS)
  history.writer().flush()
  history.reading(4, BEGIN + 3 * MINUTE_MS)
  history.writer().end(BEGIN + 4 * MINUTE_MS, 'the node stopped')
  const { run } = folderOf(history)
  const { out } = await run('show', 'temperature', ...HOUR, '--high', '8')
  t.regex(out, /^above 8\.00 °C from 2026-01-01 00:01 for 2m, at worst 9\.50 °C;/m)
})
