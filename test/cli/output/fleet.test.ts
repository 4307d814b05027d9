import test from 'ava'
import { fleetLines, isFleetWell } from '../../../cli/output/fleet.ts'
import { parseVitals } from '../../../node/alarms/vitals.ts'
import { parseName } from '../../../node/identity/names.ts'
import type { NodeReport } from '../../../node/operators/status.ts'

const NOW = 1_767_268_800_000
const MINUTE_MS = 60_000

function node(name: string, state: 'up' | 'left' | 'out of reach' = 'up'): NodeReport {
  const reachable = state === 'up'
  return {
    name: parseName(name),
    reachable,
    ...(state === 'left' && { left: true }),
    addresses: [],
    version: '',
    startedAt: 0,
    links: [],
    certificateRenewFrom: 0,
    certificateEndsAt: 0,
  }
}

function fleet(said: Readonly<Record<string, object>>) {
  return new Map(
    Object.entries(said).map(([name, vitals]) => [parseName(name), parseVitals(vitals)]),
  )
}

const ALARM = ['0123456789ab', 'air', 'temperature', 'high', NOW - 90 * MINUTE_MS, 0, 8, 0]

test('a fridge is a row, and what is wrong with it a line below', t => {
  const nodes = [node('cellar'), node('shop'), node('store')]
  const said = fleet({
    cellar: { sensors: [['air', 'temperature', 4.25, NOW]] },
    shop: {
      alarms: [ALARM],
      sensors: [
        ['air', 'temperature', 9.5, NOW],
        ['shelf', 'temperature', 7, NOW - 5 * MINUTE_MS],
        ['door', 'door', 'close', NOW - 600 * MINUTE_MS],
        ['probe', 'temperature', null, NOW - 3 * MINUTE_MS, 'no answer'],
        ['damp', 'humidity', null, 0],
      ],
      more: 2,
    },
  })
  t.deepEqual(fleetLines(nodes, said, NOW), [
    'FRIDGE  STATE  READS                                DOOR         ALARMS',
    'cellar  up     4.25 °C',
    'shop    up     air 9.50 °C, shelf 7.00 °C (5m ago)  door closed  1',
    '  ! air: above 8 °C, for 1h 30m, not acknowledged (0123456789ab)',
    '  ! probe: unavailable for 3m: no answer',
    '  ! damp: has said nothing yet',
    '  ! and 2 more that it has no room to say',
    'store   up',
    '',
    'take note of an alarm: fridge alarms acknowledge ID --node ADDRESS',
  ])
  t.false(isFleetWell(nodes, said))
  t.true(isFleetWell([node('cellar'), node('store')], said))
})

test('nothing of what is wrong is cut on a narrow terminal, and an alarm says which node to tell', t => {
  const shop = { ...node('shop'), addresses: ['fridge.shop.example.org:7443'] }
  const about = ['ba9876543210', 'node', 'node', 'unreachable', NOW, 900_000, null, 0, 'store']
  const shelves = Array.from({ length: 6 }, (_, at) => [`shelf-${at}`, 'temperature', 4, NOW])
  const said = fleet({ shop: { alarms: [ALARM, about], sensors: shelves } })
  const lines = fleetLines([shop, node('store', 'out of reach')], said, NOW, 60)
  for (const line of lines) t.true(line.length <= 60, line)
  t.deepEqual(lines.slice(0, 9), [
    'FRIDGE  STATE         ALARMS',
    '    READS',
    '    DOOR',
    'shop    up            1',
    '    shelf-0 4.00 °C, shelf-1 4.00 °C, shelf-2 4.00 °C,',
    '    shelf-3 4.00 °C, shelf-4 4.00 °C, shelf-5 4.00 °C',
    '  ! air: above 8 °C, for 1h 30m, not acknowledged',
    '    (0123456789ab --node fridge.shop.example.org:7443)',
    'store   out of reach  1',
  ])
  t.true(lines.some(line => line.endsWith('(ba9876543210 --node fridge.shop.example.org:7443)')))
})

test('a sensor that is known again is not called unavailable, though its alarm is not over yet', t => {
  const alarm = ['0123456789ab', 'air', 'temperature', 'unavailable', NOW - 99_000, 10_000, null, 0]
  const said = fleet({ shop: { alarms: [alarm], sensors: [['air', 'temperature', 4, NOW]] } })
  const lines = fleetLines([node('shop')], said, NOW)
  t.is(
    lines[2],
    '  ! air: known again, was unavailable for more than 10s, not acknowledged (0123456789ab)',
  )
})

test('a fridge whose history is not recorded is not well, and its row says why', t => {
  const said = fleet({ cellar: { unrecorded: 'less than 64 MiB are free' } })
  t.deepEqual(fleetLines([node('cellar')], said, NOW).slice(1), [
    'cellar  up',
    '  ! its history is not recorded: less than 64 MiB are free',
  ])
  t.false(isFleetWell([node('cellar')], said))
})

test('what a node said before it was gone is not how its fridge is, and what others say of it is', t => {
  const of = ['ba9876543210', 'node', 'node', 'unreachable', NOW, 0, null, 1, 'store']
  const said = fleet({
    cellar: { alarms: [of] },
    shop: { alarms: [ALARM], sensors: [['air', 'temperature', 9.5, NOW]] },
    store: { alarms: [ALARM], sensors: [['air', 'temperature', 9.5, NOW]] },
  })
  const nodes = [node('cellar'), node('shop', 'left'), node('store', 'out of reach')]
  t.deepEqual(fleetLines(nodes, said, NOW).slice(1), [
    'cellar  up',
    'shop    left',
    'store   out of reach               1 acknowledged',
    '  ! out of reach, for 0ms, acknowledged (ba9876543210)',
  ])
  t.true(isFleetWell([node('shop', 'left')], said))
})
