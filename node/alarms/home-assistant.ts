import { hash } from 'node:crypto'
import { isRecord } from '../lib/record.ts'
import { VERSION } from '../lib/version.ts'
import { SENSOR_KINDS } from '../sensors/kinds.ts'
import type { Sensor } from '../sensors/sensor.ts'
import type { RuleType } from './rule.ts'

/** One retained message. */
export interface Message {
  readonly topic: string
  readonly payload: string
}

/** Where a node publishes what. */
export interface Topics {
  /** What all of them begin with. */
  readonly own: string
  /** `online` or `offline`. */
  readonly node: string
  /** Each change of an alarm, as JSON, not retained. */
  readonly changes: string
  /** `open` or `close`, or a number. */
  state(sensor: string): string
  /** `online` or `offline`. */
  availability(sensor: string): string
  /** `ON` while an alarm stands, or `OFF`. */
  alarm(sensor: string, rule: string): string
  /** The alarm that stood last, as JSON. */
  details(sensor: string, rule: string): string
}

export function topicsOf(prefix: string, node: string): Topics {
  const own = `${prefix}/${node}/`
  return {
    own,
    node: `${own}availability`,
    changes: `${own}alarms`,
    state: sensor => `${own}sensor/${sensor}/state`,
    availability: sensor => `${own}sensor/${sensor}/availability`,
    alarm: (sensor, rule) => `${own}alarm/${sensor}/${rule}/state`,
    details: (sensor, rule) => `${own}alarm/${sensor}/${rule}/details`,
  }
}

const RULE_NAMES: Readonly<Record<RuleType, string>> = {
  high: 'too high',
  low: 'too low',
  'high-per-day': 'too high for too long within a day',
  'low-per-day': 'too low for too long within a day',
  open: 'open for too long',
  unavailable: 'unavailable',
  unreachable: 'out of reach',
}

export interface DiscoveryOptions {
  /** Where Home Assistant looks. */
  readonly discovery: string
  readonly topics: Topics
  readonly node: string
}

/** How Home Assistant finds a sensor (its documentation, "MQTT discovery"). */
export function sensorDiscovery(
  { name, kind }: Pick<Sensor, 'name' | 'kind'>,
  options: DiscoveryOptions,
): Message {
  const { topics } = options
  const { quantity } = SENSOR_KINDS[kind]
  return discovery(quantity === undefined ? 'binary_sensor' : 'sensor', name, options, {
    name,
    state_topic: topics.state(name),
    availability: [{ topic: topics.node }, { topic: topics.availability(name) }],
    availability_mode: 'all',
    device_class: kind,
    ...(quantity === undefined
      ? { payload_on: 'open', payload_off: 'close' }
      : { unit_of_measurement: quantity.symbol, state_class: 'measurement' }),
  })
}

/** How Home Assistant finds the alarm of a rule. It can be on while its sensor is unavailable. */
export function alarmDiscovery(sensor: string, rule: RuleType, options: DiscoveryOptions): Message {
  const { topics } = options
  return discovery('binary_sensor', `${sensor}-${rule}`, options, {
    name: `${sensor} ${RULE_NAMES[rule]}`,
    state_topic: topics.alarm(sensor, rule),
    json_attributes_topic: topics.details(sensor, rule),
    availability: [{ topic: topics.node }],
    device_class: 'problem',
    payload_on: 'ON',
    payload_off: 'OFF',
  })
}

function discovery(
  component: 'sensor' | 'binary_sensor',
  object: string,
  { discovery, node }: DiscoveryOptions,
  config: Readonly<Record<string, unknown>>,
): Message {
  const device = idOf(node)
  return {
    topic: `${discovery}/${component}/${device}/${object}/config`,
    payload: JSON.stringify({
      ...config,
      unique_id: `${device}_${object}`,
      device: {
        identifiers: [device],
        name: node,
        manufacturer: 'fridge',
        sw_version: VERSION,
      },
      origin: { name: 'fridge', sw_version: VERSION },
    }),
  }
}

/** Filters of all that a broker may have kept of a node, but for what its sensors said last. */
export function keptTopics(
  topics: Topics,
  { discovery, node }: Pick<DiscoveryOptions, 'discovery' | 'node'>,
): string[] {
  const entries = `${discovery}/+/${idOf(node)}/+/config`
  return [entries, topics.availability('+'), topics.alarm('+', '+')]
}

/**
 * The topics that go with one of `keptTopics`, if they are of this node: they are to be emptied when
 * nobody stands for them. Another cluster may have a node of the same name.
 */
export function topicsBeside(topic: string, payload: Uint8Array, topics: Topics): string[] {
  if (topic.startsWith(topics.own)) {
    const [what, sensor = '', rule = ''] = topic.slice(topics.own.length).split('/')
    return what === 'alarm' ? [topic, topics.details(sensor, rule)] : [topic, topics.state(sensor)]
  }
  return stateTopicIn(payload)?.startsWith(topics.own) === true ? [topic] : []
}

function stateTopicIn(payload: Uint8Array): string | undefined {
  try {
    const config: unknown = JSON.parse(Buffer.from(payload).toString())
    const topic = isRecord(config) ? config['state_topic'] : undefined
    return typeof topic === 'string' ? topic : undefined
  } catch {
    return undefined
  }
}

/** Home Assistant's ids have no dots; two names must not become one by that. */
function idOf(node: string): string {
  const id = `fridge-${node.replaceAll('.', '_')}`
  return node.includes('.') ? `${id}-${hash('sha256', node).slice(0, 6)}` : id
}
