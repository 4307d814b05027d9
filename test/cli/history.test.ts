import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { runCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster, until } from '../support/cluster.ts'
import { BEGIN, makeHistory, SENSORS } from '../support/history.ts'
import { aDay, folderOf, SPAN } from '../support/history-day.ts'

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

test('history show prints sums, and where nothing was recorded', async t => {
  const { run } = await aDay(t)
  const { status, out } = await run('show', 'temperature', ...SPAN, '--by', 'day')
  t.is(status, 0)
  t.regex(out, /^from \(UTC\) +lowest +highest +mean +readings +unavailable\n/)
  t.regex(out, /2026-01-01 {2}4\.25 °C {2}9\.50 °C {2}4\.72 °C {2}1350 +30m/)
  t.regex(out, /mean kinetic 4\.88 °C/)
  t.regex(out, /not recorded from 2026-01-01 10:00 to 2026-01-01 11:00 \(1h\)/)
  const door = await run('show', 'door', ...SPAN, '--by', 'day')
  t.regex(door.out, /2026-01-01 {2}11 +11m/)
})

test('history show of a time in which nothing was recorded is done, and says so', async t => {
  const { run } = await aDay(t)
  const span = ['--from', '2025-01-01', '--to', '2025-02-01']
  for (const flags of [[], ['--json']]) {
    const { status, out, err } = await run('show', 'temperature', ...span, ...flags)
    t.deepEqual([status, out], [0, ''])
    t.regex(err, /nothing was recorded of temperature/)
  }
})

test('history show tells every move, failure, start and stop, and who called what', async t => {
  const { run } = await aDay(t)
  const events = await run('show', 'temperature', ...SPAN, '--events')
  t.regex(events.out, /2026-01-01 15:00:00 {2}temperature {2}unavailable: no <answer>/)
  t.regex(events.out, /2026-01-01 10:00:00 {2}the node {2}stopped: the node stopped/)
  const commands = await run('show', 'temperature', '--from', '2026-01-01', '--commands')
  t.is(commands.out, '2026-01-02 00:00:00  node-1  client/laptop-7  powerOff  done: power is off')
})

test('history export prints a row for each minute, hour or reading', async t => {
  const { run } = await aDay(t)
  const hours = (await run('export', 'temperature', ...SPAN, '--by', 'hour')).out.split('\n')
  t.is(hours[0], 'from,lowest,highest,mean,unit,readings,recordedMs,unavailableMs')
  t.is(hours[6], '2026-01-01T05:00:00.000Z,9.5,9.5,9.5,C,60,3600000,0')
  t.is(hours.length, 24)
  const minutes = await run('export', 'temperature', ...SPAN, '--format', 'json')
  t.is(minutes.out.split('\n').length, 1_380)
  t.like(JSON.parse(minutes.out.split('\n')[900 - 60] ?? ''), { readings: 0, lowest: null })
  const readings = await run('export', 'temperature', ...SPAN, '--by', 'reading')
  t.regex(readings.out, /\n2026-01-01T05:00:00\.000Z,9\.5,C,\d+\n/)
})

