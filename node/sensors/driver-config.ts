import { isAbsolute } from 'node:path'
import { z } from 'zod'

import { HWMON_ROOT, isHwmonChip, isHwmonInput } from './drivers/hwmon.ts'
import { isBrokerUrl } from './drivers/mqtt-connection.ts'
import { SIMULATED_KINDS } from './drivers/simulated.ts'
import { isW1Device, W1_ROOT } from './drivers/w1.ts'
import { SENSOR_KIND_NAMES } from './kinds.ts'

/** Milliseconds, from 100 (no fridge changes faster) to a day. */
export const intervalMs = z.int().min(100).max(86_400_000)

/** Text that becomes an argument or a path, which cannot hold NUL. */
const text = z
  .string()
  .min(1)
  .refine(value => !value.includes('\0'), { error: 'text without NUL' })

const file = text.refine(isAbsolute, { error: 'an absolute path' })

/** How a thermometer, or whatever measures, is corrected. */
const calibration = {
  /** Added to each reading, in the unit of its kind: what the laboratory found missing. Default 0. */
  offset: z.number().min(-100).max(100).optional(),
  /** The last day of its calibration, `2027-03-31`. Default none. The log warns daily from 30 days
   *  before; readings are told all the same. */
  calibratedUntil: z.iso.date({ error: 'a date such as 2027-03-31' }).optional(),
}

/** A value as a device writes it. */
const words = z
  .array(z.union([z.string(), z.number(), z.boolean()]))
  .min(1)
  .max(16)

const field = z.string().min(1).max(200)

const availability = {
  /** The field of a JSON object that says whether the device can be reached. Default `state`. */
  field: field.optional(),
  /** What means that it can. Default `online` and true. */
  online: words.optional(),
  /** What means that it cannot. Default `offline` and false. */
  offline: words.optional(),
}

/** What a program prints, or a broker delivers, and how it is read. */
const payload = {
  /** What the sensor watches. Required. */
  kind: z.enum(SENSOR_KIND_NAMES),
  /** The field of a JSON object that holds the value; dots lead into objects in it. Default `contact`
   *  for a door, `temperature` for a thermometer, `humidity` for a hygrometer. */
  field: field.optional(),
  /** For a door, the boolean that means closed. Default true for the field `contact`; for any other
   *  field a boolean is refused until this is set. */
  closedWhen: z.boolean().optional(),
  /** For a door, what means open and what means closed: `[ON, '1', true]`. Both or none. Default
   *  `open`, and `close` or `closed`. */
  open: words.optional(),
  closed: words.optional(),
  /** For a thermometer, `C` or `F`: what it measures in. Default C; readings are told in °C. */
  unit: z.string().optional(),
  /** The field that says when a value was measured: ISO 8601, or seconds or ms since 1970. Default
   *  none: a value is taken to be of the moment when it comes. */
  timeField: field.optional(),
  /** Age from which on a value that says its time is not told, ms. Default 600000, and never more
   *  than the silence that is borne. More tells older values, less needs devices whose clocks are
   *  right. */
  maxAgeMs: z.int().min(1_000).max(604_800_000).optional(),
  /** Silence after which the sensor is unavailable, ms. Default 300000 for what measures, never for
   *  a door. Less than the sender's own interval makes a healthy sensor come and go. */
  silentAfterMs: z.int().min(100).max(604_800_000).optional(),
  /** The shortest time between two readings that are told, ms; of what comes faster the newest counts.
   *  Default 100. Each is sent to every client; 0 tells each, and a sender that floods cuts clients. */
  minIntervalMs: z.int().min(0).max(86_400_000).optional(),
  /** For a door, how long a move must hold before it is told, ms. Default 0. More hides short moves. */
  debounceMs: z.int().min(0).max(60_000).optional(),
  ...calibration,
}

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
  /** The folder of the devices. Default /sys/bus/w1/devices. Thermometers of one folder are read one
   *  after the other. */
  root: text.default(W1_ROOT),
  /** Between two readings, ms. Default 5000. Each takes the bus for some 800 ms, so on a bus with
   *  several thermometers less than a second each makes them wait for each other. */
  intervalMs: intervalMs.default(5_000),
  ...calibration,
})

