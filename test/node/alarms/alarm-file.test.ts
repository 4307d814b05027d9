import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  AlarmFile,
  parseAlarmFile,
  readAlarmFile,
  type KeptFile,
} from '../../../node/alarms/alarm-file.ts'
import type { Alarm } from '../../../node/alarms/alarm.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { makeTestFolder } from '../../support/certs.ts'

const ALARM: Alarm = {
  id: '0123456789ab',
  node: 'node-1',
  sensor: 'temperature',
  kind: 'temperature',
  rule: 'high',
  limit: 8,
  forMs: 3_600_000,
  since: 1,
  raisedAt: 2,
  until: 3,
  value: 9,
  extreme: 10,
  acknowledged: { by: 'client/c1', at: 4, comment: 'seen' },
}

const KEPT: KeptFile = {
  alarms: {
    savedAt: 5,
    rules: [
      {
        sensor: { name: 'temperature', kind: 'temperature' },
        rule: { type: 'high', limit: 8, forMs: 3_600_000, hysteresis: 0.5 },
        state: {
          excursion: { since: 1, extreme: 10, value: 9, raisedAt: 2, reason: undefined },
          total: undefined,
        },
        id: '0123456789ab',
        acknowledged: undefined,
      },
      {
        sensor: { name: 'door', kind: 'door' },
        rule: { type: 'open', forMs: 300_000 },
        state: { excursion: { since: 1, reason: undefined }, total: undefined },
        id: undefined,
        acknowledged: undefined,
      },
      {
        sensor: { name: 'shelf', kind: 'temperature' },
        rule: { type: 'low-per-day', limit: 2, forMs: 3_600_000 },
        state: { excursion: undefined, total: { spans: [{ start: 1, ms: 2 }], countedTo: 3 } },
        id: undefined,
        acknowledged: undefined,
      },
    ],
    past: [ALARM],
  },
  unsent: {
    webhook: [{ state: 'over', alarm: ALARM }],
    program: [],
    broker: [{ state: 'raised', alarm: ALARM }],
  },
}

function recorded() {
  const said: string[] = []
  const say = (fields: object, text: string): void =>
    void said.push(`${text} ${JSON.stringify(fields)}`)
  return { said, log: { ...silentLog, error: say, info: say } }
}

test('what is written is read back whole', async t => {
  const path = join(await makeTestFolder(t), 'alarms.json')
  const { log, said } = recorded()
  const options = { path, clock: systemClock, log }
  t.is(readAlarmFile(options), undefined)
  {
    await using file = new AlarmFile(options, () => KEPT)
    file.touch()
  }
  t.deepEqual(readAlarmFile(options), KEPT)
  t.deepEqual(said, [])
})

test('a file that is damaged or of another version is kept aside, and said', async t => {
  const folder = await makeTestFolder(t)
  const path = join(folder, 'alarms.json')
  for (const [text, why] of [
    ['{"version":2,"alar', /it is damaged/],
    ['{"version":2,"alarms":{},"unsent":{}}', /it is damaged/],
    ['{"version":3}', /another version, 3/],
  ] as const) {
    await writeFile(path, text)
    const { log, said } = recorded()
    t.is(readAlarmFile({ path, clock: systemClock, log }), undefined)
    t.regex(said.join(), why)
    t.is(await readFile(`${path}.unread`, 'utf8'), text)
    t.deepEqual(await readdir(folder), ['alarms.json.unread'])
  }
})

test('no part of a file is taken that is not well formed', t => {
  const text = JSON.stringify({ version: 2, ...KEPT })
  t.deepEqual(parseAlarmFile(text), KEPT)
  for (const [from, to] of [
    ['"since":1', '"since":"1"'],
    ['"type":"open"', '"type":"shut"'],
    ['"kind":"door"', '"kind":"gate"'],
    ['"name":"door"', '"name":"Door"'],
    ['"state":"over"', '"state":"done"'],
    ['"ms":2', '"ms":null'],
    ['"id":"0123456789ab"', '"id":"x"'],
    ['"comment":"seen"', '"comment":7'],
    ['"program":[]', '"program":{}'],
  ] as const) {
    t.true(text.includes(from))
    t.is(parseAlarmFile(text.replace(from, to)), 'it is damaged', from)
  }
})

test('what cannot be written is said once, and written as soon as it can be', async t => {
  const folder = join(await makeTestFolder(t), 'gone')
  const path = join(folder, 'alarms.json')
  const { log, said } = recorded()
  {
    await using file = new AlarmFile({ path, clock: systemClock, log }, () => KEPT)
    file.touch()
    for (let looks = 0; said.length === 0 && looks < 1_000; looks += 1) await readdir('.')
    await mkdir(folder)
  }
  t.regex(said[0] ?? '', /cannot be written: a restart would forget it .*ENOENT/)
  t.deepEqual(readAlarmFile({ path, clock: systemClock, log }), KEPT)
  await rm(folder, { recursive: true })
})
