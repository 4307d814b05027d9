import { isAbsolute } from 'node:path'
import { z } from 'zod'

import { readDuration } from '../lib/duration.ts'
import { nearest } from '../lib/nearest.ts'
import { kindOf, type SensorsConfig } from '../sensors/config.ts'
import { programAndArguments } from '../sensors/driver-config.ts'
import { isBrokerUrl } from '../sensors/drivers/mqtt-connection.ts'
import { SENSOR_KINDS } from '../sensors/kinds.ts'
import {
  HYSTERESIS,
  isPresetName,
  PRESET_NAMES,
  PRESETS,
  UNAVAILABLE_FOR_MS,
  type PresetLimit,
  type PresetName,
} from '../sensors/presets.ts'

/** The longest that an alarm may wait: with a longer time nobody would be told before it is too late. */
const MAX_FOR_MS = 7 * 86_400_000
const DAY_MS = 86_400_000

const duration = (maxMs: number) =>
  z.unknown().transform((value, context): number => {
    const ms = typeof value === 'string' ? readDuration(value) : undefined
    if (ms !== undefined && ms <= maxMs) return ms
    const message = `a duration up to ${maxMs / 3_600_000}h: a number and its unit, such as 90s, 15m or 8h`
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })

const limit = z.strictObject({
  /** The highest, or lowest, that is well, in the unit of the sensor: °C, %. Required. */
  limit: z.number(),
  /** How long it may be passed in one go: `60m`. Default not at all. More tells later; less tells of
   *  every opening of a door. */
  for: duration(MAX_FOR_MS).optional(),
  /** How far within the limit a reading must be to end the alarm. Default 0.5. Less lets noise end it
   *  and raise the next one. */
  hysteresis: z.number().min(0).max(50).default(HYSTERESIS),
  /** How long it may be passed in all within 24 hours: `10h`. Default: that is not asked. */
  perDay: duration(DAY_MS).optional(),
})

const sensorRules = z.strictObject({
  /** Limits by what is stored: `vaccine-refrigerator` (2 °C for 15 minutes to 8 °C for an hour),
   *  `vaccine-freezer` (−15 °C, an hour), `food` (5 °C, four hours). Default none. What is written
   *  beside it counts instead. */
  preset: z
    // No name is proposed by its letters: `vaccine-fridge` is nearest to the freezer.
    .custom<PresetName>(isPresetName, {
      error: PRESET_NAMES.map(name => `"${name}"`).join(' or '),
    })
    .optional(),
  /** What is too high, of a sensor that measures. Default nothing. */
  high: limit.optional(),
  /** What is too low. Default nothing. */
  low: limit.optional(),
  /** How long a door may be open. Default for ever. */
  openFor: duration(MAX_FOR_MS).optional(),
  /** How long nothing may be known of the sensor, or `never` for no alarm. Default 15m. */
  unavailableFor: z.union([z.literal('never'), duration(MAX_FOR_MS)]).default(UNAVAILABLE_FOR_MS),
})

const file = z.string().refine(isAbsolute, { error: 'an absolute path' })

const webhook = z.strictObject({
  /** Where each alarm is sent by POST, as JSON. Required. What it holds beside the host is not logged. */
  url: z.string().refine(isWebhookUrl, {
    error: '"https://HOST/PATH" or "http://HOST/PATH", without user and password (tokenFile)',
  }),
  /** The file with a token that is sent as `Authorization: Bearer …`, absolute. Default none. It is
   *  read each time. */
  tokenFile: file.optional(),
})

const mqtt = z.strictObject({
  /** `mqtt://HOST[:PORT]`, or `mqtts://…` for TLS. Required. */
  broker: z.string().refine(isBrokerUrl, {
    error: '"mqtts://HOST" or "mqtt://HOST:PORT", without user and password (user, passwordFile)',
  }),
  /** Who the node is at the broker. Default nobody. */
  user: z.string().min(1).max(1_000).optional(),
  /** The file that holds the password, absolute. Default none. It is read at each connection. */
  passwordFile: file.optional(),
  /** The authorities that the broker's certificate is checked with, PEM, absolute. Default those of
   *  Node.js. */
  caFile: file.optional(),
  /** What all topics of this cluster begin with. Default `fridge`. */
  topic: topicPart('fridge'),
  /** Where Home Assistant looks for devices. Default `homeassistant`, as it does. */
  discovery: topicPart('homeassistant'),
})

