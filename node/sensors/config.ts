import { z } from 'zod'

import { TARGET_RANGE } from './actuator.ts'
import { intervalMs, sensorConfig } from './driver-config.ts'
import { kindOfInput } from './drivers/hwmon.ts'
import { SIMULATED_KINDS } from './drivers/simulated.ts'
import { PLAIN_SENSORS, SENSOR_KINDS, type SensorKind } from './kinds.ts'
import { isSensorName } from './sensor.ts'

/** Each sensor is a stream of every connection, and a node can watch no more of them sensibly. */
export const MAX_SENSORS = 32

/** The sensors of a node by name, as they are written. Default a door and a thermometer, simulated. */
export const sensorsConfig = z
  .record(z.string(), sensorConfig)
  .prefault({ door: { driver: 'simulated' }, temperature: { driver: 'simulated' } })
  .check(context => {
    const complain = (path: string[], message: string, remedy?: 'remove'): void => {
      const input = context.value
      context.issues.push({ code: 'custom', path, input, message, params: { remedy } })
    }
    const sensors = Object.entries(context.value)
    if (sensors.length > MAX_SENSORS) complain([], `at most ${MAX_SENSORS} sensors`)
    for (const [name, sensor] of sensors) {
      if (!isSensorName(name)) {
        complain(
          [name],
          'a sensor name of 1 to 32 lower-case letters, digits and hyphens, a letter first',
        )
      }
      // `fridge/1` tells alarms on a stream of that name.
      if (name === 'alarms')
        complain([name], 'any other name, because alarms are told under that one')
      const kind = kindOf(name, sensor)
      if (kind === undefined && sensor.driver === 'simulated') {
        const kinds = SIMULATED_KINDS.map(kind => JSON.stringify(kind))
        complain([name, 'kind'], kinds.join(' or '))
      }
      // Clients of the plain protocol know these by name, and what each of them says.
      else if (isOneOf(PLAIN_SENSORS, name) && kind !== name) {
        complain([name], `a sensor of kind ${name}, because clients rely on that name`)
      }
      if (sensor.driver === 'command' || sensor.driver === 'mqtt') {
        for (const [key, message, remedy] of payloadProblems(sensor)) {
          complain([name, key], message, remedy)
        }
      }
      if (sensor.driver === 'mqtt') {
        for (const [key, message] of brokerProblems(sensor)) complain([name, key], message)
      }
    }
  })

/** The simulated fridge, as it is written; read only where a sensor is simulated. */
export const simulationConfig = z
  .strictObject({
    /** Where the noise and the door start from; the same seed gives the same run. Default random. */
    seed: z.int().optional(),
    /** The temperature of the room, °C. Default 22. */
    ambient: z.number().min(-40).max(60).default(22),
    /** The temperature to hold, until a client sets another, °C. Default 4. */
    target: z.number().min(TARGET_RANGE.min).max(TARGET_RANGE.max).default(4),
    /** Between two readings, ms. Default 1000. Each is sent to every client. */
    readingIntervalMs: intervalMs.default(1_000),
    /** How often somebody opens the door, on average, each hour. Default 6; 0 is never. */
    doorOpensPerHour: z.number().min(0).max(3_600).default(6),
    /** How long it then stays open, on average, ms. Default 20000. */
    doorOpenMs: z.int().min(100).max(86_400_000).default(20_000),
    /** The greatest error of a reading, °C. Default 0.03. */
    noise: z.number().min(0).max(5).default(0.03),
  })
  .prefault({})

export type SensorsConfig = z.output<typeof sensorsConfig>
export type SensorConfig = SensorsConfig[string]
export type SimulationConfig = z.output<typeof simulationConfig>

type PayloadConfig = Extract<SensorConfig, { driver: 'command' | 'mqtt' }>

const OF_DOORS = ['closedWhen', 'open', 'closed', 'debounceMs'] as const
const OF_MEASURES = ['unit', 'offset', 'calibratedUntil'] as const

/**
 * What is wrong between the keys of a sensor that is fed by payloads: key, message, and the remedy
 * where it is not another value.
 */
function* payloadProblems(
  sensor: PayloadConfig,
): Generator<[key: string, message: string, remedy?: 'remove']> {
  const { noun, quantity } = SENSOR_KINDS[sensor.kind]
  for (const key of quantity === undefined ? OF_MEASURES : OF_DOORS) {
    if (sensor[key] !== undefined)
      yield [key, `nothing here: it says nothing of a ${noun}`, 'remove']
  }
  const { unit, open, closed, closedWhen, timeField, maxAgeMs } = sensor
  const units = quantity === undefined ? [] : [quantity.unit, ...Object.keys(quantity.conversions)]
  if (unit !== undefined && units.length > 0 && !units.includes(unit)) {
    yield ['unit', units.map(unit => JSON.stringify(unit)).join(' or ')]
  }
  if (open !== undefined && closed === undefined) yield ['closed', 'words, as `open` has some']
  if (closed !== undefined && open === undefined) yield ['open', 'words, as `closed` has some']
  if (open !== undefined && closedWhen !== undefined) {
    yield ['closedWhen', 'nothing here: `open` and `closed` say it', 'remove']
  }
  const both = open?.find(word => closed?.some(other => String(other) === String(word)))
  if (both !== undefined) yield ['open', `no word that \`closed\` has too (${String(both)})`]
  if (maxAgeMs !== undefined && timeField === undefined) {
    const message = 'nothing here without `timeField`, which says how old a value is'
    yield ['maxAgeMs', message, 'remove']
  }
}

function* brokerProblems({
  broker,
  user,
  passwordFile,
  caFile,
}: Extract<SensorConfig, { driver: 'mqtt' }>): Generator<[key: string, message: string]> {
  if (passwordFile !== undefined && user === undefined) {
    yield ['user', 'the name that the password belongs to']
  }
  if (caFile !== undefined && !broker.startsWith('mqtts:')) {
    yield ['broker', '"mqtts://…", because `caFile` is for TLS']
  }
}

/** The kind of a sensor; undefined where it says none that there is. */
export function kindOf(name: string, sensor: SensorConfig): SensorKind | undefined {
  if (sensor.driver === 'w1') return 'temperature'
  if (sensor.driver === 'gpio') return 'door'
  if (sensor.driver === 'hwmon') return kindOfInput(sensor.input)
  return sensor.kind ?? (isOneOf(SIMULATED_KINDS, name) ? name : undefined)
}

function isOneOf<Kind extends SensorKind>(kinds: readonly Kind[], name: string): name is Kind {
  return (kinds as readonly string[]).includes(name)
}
