import test from 'ava'

import { calibrated, type CalibrationOptions } from '../../../node/sensors/calibration.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'
import type { SensorLog } from '../../../node/sensors/sensor.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** What is told, and warned of, when a sensor says `events`, a day after each other. */
async function run(options: Partial<CalibrationOptions>, events: readonly SensorEvent[]) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1))
  const warned: [fields: unknown, text: string][] = []
  const log: SensorLog = {
    debug() {},
    info() {},
    warn: (fields: unknown, text: string) => warned.push([fields, text]),
    error() {},
  }
  const told: SensorEvent[] = []
  const sensor = calibrated(
    {
      name: 'vaccines',
      kind: 'temperature',
      watch: async tell => {
        for (const event of events) {
          tell(event)
          await clock.advance(86_400_000)
        }
      },
    },
    { clock, log, ...options },
  )
  await sensor.watch(event => told.push(event), new AbortController().signal)
  return { sensor, told, warned: warned.map(([, text]) => text), fields: warned[0]?.[0] }
}

const reading = (value: number): SensorEvent => ({ type: 'reading', value, unit: 'C', at: 1 })
const gone: SensorEvent = { type: 'unavailable', reason: 'gone', at: 1 }

test('the offset is added to each reading, without the dust of fractions', async t => {
  const { told } = await run({ offset: -0.3 }, [reading(5.3), reading(0.1), gone])
  t.deepEqual(told, [reading(5), reading(-0.2), gone])
})

test('without an offset a reading is told as it is', async t => {
  const { told, sensor } = await run({ calibratedUntil: '2027-03-31' }, [reading(5.123456)])
  t.deepEqual(told, [reading(5.123456)])
  t.is(sensor.calibratedUntil, '2027-03-31')
})

test('the log warns each day from 30 days before the calibration ends', async t => {
  const month = Array.from({ length: 33 }, (_, day) => reading(day))
  const { warned, fields } = await run({ calibratedUntil: '2026-01-31' }, month)
  t.deepEqual(
    warned,
    [1, 2, 3].flatMap(third =>
      third === 3
        ? ['the calibration has ended', 'the calibration has ended']
        : Array<string>(15).fill('the calibration ends soon'),
    ),
  )
  t.deepEqual(fields, {
    sensor: 'vaccines',
    calibratedUntil: '2026-01-31',
    fix: 'have it calibrated, and set sensors.vaccines.calibratedUntil',
  })
})

test('a calibration that ends in a year is nothing to warn of', async t => {
  const { warned } = await run({ calibratedUntil: '2027-01-01' }, [reading(1), reading(2)])
  t.deepEqual(warned, [])
})
