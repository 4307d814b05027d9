import test from 'ava'
import { HOUR_MS } from '../../../node/history/bucket.ts'
import { BEGIN, makeHistory, SENSORS, type TestHistory } from '../../support/history.ts'

/** Three hours of a door and a thermometer, signed; the node has stopped. */
async function threeHours(t: Parameters<typeof makeHistory>[0]): Promise<TestHistory> {
  const history = await makeHistory(t)
  for (let second = 0; second < 3 * 3_600; second += 60) {
    const moment = BEGIN + second * 1_000
    history.reading(4 + (second % 7) / 10, moment)
    if (second % 1_200 === 0) history.move(second % 2_400 === 0 ? 'open' : 'close', moment)
    if (second === 5_400) {
      history
        .writer()
        .command({ subject: 'client/laptop-7', command: 'powerOff', outcome: 'done: off' }, moment)
    }
  }
  history.writer().end(BEGIN + 3 * HOUR_MS - 1, 'the node stopped')
  return history
}

const TAMPERINGS: readonly [what: string, sql: string, finding: RegExp][] = [
  [
    'a reading is altered',
    'UPDATE readings SET value = 4 WHERE number = (SELECT max(number) FROM readings)',
    /readings of temperature/,
  ],
  [
    'the time of a reading is altered',
    'UPDATE readings SET at = at - 1 WHERE number = (SELECT max(number) FROM readings)',
    /readings of temperature/,
  ],
  ['a reading is removed', 'DELETE FROM readings WHERE number = 50', /readings of temperature/],
  [
    'a reading is added',
    'INSERT INTO readings SELECT sensor, 1, at, value FROM readings WHERE number = 50',
    /readings of temperature/,
  ],
  [
    'a reading of a sensor that was not there is added',
    'INSERT INTO readings VALUES (77, 50, 1, 4)',
    /1 readings that belong to no hour/,
  ],
  [
    'a minute is altered',
    'UPDATE sensorMinutes SET high = 7 WHERE position = 2 AND minute = 5 AND sensor = 2',
    /2026-01-01T01:00Z \(hour 2\): minutes of temperature/,
  ],
  [
    'a minute is removed',
    'DELETE FROM sensorMinutes WHERE position = 2 AND minute = 5',
    /minutes of door/,
  ],
  [
    'a minute is added',
    'INSERT INTO sensorMinutes SELECT 77, position, minute, 1, 1, 1, 1, 1, 1, 1, 1 FROM sensorMinutes WHERE position = 2 AND sensor = 2',
    /60 minutes that belong to no hour/,
  ],
  [
    'the sum of an hour is altered',
    'UPDATE sensorHours SET high = 7 WHERE position = 2',
    /its sums or its frame were altered/,
  ],
  [
    'the sums of a sensor are removed',
    'DELETE FROM sensorHours WHERE position = 2 AND sensor = 2',
    /its sums or its frame were altered/,
  ],
  ['an hour is removed', 'DELETE FROM hours WHERE position = 2', /hours are missing before it/],
  [
    'the beginning of an hour is altered',
    'UPDATE hours SET begin = begin + 1 WHERE position = 2',
    /its sums or its frame were altered/,
  ],
  [
    'what must be kept is altered',
    'UPDATE hours SET readingsFrom = 3 WHERE position = 3',
    /its sums or its frame were altered/,
  ],
  ['a move is removed', "DELETE FROM events WHERE type = 'open'", /events were altered/],
  ['a move is added', "INSERT INTO events VALUES (9, 1, 1, 'open', '')", /events were altered/],
  [
    'a command is altered',
    "UPDATE commands SET subject = 'client/somebody-else'",
    /commands were altered/,
  ],
  ['a command is removed', 'DELETE FROM commands', /commands were altered/],
  [
    'a signature is altered',
    "UPDATE hours SET signature = 'AAAA' WHERE position = 2",
    /its signature does not hold/,
  ],
  ['a sensor is given another name', "UPDATE sensors SET name = 'cellar' WHERE id = 2", /altered/],
  ['the certificates are removed', 'DELETE FROM certificates', /missing or not trusted/],
]

test('a history that nobody touched is sound, to the last command', async t => {
  const history = await threeHours(t)
  const verification = await history.verify()
  t.deepEqual(verification.findings, [])
  t.is(verification.hours, 3)
  t.is(verification.readings, 180)
  t.is(verification.minutes, 360)
  t.is(verification.unsigned, 0)
  t.deepEqual((await history.verify(verification.digest)).findings, [])
})

for (const [what, sql, finding] of TAMPERINGS) {
  test(`it is found when ${what}`, async t => {
    const history = await threeHours(t)
    history.tamper(sql)
    const { findings } = await history.verify()
    t.regex(findings.map(({ place, problem }) => `${place}: ${problem}`).join('\n'), finding)
  })
}

test('hours that were cut off at the end are found by a digest that was noted before', async t => {
  const history = await threeHours(t)
  const { digest } = await history.verify()
  history.tamper(
    `DELETE FROM hours WHERE position = 3; DELETE FROM sensorHours WHERE position = 3;
     DELETE FROM sensorMinutes WHERE position = 3;
     DELETE FROM readings WHERE number > (SELECT last FROM hours WHERE position = 2);
     DELETE FROM events WHERE number > (SELECT last FROM hours WHERE position = 2)`,
  )
  t.deepEqual((await history.verify()).findings, [])
  const { findings } = await history.verify(digest)
  t.regex(findings[0]?.problem ?? '', /it has no hour with the digest/)
})

test('what came in since the last full hour is told as unsigned', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().flush()
  const { hours, unsigned } = await history.verify()
  t.is(hours, 0)
  t.is(unsigned, 3)
})

test('an hour that another authority vouches for is not trusted', async t => {
  const [own, foreign] = [await threeHours(t), await makeHistory(t)]
  const { findings } = await own.verify()
  t.deepEqual(findings, [])
  Object.assign(own.people.trust, foreign.people.trust)
  t.regex((await own.verify()).findings[0]?.problem ?? '', /is not trusted/)
})

test('a time in which a sensor was not recorded though others were is a gap of that sensor', async t => {
  const [door] = SENSORS
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().end(BEGIN + HOUR_MS / 6, 'the node stopped')
  history.restart(BEGIN + HOUR_MS / 6, [door])
  history.writer().end(BEGIN + HOUR_MS / 3, 'the node stopped')
  history.restart(BEGIN + HOUR_MS / 3)
  history.writer().end(BEGIN + HOUR_MS / 2, 'the node stopped')
  const gap = { from: BEGIN + HOUR_MS / 6, to: BEGIN + HOUR_MS / 3, sensor: 'temperature' }
  t.deepEqual((await history.verify()).gaps, [gap])
  history.restart(BEGIN + HOUR_MS, [door])
  history.writer().end(BEGIN + 2 * HOUR_MS, 'the node stopped')
  const rest = { from: BEGIN + HOUR_MS / 2, to: BEGIN + 2 * HOUR_MS, sensor: 'temperature' }
  const off = { from: BEGIN + HOUR_MS / 2, to: BEGIN + HOUR_MS }
  t.deepEqual((await history.verify()).gaps, [gap, off, rest])
})
