import { join } from 'node:path'

import type { Clock, Random } from '../../lib/clock.ts'
import type { SensorKind } from '../kinds.ts'
import { SENSOR_KINDS } from '../kinds.ts'
import type { Sensor } from '../sensor.ts'
import type { FileReader } from './file-reader.ts'
import { poll, polledSilenceMs, textOf, type Measurement } from './poll.ts'

export interface HwmonOptions {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  /** Reads for this chip. */
  readonly reader: FileReader
  /** What the kernel calls it, or its folder under `root`: `hwmon2`. */
  readonly chip: string
  /** `temp1`, `humidity1`. */
  readonly input: string
  /** The folder of the chips. Default `/sys/class/hwmon`. */
  readonly root?: string | undefined
  /** Between two readings, ms. Default 5000. */
  readonly intervalMs?: number | undefined
}

export const HWMON_ROOT = '/sys/class/hwmon'

/** The inputs that are read, in thousandths (Linux, Documentation/hwmon/sysfs-interface.rst). */
const INPUTS: ReadonlyMap<string, SensorKind> = new Map([
  ['temp', 'temperature'],
  ['humidity', 'humidity'],
])

const INPUT = /^([a-z]+)\d{1,3}$/
const FOLDER = /^hwmon\d{1,4}$/

/** More chips than any machine has. */
const MAX_CHIPS = 64

/** Whether `value` may name a chip; it becomes part of a path, so nothing else may pass. */
export function isHwmonChip(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value)
}

export function isHwmonInput(value: unknown): value is string {
  return typeof value === 'string' && kindOfInput(value) !== undefined
}

/** What an input measures; undefined where it is none that is read. */
export function kindOfInput(input: string): SensorKind | undefined {
  return INPUTS.get(INPUT.exec(input)?.[1] ?? '')
}

/**
 * A sensor of a chip, read from `<root>/hwmonN/<input>_input` where `<root>/hwmonN/name` is its chip.
 * @throws TypeError when the input is none
 */
export function hwmonSensor(options: HwmonOptions): Sensor {
  const { name, clock, random, reader, chip, input, root = HWMON_ROOT } = options
  const { intervalMs = 5_000 } = options
  const kind = kindOfInput(input)
  if (kind === undefined) throw new TypeError(`${input} is no input that is read`)
  const { noun, quantity } = SENSOR_KINDS[kind]
  let folder: string | undefined

  async function findFolder(signal: AbortSignal): Promise<string | { reason: string }> {
    if (FOLDER.test(chip)) return chip
    const found: string[] = []
    for (let number = 0; number < MAX_CHIPS; number += 1) {
      const content = await reader.read(join(root, `hwmon${number}`, 'name'), signal)
      if (content.type === 'hung' || content.type === 'broken') {
        return textOf(content, noun) as { reason: string }
      }
      if (content.type === 'read' && content.text.trim() === chip) found.push(`hwmon${number}`)
    }
    if (found.length > 1) {
      return {
        reason: `${found.length} chips are called ${chip}: set chip to ${found.join(' or ')}`,
      }
    }
    return found[0] ?? { reason: `no chip is called ${chip}` }
  }

  async function measure(signal: AbortSignal): Promise<Measurement> {
    const place = folder ?? (await findFolder(signal))
    if (typeof place !== 'string') return place
    const file = join(root, place, input)
    const outcome = await reader.read(`${file}_input`, signal)
    // The number of a chip that was taken out may be that of another one later.
    folder = outcome.type === 'read' ? place : undefined
    const content = textOf(outcome, noun)
    if ('reason' in content) return content
    const fault = await reader.read(`${file}_fault`, signal)
    if (fault.type === 'read' && fault.text.trim() !== '0') {
      return { reason: `the chip says that its ${noun} is faulty` }
    }
    return valueOf(content.text)
  }

  function valueOf(text: string): Measurement {
    if (quantity === undefined || !/^-?\d{1,9}\n?$/.test(text)) {
      return { reason: `the ${noun} gave something that is not a reading` }
    }
    const value = Number(text) / 1_000
    const { min, max, symbol } = quantity
    if (value >= min && value <= max) return { value }
    return { reason: `${value} ${symbol} is not from ${min} to ${max} ${symbol}` }
  }

  return {
    name,
    kind,
    silentAfterMs: polledSilenceMs(intervalMs),
    watch: async (tell, signal) => poll(measure, { kind, clock, random, intervalMs }, tell, signal),
  }
}
