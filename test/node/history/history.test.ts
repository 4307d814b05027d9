import { existsSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { HOUR_MS, MINUTE_MS } from '../../../node/history/bucket.ts'
import { History, type HistoryOptions } from '../../../node/history/history.ts'
import type { HistoryPage, HistoryTable } from '../../../node/history/page.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { ClusterLog } from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { BEGIN, celsius, makeHistoryPeople, RETENTION, SENSORS } from '../../support/history.ts'
import { playFeeds } from '../../support/played-feeds.ts'

const MIN_FREE = 1_000_000

interface Running {
  readonly file: string
  readonly clock: FakeClock
  readonly history: History
  readonly log: ClusterLog
  readonly stop: () => void
  /** Free space of the disk from now on. */
  free: number
  say(sensor: string, event: SensorEvent): void
  page(table: HistoryTable, sensor?: string): Promise<HistoryPage>
}

/** A history that records what a test says, on a clock that a test moves. */
async function start(
  t: ExecutionContext,
  prepare: (file: string) => void = () => {},
  over: Partial<HistoryOptions> = {},
  begin = BEGIN,
): Promise<Running> {
  const file = join(await makeTestFolder(t), 'history.db')
  prepare(file)
  const people = await makeHistoryPeople()
  const clock = new FakeClock(begin)
  const log = new ClusterLog()
  const feeds = playFeeds(SENSORS)
  const running = { free: MIN_FREE * 10 }
  const history = new History({
    node: 'node-1',
    file,
    retention: RETENTION,
    minFreeBytes: MIN_FREE,
    signing: () => people.node('node-1'),
    clock,
    random: () => 0,
    log: log.of('node-1'),
    freeBytes: () => running.free,
    ...over,
  })
  const following = history.follow(feeds)
  t.teardown(async () => {
    following[Symbol.dispose]()
    await history[Symbol.asyncDispose]()
  })
  return Object.assign(running, {
    file,
    clock,
    history,
    log,
    stop: () => following[Symbol.dispose](),
    say: feeds.say,
    page: async (table: HistoryTable, sensor = 'temperature'): Promise<HistoryPage> => {
      const span = { from: 0, to: BEGIN + 1_000 * HOUR_MS }
      const page = history.page({ sensor, table, ...span, after: null })
      await clock.advance(0)
      return await page
    },
  })
}

async function types(node: Running): Promise<unknown[]> {
  const { rows } = await node.page('events', 'door')
  return rows.map(([, , , type]) => type)
}

test('a minute that has just ended is not left out until it is written', async t => {
  const node = await start(t, undefined, {}, BEGIN + 40_500)
  node.say('temperature', celsius(4, node.clock.now()))
  await node.clock.advance(19_000)
  node.say('temperature', celsius(5, node.clock.now()))
  // So that the minute ends between two writes.
  node.clock.jump(800)
  node.say('temperature', celsius(6, node.clock.now()))
  const [minute, ...others] = (await node.page('minutes')).rows
  t.deepEqual([minute?.slice(3, 6), others], [[1, 4, 4], []])
  const [hour] = (await node.page('hours')).rows
  t.deepEqual(hour?.slice(3, 6), [1, 4, 4])
  await node.clock.advance(700)
  t.deepEqual(
    (await node.page('hours')).rows.map(row => row.slice(3, 6)),
    [[3, 4, 6]],
  )
})

test('what the sensors say can be read a second later', async t => {
  const node = await start(t)
  node.say('temperature', celsius(4.5, BEGIN))
  node.say('door', { type: 'open', at: BEGIN })
  await node.clock.advance(1_000)
  t.deepEqual((await node.page('readings')).rows, [[3, BEGIN, 4.5]])
  t.deepEqual(await types(node), ['started', 'open'])
  await node.clock.advance(2 * HOUR_MS)
  const { rows } = await node.page('hours')
  t.deepEqual(
    rows.map(([start, recordedMs, , count]) => [start, recordedMs, count]),
    [
      [BEGIN, HOUR_MS, 1],
      [BEGIN + HOUR_MS, HOUR_MS, 0],
      [BEGIN + 2 * HOUR_MS, 1_000, 0],
    ],
  )
  t.deepEqual((await node.page('signed')).rows.length, 1)
})

test('a clock that is set back a year ends the hour, and recording goes on where the clock is', async t => {
  const node = await start(t)
  node.say('temperature', celsius(4, BEGIN))
  await node.clock.advance(10 * MINUTE_MS)
  node.clock.jump(-365 * 24 * HOUR_MS)
  node.say('temperature', celsius(5, node.clock.now()))
  await node.clock.advance(10 * MINUTE_MS)
  t.deepEqual(await types(node), ['clock', 'started'].toReversed())
  const { rows } = await node.page('readings')
  t.deepEqual(
    rows.map(([, , value]) => value),
    [4, 5],
  )
  t.true(node.log.lines.some(({ text }) => text === 'the clock was set, or the machine slept'))
})

test('a clock that is corrected by a second counts on', async t => {
  const node = await start(t)
  await node.clock.advance(10_000)
  node.clock.jump(-1_000)
  await node.clock.advance(MINUTE_MS)
  t.deepEqual(await types(node), ['started'])
})

test('a disk that fills stops recording while there is room for the whitelist, and recording begins again by itself', async t => {
  const node = await start(t)
  const said: (string | undefined)[] = []
  node.history.subscribe(() => said.push(node.history.whyNot))
  node.say('door', { type: 'open', at: BEGIN })
  node.free = MIN_FREE - 1
  await node.clock.advance(10_000)
  t.regex(node.history.whyNot ?? '', /less than 1 MiB are free/)
  const [line] = node.log.lines.filter(({ level }) => level === 'error')
  t.is(line?.text, 'history is not recorded')
  t.regex(String(line?.fields['fix']), /free some space/)
  node.say('temperature', celsius(4, node.clock.now()))
  t.deepEqual(await types(node), ['started', 'open', 'stopped'], 'what is there can be read')

  await node.clock.advance(10 * MINUTE_MS)
  t.is(node.log.lines.filter(({ level }) => level === 'error').length, 1)
  node.free = MIN_FREE * 2
  await node.clock.advance(MINUTE_MS)
  t.is(node.history.whyNot, undefined)
  t.is(said.length, 2)
  t.regex(said[0] ?? '', /less than 1 MiB/)
  t.deepEqual(await types(node), ['started', 'open', 'stopped', 'started', 'open'])
  const stretches = (await node.page('stretches')).rows
  t.is(stretches.length, 2)
  t.true(node.log.lines.some(({ text }) => text === 'history is recorded again'))
})

test('a history that another program has locked is not recorded, until it lets go', async t => {
  const node = await start(t)
  const other = new DatabaseSync(node.file)
  other.exec('BEGIN IMMEDIATE')
  node.say('temperature', celsius(4, BEGIN))
  await node.clock.advance(1_000)
  t.regex(node.history.whyNot ?? '', /cannot use .*locked/)
  other.exec('ROLLBACK')
  other.close()
  await node.clock.advance(MINUTE_MS)
  t.is(node.history.whyNot, undefined)
})

test('a damaged history is moved aside and another one begins', async t => {
  const node = await start(t, file => writeFileSync(file, 'x'.repeat(8_192)))
  t.true(existsSync(`${node.file}.damaged`))
  await node.clock.advance(1_000)
  t.is(node.history.whyNot, undefined)
  node.say('temperature', celsius(4, node.clock.now()))
  await node.clock.advance(1_000)
  t.is((await node.page('readings')).rows.length, 1)
  const [error] = node.log.lines.filter(({ level }) => level === 'error')
  t.regex(String(error?.fields['reason']), /is damaged/)
  t.true(String(error?.fields['fix']).includes(`sqlite3 ${node.file}.damaged .dump`))
})

test('a history that cannot be opened is not read either, and it is said why', async t => {
  const node = await start(t, file => {
    writeFileSync(file, 'x'.repeat(8_192))
    writeFileSync(`${file}.damaged`, 'the first')
  })
  await t.throwsAsync(node.page('readings'), {
    message: /^the history cannot be read now: .* is damaged/,
  })
})

test('a second damaged history stays where it is: copies would fill the disk', async t => {
  const node = await start(t, file => {
    writeFileSync(file, 'x'.repeat(8_192))
    writeFileSync(`${file}.damaged`, 'the first')
  })
  await node.clock.advance(10 * MINUTE_MS)
  t.regex(node.history.whyNot ?? '', /is damaged/)
})

test('a history of a newer version is left as it is, and it is said which program reads it', async t => {
  const node = await start(t, file => {
    const database = new DatabaseSync(file)
    database.exec('PRAGMA application_id = 0x66726468; PRAGMA user_version = 2; CREATE TABLE t (x)')
    database.close()
  })
  await node.clock.advance(10 * MINUTE_MS)
  t.regex(node.history.whyNot ?? '', /is of version 2, this fridge reads version 1/)
  t.false(existsSync(`${node.file}.damaged`))
})

test('a node that stops ends its hour and signs it', async t => {
  const node = await start(t)
  node.say('temperature', celsius(4, BEGIN))
  await node.clock.advance(90_000)
  node.stop()
  const database = new DatabaseSync(node.file, { readOnly: true })
  const rows = database.prepare('SELECT begin, end, digest IS NULL AS isOpen FROM hours').all()
  database.close()
  t.deepEqual(
    rows.map(row => ({ ...row })),
    [{ begin: BEGIN, end: BEGIN + 90_000, isOpen: 0 }],
  )
  t.is(node.clock.pending, 0)
})

test('a sensor that nobody knows has no history, and it is said which have one', async t => {
  const node = await start(t)
  const error = await t.throwsAsync(node.page('readings', 'cellar'))
  t.is(error.message, 'there is no history of cellar')
})
