import { z } from 'zod'

import { TARGET_RANGE } from './actuator.ts'
import { SIMULATED_KINDS } from './drivers/simulated.ts'
import { PLAIN_SENSORS, SENSOR_KINDS, SENSOR_KIND_NAMES, type SensorKind } from './kinds.ts'
import { isSensorName } from './sensor.ts'
import { isW1Device, W1_ROOT } from './drivers/w1.ts'

/** Each sensor is a stream of every connection, and a node can watch no more of them sensibly. */
const MAX_SENSORS = 32

/** Milliseconds, from 100 (no fridge changes faster) to a day. */
const intervalMs = z.int().min(100).max(86_400_000)

const simulated = z.strictObject({
  /** A view of the one simulated fridge of this node. */
  driver: z.literal('simulated'),
  /** Which part of it. Default the sensor's name, where that is `door` or `temperature`. */
  kind: z.enum(SIMULATED_KINDS).optional(),
})

const w1 = z.strictObject({
  /** A thermometer on the Linux 1-wire bus. */
  driver: z.literal('w1'),
  /** Its folder under `root`, for example `28-00000a1b2c3d`. Required. */
  device: z.string().refine(isW1Device, {
    error:
      'a 1-wire thermometer such as "28-00000a1b2c3d"; the machine lists its own in ' + W1_ROOT,
  }),
  /** The folder of the devices. Default /sys/bus/w1/devices. */
  root: z.string().min(1).default(W1_ROOT),
  /** Between two readings, ms. Default 5000. Each takes the bus for some 800 ms, so on a bus with
   *  several thermometers less than a second each makes them wait for each other. */
  intervalMs: intervalMs.default(5_000),
})

/** An argument of a program, which cannot hold NUL. */
const argument = z.string().refine(text => !text.includes('\0'), { error: 'text without NUL' })

const program = z.strictObject({
  /** Any program that prints one line whenever it has news. */
  driver: z.literal('command'),
  /** What it watches. Required. */
  kind: z.enum(SENSOR_KIND_NAMES),
  /** The program and its arguments, without a shell. Required. */
  command: z.tuple([argument.min(1)], argument),
  /** The field of a JSON object that holds the value. Default `contact` for a door, `temperature`
   *  for a thermometer. */
  field: z.string().min(1).max(200).optional(),
  /** For a door, the boolean that means closed. Default true for the field `contact`; for any other
   *  field a boolean is refused until this is set. */
  closedWhen: z.boolean().optional(),
  /** Silence after which the sensor is unavailable, ms. Default 300000 for a thermometer, never for
   *  a door. Less than the sender's own interval makes a healthy sensor come and go. */
  silentAfterMs: z.int().min(100).max(604_800_000).optional(),
})

/** The sensors of a node by name, as they are written. Default a door and a thermometer, simulated. */
export const sensorsConfig = z
  .record(z.string(), z.discriminatedUnion('driver', [simulated, w1, program]))
  .prefault({ door: { driver: 'simulated' }, temperature: { driver: 'simulated' } })
  .check(context => {
    const complain = (path: string[], message: string): void => {
      context.issues.push({ code: 'custom', path, input: context.value, message })
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
      const kind = kindOf(name, sensor)
      if (kind === undefined) {
        const kinds = SIMULATED_KINDS.map(kind => JSON.stringify(kind))
        complain([name, 'kind'], kinds.join(' or '))
      }
      // Clients of the plain protocol know these by name, and what each of them says.
      else if (isOneOf(PLAIN_SENSORS, name) && kind !== name) {
        complain([name], `a sensor of kind ${name}, because clients rely on that name`)
      }
      if (sensor.driver === 'command' && sensor.closedWhen !== undefined) {
        const { noun, quantity } = SENSOR_KINDS[sensor.kind]
        const isNeverClosed = quantity !== undefined
        if (isNeverClosed) complain([name, 'closedWhen'], `nothing here: a ${noun} is never closed`)
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

/** The kind of a sensor; undefined where a simulated sensor says none and is not called like one. */
export function kindOf(name: string, sensor: SensorConfig): SensorKind | undefined {
  if (sensor.driver === 'w1') return 'temperature'
  return sensor.kind ?? (isOneOf(SIMULATED_KINDS, name) ? name : undefined)
}

function isOneOf<Kind extends SensorKind>(kinds: readonly Kind[], name: string): name is Kind {
  return (kinds as readonly string[]).includes(name)
}
