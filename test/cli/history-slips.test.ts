import { mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { pragma } from '../../node/lib/sqlite.ts'
import { aDay, SPAN } from '../support/history-day.ts'

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
  const alone = await run('report', 'temperature', '--low', '2', '--high-for', '60m')
  t.is(alone.status, 2)
  t.regex(alone.err, /--high-for was given without --high/)
})

test('a limit that says nothing of a kind of sensor is refused, as the rules of a node are', async t => {
  const { run } = await aDay(t)
  for (const command of ['report', 'plot', 'show']) {
    const preset = await run(command, 'door', ...SPAN, '--preset', 'vaccine-refrigerator')
    t.is(preset.status, 2, command)
    t.regex(preset.err, /--preset vaccine-refrigerator says nothing of door, a door/)
    const high = await run(command, 'door', ...SPAN, '--high', '8')
    t.regex(high.err, /--high 8 says nothing of door, a door/)
    const far = await run(command, 'temperature', ...SPAN, '--high', '500')
    t.is(far.status, 2, command)
    t.regex(far.err, /give one from -100 to 200 °C/)
  }
})

test('what is no digest is refused before anything is checked against it', async t => {
  const { run } = await aDay(t)
  const { status, err } = await run('verify', '--digest', 'xyz')
  t.is(status, 2)
  t.regex(err, /--digest "xyz" is no digest/)
})

test('a span that has not begun yet is told as such', async t => {
  const { run } = await aDay(t)
  for (const end of [[], ['--to', '2031-01-01']]) {
    const { status, err } = await run('show', 'temperature', '--from', '2030-01-01', ...end)
    t.is(status, 2)
    t.regex(err, /--from 2030-01-01 lies in the future/)
    t.regex(err, /before now, which is 2026-01-03 00:00 \(UTC\)/)
  }
  const { err } = await run('show', 'temperature', '--to', '2031-01-01')
  t.regex(err, /--to 2031-01-01 lies in the future/)
})

test('a sensor that the history does not know is told with the one that was meant, or with all', async t => {
  const { run } = await aDay(t)
  for (const command of ['show', 'export', 'plot', 'report']) {
    const near = await run(command, 'temprature')
    t.regex(
      near.err,
      /there is no history of temprature\n {2}to mend it: did you mean temperature\?/,
    )
    const far = await run(command, 'cellar')
    t.regex(far.err, /to mend it: name one of door, temperature$/)
  }
  const none = await run('show', 'Te mp')
  t.is(none.status, 2)
  t.regex(none.err, /"Te mp" is no name of a sensor\n {2}to mend it: name one of door, temp/)
  const commands = await run('show', 'cellar', '--commands')
  t.regex(commands.err, /there is no history of cellar/)
})

test('an export without rows has its head, and says that there is nothing', async t => {
  const { run } = await aDay(t)
  const span = ['--from', '2025-01-01', '--to', '2025-01-02']
  const minutes = await run('export', 'temperature', ...span)
  t.is(minutes.status, 0)
  t.is(minutes.out, 'from,lowest,highest,mean,unit,readings,recordedMs,unavailableMs')
  t.regex(minutes.err, /^nothing was recorded of temperature from 2025-01-01 00:00/)
  const readings = await run('export', 'temperature', ...span, '--by', 'reading')
  t.is(readings.out, 'at,value,unit,number')
  t.regex(readings.err, /^no reading is kept of temperature/)
  const json = await run('export', 'door', ...span, '--json')
  t.deepEqual([json.status, json.out], [0, ''])
})

test('a history with a damaged page says what cannot be read of it, and what is to be done', async t => {
  const { history, run } = await aDay(t)
  const certs = dirname(history.file)
  await mkdir(join(certs, 'ca'))
  const pem = history.people.trust.authorities.map(authority => authority.toString()).join('')
  await writeFile(join(certs, 'ca/certificate.pem'), pem)
  await damagePages(history.file, 'sensorMinutes')
  const span = [...SPAN, '--by', 'minute']
  for (const args of [
    ['verify', '--certs', certs],
    ['show', 'temperature', ...span],
    ['report', 'temperature', ...SPAN],
    ['export', 'temperature', ...SPAN],
  ]) {
    const { status, err } = await run(...args)
    t.is(status, 1, args[0])
    t.regex(err, /history\.db is damaged: minutes cannot be read whole/, args[0])
    t.regex(err, /to mend it: .*sqlite3 .*history\.db \.dump/, args[0])
  }
})

test('whoever verifies a history is told of the damaged one that it took the place of', async t => {
  const { history, run } = await aDay(t)
  const certs = dirname(history.file)
  await mkdir(join(certs, 'ca'))
  const pem = history.people.trust.authorities.map(authority => authority.toString()).join('')
  await writeFile(join(certs, 'ca/certificate.pem'), pem)
  const alone = await run('verify', '--certs', certs)
  t.is(alone.err, '')
  await writeFile(`${history.file}.damaged`, 'what is left')
  const { status, err } = await run('verify', '--certs', certs)
  t.is(status, 0)
  t.regex(err, /an earlier history was damaged, and is not checked: .*history\.db\.damaged/)
  t.regex(err, /to mend it: .*sqlite3 .*history\.db\.damaged \.dump/)
})

/** Overwrite the pages below the root of a table. */
async function damagePages(file: string, table: string): Promise<void> {
  using database = new DatabaseSync(file)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const page = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)
  const size = Number(pragma(database, 'page_size'))
  await using handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(size, 0xff), 0, size, size * (Number(page?.['rootpage']) - 1))
}
