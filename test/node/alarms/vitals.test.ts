import test from 'ava'
import type { Alarm } from '../../../node/alarms/alarm.ts'
import { encodeVitals, parseVitals } from '../../../node/alarms/vitals.ts'
import type { SensorEvent, SensorKind } from '../../../node/sensors/kinds.ts'
import type { Sensor } from '../../../node/sensors/sensor.ts'
import { celsius } from '../../support/history.ts'

const ROOM = 1_024

const ALARM: Alarm = {
  id: '0123456789ab',
  node: 'node-1',
  sensor: 'air',
  kind: 'temperature',
  rule: 'high',
  limit: 8,
  forMs: 60_000,
  since: 1,
  raisedAt: 60_001,
}

type Said = readonly [name: string, kind: SensorKind, last?: SensorEvent]

function encode(
  said: readonly Said[],
  standing: Alarm[] = [],
  { room = ROOM, whyNot, untold }: { room?: number; whyNot?: string; untold?: string } = {},
) {
  const feeds = {
    sensors: said.map(([name, kind]) => ({ name, kind })) as unknown as readonly Sensor[],
    last: (name: string) => said.find(([one]) => one === name)?.[2],
  }
  const vitals = encodeVitals(
    {
      node: 'node-1',
      feeds,
      alarms: { standing: () => standing },
      recording: { whyNot },
      telling: { whyNot: untold },
    },
    room,
  )
  assertFits(vitals, room)
  return vitals
}

function assertFits(vitals: object, room: number): void {
  if (Buffer.byteLength(JSON.stringify(vitals)) > room) throw new Error('it has too much to say')
}

test('what a node says of its fridge is read as it is, its newest events and its alarms', t => {
  const gone = { type: 'unavailable', reason: 'silent for 300 s', at: 7 } as const
  const noted = { by: 'client/c1', at: 3, comment: 'seen' }
  const other: Alarm = {
    ...ALARM,
    id: 'ab0123456789',
    node: 'node-2',
    sensor: 'node',
    kind: 'node',
    rule: 'unreachable',
    limit: undefined,
    acknowledged: noted,
  }
  const vitals = encode(
    [
      ['air', 'temperature', celsius(4.25, 5)],
      ['door', 'door', { type: 'open', at: 6 }],
      ['probe', 'temperature', gone],
      ['damp', 'humidity'],
    ],
    [other, ALARM],
  )
  const { id, sensor, kind, rule, since, forMs, limit } = ALARM
  t.deepEqual(parseVitals(JSON.parse(JSON.stringify(vitals))), {
    alarms: [
      { id, sensor, kind, rule, since, forMs, limit, isAcknowledged: false },
      {
        id: other.id,
        sensor: 'node',
        kind: 'node',
        rule: 'unreachable',
        since,
        forMs,
        isAcknowledged: true,
        about: 'node-2',
      },
    ],
    sensors: [
      { sensor: 'probe', kind: 'temperature', event: gone },
      { sensor: 'damp', kind: 'humidity', event: undefined },
      { sensor: 'door', kind: 'door', event: { type: 'open', at: 6 } },
      { sensor: 'air', kind: 'temperature', event: celsius(4.25, 5) },
    ],
    more: 0,
  })
})

test('where there is no room for all, what is wrong comes first, and what is left out is counted', t => {
  const reason = `${'x'.repeat(59)}€ and on`
  const sensors: Said[] = Array.from({ length: 32 }, (_, index) => [
    `thermometer-number-${index}`,
    'temperature',
    index === 31
      ? { type: 'unavailable', reason, at: 1_767_225_600_000 }
      : celsius(4.123_456, 1_767_225_600_000),
  ])
  const parsed = parseVitals(encode(sensors, [ALARM]))
  t.is(parsed?.alarms.length, 1)
  t.like(parsed?.sensors[0], { sensor: 'thermometer-number-31' })
  t.is((parsed?.sensors.length ?? 0) + (parsed?.more ?? 0), 32)
  t.true((parsed?.more ?? 0) > 0)
  const alarms = Array.from({ length: 40 }, (): Alarm => ALARM)
  t.is(parseVitals(encode(sensors, alarms))?.sensors.length, 0)
})

