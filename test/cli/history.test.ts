import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { HOUR_MS } from '../../node/history/bucket.ts'
import { makeSharedCerts, startCluster, until } from '../support/cluster.ts'
import { runCommand } from '../support/cli.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { BEGIN, makeHistory, type TestHistory } from '../support/history.ts'

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

interface Folder {
  readonly history: TestHistory
  /** Run `fridge history …` on the folder, two days after it begins. */
  readonly run: (...args: string[]) => ReturnType<typeof runCommand>
}

/** A day of a fridge: warm for two hours, off for one, its thermometer silent for half an hour. */
async function aDay(t: ExecutionContext): Promise<Folder> {
  const history = await makeHistory(t)
  for (let minute = 0; minute < 1_440; minute += 1) {
    const moment = BEGIN + minute * 60_000
    if (minute === 600) history.writer().end(moment, 'the node stopped')
    if (minute === 660) history.restart(moment)
    if (minute >= 600 && minute < 660) continue
    if (minute === 900) history.unavailable('temperature', moment, 'no <answer>')
    if (minute >= 900 && minute < 930) continue
    history.reading(minute >= 300 && minute < 420 ? 9.5 : 4.25, moment)
    if (minute % 120 === 10) history.move('open', moment + 1_000)
    if (minute % 120 === 11) history.move('close', moment + 1_000)
  }
  const call = { subject: 'client/laptop-7', command: 'powerOff', outcome: 'done: power is off' }
  history.writer().command(call, BEGIN + 24 * HOUR_MS)
  history.writer().end(BEGIN + 24 * HOUR_MS, 'the node stopped')
  const clock = new FakeClock(BEGIN + 48 * HOUR_MS)
  const cwd = dirname(history.file)
  const run: Folder['run'] = async (...args) =>
    runCommand(['history', ...args, '--data', cwd], { clock, cwd })
  return { history, run }
}

const SPAN = ['--from', '2026-01-01', '--to', '2026-01-02']

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

test('history show says that nothing was recorded, by its exit status too', async t => {
  const { run } = await aDay(t)
  const { status, out } = await run(
    'show',
    'temperature',
    '--from',
    '2025-01-01',
    '--to',
    '2025-02-01',
  )
  t.is(status, 1)
  t.regex(out, /nothing was recorded of temperature/)
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
    'Outside its limits once, not acknowledged.',
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

test('limits that contradict each other, and presets that are not there, are refused with what was meant', async t => {
  const { run } = await aDay(t)
  const contradiction = await run('report', 'temperature', '--high', '2', '--low', '8')
  t.is(contradiction.status, 2)
  t.regex(contradiction.err, /--low 8 is not below --high 2/)
  t.regex(contradiction.err, /did you mean --low 2 --high 8\?/)
  const unknown = await run('report', 'temperature', '--preset', 'vaccines')
  t.is(unknown.status, 2)
  t.regex(unknown.err, /use one of vaccine-refrigerator, vaccine-freezer, food/)
  const backwards = await run('show', 'temperature', '--from', '1d', '--to', '2d')
  t.regex(backwards.err, /--from is not before --to/)
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
})