test('a report names limits, extremes, excursions, openings, gaps and the digest, and needs nothing else', async t => {
  const { run, history } = await aDay(t)
  const preset = ['--preset', 'vaccine-refrigerator']
  const { status, err } = await run('report', 'temperature', ...SPAN, ...preset, '--out', 'r.html')
  t.is(status, 0)
  t.is(err, 'written to r.html')
  const page = await readFile(join(dirname(history.file), 'r.html'), 'utf8')
  for (const part of [
    'temperature of node-1',
    'Outside its limits once, acknowledged.',
    'client/c1, 2026-01-02 06:00: moved &lt;them&gt;',
    '<h2>Alarms of the node</h2>',
    'above 8 °C for more than 1h, at worst 9.50 °C',
    '9.50 °C <small>2026-01-01 05:00</small>',
    'Not above 8.00 °C for 1h or longer, not below 2.00 °C for 15m or longer.',
    '<td data-name="For">2h</td>',
    'opened 11 times, open for 11m in all',
    'not recorded',
    'unavailable: no &lt;answer&gt;',
  ]) {
    t.true(page.includes(part), part)
  }
  const [, digest = ''] = /--digest ([\w-]{43})</.exec(page) ?? []
  t.deepEqual((await history.verify(digest)).findings, [])
  t.false(/src=|href=|url\(http|<script/.test(page))
})

test('a plot shows the band in its limits, and hatches what is not known', async t => {
  const { run } = await aDay(t)
  const { out } = await run('plot', 'temperature', ...SPAN, '--high', '8', '--low', '2')
  t.regex(out, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  t.is(out.match(/fill="url\(#gap-900\)"/g)?.length, 1)
  t.is(out.match(/fill="url\(#outage-900\)"/g)?.length, 1)
  // One run of readings up to each of the two breaks, and one behind them.
  t.is(out.match(/fill="#a9c7e8"/g)?.length, 3)
  t.regex(out, />high 8</)
})

test('events, alarms and commands that are asked for at once are all printed', async t => {
  const { run } = await aDay(t)
  const span = ['--from', '2026-01-01']
  const all = await run('show', 'temperature', ...span, '--commands', '--events', '--alarms')
  const each = await Promise.all(
    ['--events', '--alarms', '--commands'].map(async one =>
      run('show', 'temperature', ...span, one),
    ),
  )
  t.is(all.out, each.map(({ out }) => out).join('\n'))
  const none = await run('show', 'door', '--from', '12h', '--events', '--alarms')
  t.is(none.status, 0)
  t.regex(none.err, /none of that was recorded of door from 2026-01-02 12:00/)
})

test('an export is JSON with --json as well, and not both that and CSV', async t => {
  const { run } = await aDay(t)
  const format = await run('export', 'door', ...SPAN, '--by', 'hour', '--format', 'json')
  const { out } = await run('export', 'door', ...SPAN, '--by', 'hour', '--json')
  t.is(out, format.out)
  t.deepEqual(Object.keys(JSON.parse(out.split('\n')[0] ?? '') as object), [
    'from',
    'openings',
    'openMs',
    'recordedMs',
    'unavailableMs',
  ])
  const both = await run('export', 'door', ...SPAN, '--json', '--format', 'csv')
  t.is(both.status, 2)
})

test('history verify finds what was altered, and shows the gaps of a sound one', async t => {
  const { history, run } = await aDay(t)
  const certs = dirname(history.file)
  await mkdir(join(certs, 'ca'))
  const pem = history.people.trust.authorities.map(authority => authority.toString()).join('')
  await writeFile(join(certs, 'ca/certificate.pem'), pem)
  const sound = await run('verify', '--certs', certs)
  t.is(sound.status, 0, sound.err)
  t.regex(sound.out, /gap: nothing was recorded from 2026-01-01 10:00 UTC for 1h/)
  t.regex(sound.out, /history\.db is sound \(25 signed hours, 2760 minutes, 1350 readings\)/)
  history.tamper('UPDATE sensorMinutes SET high = 8 WHERE high > 8 AND position = 6')
  const altered = await run('verify', '--certs', certs)
  t.is(altered.status, 1)
  t.regex(altered.out, /2026-01-01T05:00Z \(hour 6\): minutes of temperature were altered/)
})

test('a client and an operator see the history of a node that runs, through it', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  const { dir } = shared.certs
  const run = async (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand(['history', ...args, '--node', cluster.address(1), '--certs', dir])
  const show = ['show', 'temperature', '--events', '--from', '1h']
  await until(async () => (await run(...show)).out.includes('available'))
  const asClient = await run(...show, '--as', 'client/c1')
  t.is(asClient.status, 0, asClient.err)
  t.regex(asClient.out, /the node {2}started: the node started/)
  const commands = await run('show', 'temperature', '--commands', '--as', 'client/c1')
  t.is(commands.status, 4)
  const unknown = await run('show', 'cellar')
  t.regex(unknown.err, /there is no history of cellar/)
  t.regex(unknown.err, /name one of .*temperature/)
})

test('history show tells the door beside a sensor, what was passed for too long, and who knew of it', async t => {
  const { run } = await aDay(t)
  const { out } = await run('show', 'temperature', ...SPAN, '--preset', 'vaccine-refrigerator')
  const noted = 'acknowledged by client/c1, 2026-01-02 06:00: moved <them>'
  t.deepEqual(out.split('\n').slice(-4), [
    'door opened 11 times, open for 11m in all',
    `above 8.00 °C from 2026-01-01 05:00 for 2h, at worst 9.50 °C; ${noted}`,
    `alarm from 2026-01-01 05:00 for 2h: above 8 °C for more than 1h, at worst 9.50 °C; ${noted}`,
    'not recorded from 2026-01-01 10:00 to 2026-01-01 11:00 (1h)',
  ])
  const cold = await run('show', 'temperature', ...SPAN, '--low', '0')
  t.regex(cold.out, /^no limit was passed$/m)
  const alarms = await run('show', 'temperature', ...SPAN, '--alarms', '--json')
  t.like(JSON.parse(alarms.out), { id: '0123456789ab', sensor: 'temperature', node: 'node-1' })
  const events = await run('show', 'temperature', '--from', '2026-01-01', '--events')
  t.regex(events.out, /alarm acknowledged by client\/c1: moved <them> \(above 8 °C/)
  t.regex(events.out, /^2026-01-01 05:59:00 {2}temperature {2}alarm raised: above 8 °C/m)
})

test('an alarm that was acknowledged after the span of a report is acknowledged in it', async t => {
  const { run } = await aDay(t)
  const span = ['--from', '2026-01-01T04:00', '--to', '2026-01-01T08:00']
  const { out } = await run('report', 'temperature', ...span, '--high', '8')
  t.true(out.includes('client/c1, 2026-01-02 06:00'))
})

test('tables, exports, plots and reports tell moments in the zone of TZ and say which, or in UTC', async t => {
  const { runIn } = await aDay(t)
  const run = async (...args: string[]): ReturnType<typeof runCommand> =>
    runIn('Asia/Kolkata', ...args)
  const table = await run('show', 'temperature', ...SPAN, '--by', 'hour')
  const [head, first] = table.out.split('\n')
  t.regex(head ?? '', /^from \(Asia\/Kolkata\) /)
  // Midnight there is half past six in the evening before, in UTC: the first hour is that of 19:00.
  t.regex(first ?? '', /^2026-01-01 05:30 /)
  const rows = await run('export', 'temperature', '--from', '2026-01-01T05:30', '--by', 'hour')
  t.regex(rows.out.split('\n')[1] ?? '', /^2026-01-01T05:30:00\.000\+05:30,/)
  const page = await run('report', 'temperature', '--from', '2026-01-01')
  t.regex(page.out, /2026-01-01 00:00 to 2026-01-03 05:30, all times in Asia\/Kolkata/)
  const days = await run('show', 'temperature', '--from', '2026-01-01', '--by', 'day')
  t.deepEqual(
    days.out
      .split('\n')
      .slice(1, 3)
      .map(line => line.slice(0, 10)),
    ['2026-01-01', '2026-01-02'],
  )
  const plot = await run('plot', 'temperature', ...SPAN)
  t.regex(plot.out, />1 Jan</)
  t.regex(plot.out, />Asia\/Kolkata</)
  const utc = await run('show', 'temperature', ...SPAN, '--by', 'hour', '--utc')
  t.regex(utc.out, /^from \(UTC\) .*\n2026-01-01 00:00 /)
})

test('a time in which a sensor was not configured is a gap wherever gaps are told', async t => {
  const [door] = SENSORS
  const history = await makeHistory(t)
  for (let minute = 0; minute < 90; minute += 1) {
    const moment = BEGIN + minute * 60_000
    if (minute === 30 || minute === 60) {
      history.writer().end(moment, 'the node stopped')
      history.restart(moment, minute === 30 ? [door] : SENSORS)
    }
    history.reading(4, moment)
  }
  history.writer().end(BEGIN + 90 * 60_000, 'the node stopped')
  const { run } = folderOf(history)
  const span = ['--from', '2026-01-01', '--to', '2026-01-01T01:30']
  const show = await run('show', 'temperature', ...span)
  t.regex(show.out, /^not recorded from 2026-01-01 00:30 to 2026-01-01 01:00 \(30m\)$/m)
  const { out: report } = await run('report', 'temperature', ...span)
  t.regex(report, /<td data-name="For">30m<\/td><td data-name="Why">not recorded</)
  const { out: plot } = await run('plot', 'temperature', ...span)
  t.is(plot.match(/fill="url\(#gap-900\)"/g)?.length, 1)
})

test('a plot draws nothing where nothing is known, to the second', async t => {
  const history = await makeHistory(t)
  const minutes = (count: number): number => BEGIN + count * 60_000
  // It says nothing for ninety seconds, speaks until it is off, and is silent in between.
  history.writer().advance(minutes(1.5))
  for (let second = 90; second < 1_800; second += 5) {
    const moment = BEGIN + second * 1_000
    if (second === 900) history.unavailable('temperature', moment)
    if (second < 900 || second >= 915) history.reading(4, moment)
  }
  history.writer().end(minutes(30), 'the node stopped')
  const { run } = folderOf(history)
  const { out } = await run(
    'plot',
    'temperature',
    '--from',
    '2026-01-01',
    '--to',
    '2026-01-01T01:00',
  )
  const [, clip = ''] = /<clipPath id="known-900">(.*?)<\/clipPath>/.exec(out) ?? []
  const spans = Array.from(clip.matchAll(/x="([\d.]+)" y="12" width="([\d.]+)"/g), ([, x, width]) =>
    [Number(x), Number(x) + Number(width)].map(at => Math.round(((at - 46) / 840) * 3_600)),
  )
  t.deepEqual(spans, [
    [90, 900],
    [915, 1_800],
  ])
  const [, clipped = ''] = /<g clip-path="url\(#known-900\)">(.*?)<\/g>/s.exec(out) ?? []
  t.is(clipped.match(/<path/g)?.length, out.match(/stroke-linejoin|#a9c7e8/g)?.length)
})

test('a line begins with the minute of its first reading, wherever the span begins', async t => {
  const history = await makeHistory(t)
  for (let second = 600; second < 1_800; second += 5) history.reading(4, BEGIN + second * 1_000)
  history.writer().end(BEGIN + 30 * 60_000, 'the node stopped')
  const { run } = folderOf(history)
  const span = ['--from', '2026-01-01T00:00:26', '--to', '2026-01-01T01:00:26']
  const { out } = await run('plot', 'temperature', ...span)
  const [, begin = '', end = ''] =
    /<path d="M([\d.]+) .*L([\d.]+) [\d.]+" fill="none" stroke="#15549a"/.exec(out) ?? []
  const seconds = [begin, end].map(x => ((Number(x) - 46) / 840) * 3_600 + 26)
  t.deepEqual(
    seconds.map(at => Math.round(at / 10) * 10),
    [600, 1_800],
  )
})