/** The alarms of a node, as they are written. */
export const alarmsConfig = z
  .strictObject({
    /** The rules by the name of the sensor. Default none, and then nothing is an alarm. */
    rules: z.record(z.string(), sensorRules).default({}),
    /** How long another node may be out of reach before one of those that are alive raises an alarm, or
     *  `never`. Default 15m where there are rules, else never. Less tells of each restart. */
    unreachableFor: z.union([z.literal('never'), duration(MAX_FOR_MS)]).optional(),
    /** A web server that is told of each alarm until it answers with 2xx. Default none. */
    webhook: webhook.optional(),
    /** A program and its arguments, without a shell, run once for each alarm, which it reads as a line
     *  of JSON. Default none. */
    program: programAndArguments('[/usr/local/bin/notify, --quiet]').optional(),
    /** An MQTT broker that is told what the sensors say and which alarms stand, as Home Assistant
     *  finds it. Default none. */
    mqtt: mqtt.optional(),
  })
  .prefault({})

export type AlarmsConfig = z.output<typeof alarmsConfig>
export type SensorRulesConfig = AlarmsConfig['rules'][string]

/** How long another node may be out of reach, in milliseconds; undefined where that is no alarm. */
export function unreachableForMs({ rules, unreachableFor }: AlarmsConfig): number | undefined {
  if (unreachableFor === 'never') return undefined
  return unreachableFor ?? (Object.keys(rules).length > 0 ? UNAVAILABLE_FOR_MS : undefined)
}

/** The limits of a sensor, those of its preset among them. */
export function limitsOf(rules: SensorRulesConfig): Pick<SensorRulesConfig, 'high' | 'low'> {
  const { high, low } = rules.preset === undefined ? {} : PRESETS[rules.preset]
  return { high: rules.high ?? sideOf(high), low: rules.low ?? sideOf(low) }
}

function sideOf(preset: PresetLimit | undefined): SensorRulesConfig['high'] {
  return preset && { limit: preset.limit, for: preset.forMs, hysteresis: HYSTERESIS }
}

/** What of the rules is wrong: where, what is expected there, and the remedy where it is not another value. */
type RuleProblem = readonly [
  path: string[],
  message: string,
  remedy?: 'remove' | { rename: string },
]

/** What is wrong between the rules and the sensors. */
export function* rulesProblems(
  rules: AlarmsConfig['rules'],
  sensors: SensorsConfig,
): Generator<RuleProblem> {
  for (const [name, own] of Object.entries(rules)) {
    const sensor = Object.hasOwn(sensors, name) ? sensors[name] : undefined
    const kind = sensor && kindOf(name, sensor)
    if (sensor === undefined) {
      const names = Object.keys(sensors)
      const near = nearest(name, names)
      yield [
        [name],
        `the name of a sensor: ${near === undefined ? names.join(', ') : `did you mean ${near}?`}`,
        near === undefined ? 'remove' : { rename: near },
      ]
    } else if (kind !== undefined) {
      for (const [key, ...rest] of ruleProblems(own, kind)) yield [[name, ...key], ...rest]
    }
  }
}

function* ruleProblems(
  rules: SensorRulesConfig,
  kind: keyof typeof SENSOR_KINDS,
): Generator<RuleProblem> {
  const { noun, quantity } = SENSOR_KINDS[kind]
  const measured = ['preset', 'high', 'low'] as const
  for (const key of quantity === undefined ? measured : (['openFor'] as const)) {
    if (rules[key] !== undefined) {
      yield [[key], `nothing here: it says nothing of a ${noun}`, 'remove']
    }
  }
  if (quantity === undefined) return
  if (rules.preset !== undefined && quantity.unit !== 'C') {
    yield [['preset'], `nothing here: it says nothing of a ${noun}`, 'remove']
  }
  const { min, max, symbol } = quantity
  const { high, low } = limitsOf(rules)
  for (const [key, side] of [
    ['high', high],
    ['low', low],
  ] as const) {
    if (side !== undefined && (side.limit < min || side.limit > max)) {
      yield [[key, 'limit'], `from ${min} to ${max} ${symbol}, as a ${noun} reads`]
    }
  }
  if (high === undefined || low === undefined) return
  const key = rules.low === undefined ? 'high' : 'low'
  if (low.limit >= high.limit) {
    yield key === 'low'
      ? [['low', 'limit'], `less than the highest that is well, ${high.limit} ${symbol}`]
      : [['high', 'limit'], `more than the lowest that is well, ${low.limit} ${symbol}`]
  } else if (high.hysteresis + low.hysteresis >= high.limit - low.limit) {
    const message = `less: with both hystereses no reading from ${low.limit} to ${high.limit} ${symbol} would end an alarm`
    yield [[key, 'hysteresis'], message]
  }
}

function isWebhookUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}

function topicPart(fallback: string) {
  return z
    .string()
    .regex(/^[\w-]+(\/[\w-]+)*$/, { error: 'a topic of letters, digits, _, - and /' })
    .max(200)
    .default(fallback)
}