test('a node says why its history is not recorded, and nothing of it while it is', t => {
  const whyNot = 'less than 64 MiB are free on the disk of the history'
  const sensors: Said[] = [['air', 'temperature', celsius(4.25, 5)]]
  t.is(parseVitals(encode(sensors, [], { whyNot }))?.unrecorded, whyNot)
  t.deepEqual(Object.keys(encode(sensors)), ['alarms', 'sensors'])
  const long = parseVitals(encode(sensors, [], { whyNot: 'x'.repeat(2_000) }))
  t.is(long?.unrecorded, `${'x'.repeat(197)}…`)
  t.is(parseVitals({ unrecorded: 'x'.repeat(201) })?.unrecorded, undefined)
})

test('a reason that is too long ends with a sign that it does', t => {
  const reasonOf = (reason: string): unknown => {
    const last = { type: 'unavailable', reason, at: 5 } as const
    return parseVitals(encode([['air', 'temperature', last]]))?.sensors[0]?.event
  }
  t.like(reasonOf('x'.repeat(60)), { reason: 'x'.repeat(60) })
  t.like(reasonOf('x'.repeat(61)), { reason: `${'x'.repeat(59)}…` })
})

test('a node says who is not told of its alarms, and of two long reasons there is room for both', t => {
  const sensors: Said[] = [['air', 'temperature', celsius(4.25, 5)]]
  const untold = 'the webhook: ECONNREFUSED'
  t.is(parseVitals(encode(sensors, [], { untold }))?.untold, untold)
  for (const character of ['x', '\u0000', '…', '\u{1f9ca}', '\ud800']) {
    const long = character.repeat(1_000)
    const said = parseVitals(encode(sensors, [], { whyNot: long, untold: long }))
    t.is(said?.sensors.length, 1, JSON.stringify(character))
    t.not(said?.untold, undefined)
    t.not(said?.unrecorded, undefined)
  }
})

test('what a stolen node says of its fridge is passed over where it is malformed, and nothing throws', t => {
  t.is(parseVitals(undefined), undefined)
  t.is(parseVitals([]), undefined)
  t.is(parseVitals({ sensors: 'all' }), undefined)
  t.is(parseVitals({ more: 'x' }), undefined)
  const sensors = [
    null,
    [],
    ['Door', 'door', 'open', 1],
    ['door', 'gate', 'open', 1],
    ['door', 'door', 4.5, 1],
    ['air', 'temperature', 'open', 1],
    ['air', 'temperature', 4.5, 'now'],
    ['air', 'temperature', 4.5, 1e300],
    ['air', 'temperature', null, 1, 'x'.repeat(61)],
    ['air', 'temperature', null, 1],
  ]
  const alarms = [
    null,
    ['x', 'air', 'temperature', 'high', 1, 1, 8, 0],
    ['0123456789ab', 'air', 'temperature', 'warm', 1, 1, 8, 0],
    ['0123456789ab', 'air', 'temperature', 'high', 1, 1, '8', 0],
    ['0123456789ab', 'node', 'node', 'unreachable', 1, 1, null, 0, 'x'.repeat(65)],
  ]
  t.deepEqual(parseVitals({ sensors, alarms, more: -3 }), { sensors: [], alarms: [], more: 0 })
})

test('of a sealed sensor a node says that something is known, and neither what nor when', t => {
  const said = (last?: SensorEvent): unknown => {
    const sensor = { name: 'door', kind: 'door', isSealed: true, watch: async () => {} } as const
    const feeds = { sensors: [sensor], last: () => last }
    const alarms = { standing: () => [] }
    const well = { whyNot: undefined }
    const source = { node: 'node-1', feeds, alarms, recording: well, telling: well }
    return encodeVitals(source, ROOM)['sensors']
  }
  t.deepEqual(said({ type: 'open', at: 7 }), [['door', 'door', 'sealed', 0]])
  t.deepEqual(said({ type: 'close', at: 8 }), [['door', 'door', 'sealed', 0]])
  t.deepEqual(said({ type: 'unavailable', reason: 'stuck open', at: 9 }), [
    ['door', 'door', null, 9, 'sealed'],
  ])
  t.deepEqual(said(), [['door', 'door', null, 0]])
  const { sensors } = parseVitals({ sensors: said({ type: 'open', at: 7 }) }) ?? {}
  t.deepEqual(sensors, [{ sensor: 'door', kind: 'door', event: undefined, isSealed: true }])
})