const hwmon = z.strictObject({
  /** A sensor chip that the Linux kernel serves under hwmon. */
  driver: z.literal('hwmon'),
  /** What the kernel calls it, for example `sht3x`, or its folder, `hwmon2`, where two are called
   *  alike: the number may change when the machine starts. Required. */
  chip: z.string().refine(isHwmonChip, {
    error: `the name of a chip such as "sht3x"; cat ${HWMON_ROOT}/*/name lists them`,
  }),
  /** Which of its inputs: `temp1` (°C) or `humidity1` (%). Default temp1. */
  input: z
    .string()
    .refine(isHwmonInput, { error: '"temp1", "humidity1", or another number' })
    .default('temp1'),
  /** The folder of the chips. Default /sys/class/hwmon. */
  root: text.default(HWMON_ROOT),
  /** Between two readings, ms. Default 5000. */
  intervalMs: intervalMs.default(5_000),
  ...calibration,
})

const gpio = z.strictObject({
  /** A contact on a pin, by `gpioget` and `gpiomon` (apt-get install gpiod). Always a door. */
  driver: z.literal('gpio'),
  /** The GPIO chip. Default gpiochip0. */
  chip: text.regex(/^[\w-]+$/, { error: 'a chip such as "gpiochip0"' }).default('gpiochip0'),
  /** The number of the line on the chip, from 0. Required. */
  line: z.int().min(0).max(1_023),
  /** The level of the line while the door is closed. Default low: a contact to ground. */
  closedWhen: z.enum(['low', 'high']).default('low'),
  /** What holds the line while the contact is open. Default pull-up. */
  bias: z.enum(['pull-up', 'pull-down', 'disabled', 'as-is']).default('pull-up'),
  /** How long a move must hold before it is told, ms. Default 50: contacts bounce for some 10 ms.
   *  More hides short moves. */
  debounceMs: z.int().min(0).max(60_000).default(50),
})

/** A program and its arguments, as it is started without a shell. @param example of such a list */
export const programAndArguments = (example: string) =>
  z.unknown().transform((value, context): [string, ...string[]] => {
    const [file, ...args] = Array.isArray(value) ? (value as unknown[]) : []
    if (isArgument(file) && file !== '' && args.every(isArgument)) return [file, ...args]
    const suggestion = asList(value)
    const message = `a list of the program and its arguments, each a text: ${suggestion ?? example}`
    context.addIssue({ code: 'custom', message, params: { suggestion } })
    return z.NEVER
  })

const program = z.strictObject({
  /** Any program that prints one line whenever it has news. */
  driver: z.literal('command'),
  /** The program and its arguments, without a shell. Required. */
  command: programAndArguments('[mosquitto_sub, -t, door]'),
  ...payload,
  /** How its lines say whether the device can be reached. Default: they do not. */
  availability: z.strictObject(availability).optional(),
})

const topic = text
  .max(1_000)
  .refine(value => !/[+#]/.test(value), { error: 'one topic, without + and #' })

const mqtt = z.strictObject({
  /** A topic of an MQTT broker. */
  driver: z.literal('mqtt'),
  /** `mqtt://HOST[:PORT]`, or `mqtts://…` for TLS. Required. */
  broker: z.string().refine(isBrokerUrl, {
    error: '"mqtts://HOST" or "mqtt://HOST:PORT", without user and password (user, passwordFile)',
  }),
  /** Who the node is at the broker. Default nobody. */
  user: text.max(1_000).optional(),
  /** The file that holds the password, absolute. Default none. It is read at each connection. */
  passwordFile: file.optional(),
  /** The authorities that the broker's certificate is checked with, PEM, absolute. Default those of
   *  Node.js. */
  caFile: file.optional(),
  /** Where the device publishes. Required. */
  topic,
  ...payload,
  /** Where, or in which field of its messages, the device says whether it can be reached. */
  availability: z.strictObject({ topic: topic.optional(), ...availability }).optional(),
})

/** One sensor, as it is written. */
export const sensorConfig = z.discriminatedUnion('driver', [
  simulated,
  w1,
  hwmon,
  gpio,
  program,
  mqtt,
])

function isArgument(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

/** How a program and its arguments would be written as a list of texts. */
function asList(value: unknown): string | undefined {
  if (typeof value === 'string') return fromLine(value)
  const isList = Array.isArray(value) && value.length > 0
  return isList ? `[${value.map(word => asYaml(String(word))).join(', ')}]` : undefined
}

function fromLine(commandLine: string): string {
  // What only a shell understands.
  if (/[|&;<>()$`\\"'*?[\]#~]/.test(commandLine)) return `[sh, -c, ${JSON.stringify(commandLine)}]`
  return `[${commandLine.trim().split(/\s+/).map(asYaml).join(', ')}]`
}

/** A word as YAML reads it back as a text. */
function asYaml(word: string): string {
  const isPlain =
    /^[\w./-][\w./:@%+-]*$/.test(word) && !/^(?:[-+.\d]+|true|false|null)$/i.test(word)
  return isPlain ? word : `'${word}'`
}
