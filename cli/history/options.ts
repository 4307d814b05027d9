import type { Limit } from '../../node/history/limits.ts'
import type { Span } from '../../node/history/reader.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { SENSOR_KINDS, type SensorKind } from '../../node/sensors/kinds.ts'
import {
  isPresetName,
  PRESET_NAMES,
  PRESETS,
  type PresetLimit,
} from '../../node/sensors/presets.ts'
import { parseDuration } from '../duration.ts'
import { parseMoment } from '../moment.ts'
import type { Zone } from '../zone.ts'

const DAY_MS = 86_400_000

/** What every command takes that shows a span of a history. */
export interface SpanOptions {
  readonly from?: string
  readonly to?: string
  readonly utc?: boolean
}

export interface LimitOptions {
  readonly preset?: string
  readonly high?: string
  readonly highFor?: string
  readonly low?: string
  readonly lowFor?: string
}

/** A week is read by minutes, as a month is; a year by hours. */
export const MAX_BY_MINUTES_MS = 32 * DAY_MS

/** How far back is shown where nothing is said. */
const DEFAULT_MS = 7 * DAY_MS

/** The door that a node has where nothing else is said. */
export const DOOR = 'door'

/** @throws FridgeError `ERR_USAGE` */
export function parseSpan({ from, to }: SpanOptions, now: number, zone: Zone): Span {
  const end = to === undefined ? now : parseMoment(to, now, zone)
  const begin = from === undefined ? end - DEFAULT_MS : parseMoment(from, now, zone)
  if (begin >= now) {
    const option = from === undefined ? `--to ${to}` : `--from ${from}`
    throw new FridgeError('ERR_USAGE', `${option} lies in the future: nothing is recorded yet`, {
      fix: `give a moment before now, which is ${zone.minute(now)} (${zone.name})`,
    })
  }
  if (begin < end) return { from: Math.round(begin), to: Math.round(end) }
  throw new FridgeError('ERR_USAGE', '--from is not before --to', {
    fix: 'give an earlier --from: --from 30d, --from 2026-03-01 --to 2026-04-01',
  })
}

/** @throws FridgeError `ERR_USAGE` */
export function parseLimits({ preset, high, highFor, low, lowFor }: LimitOptions): Limit[] {
  if (preset !== undefined) {
    if (high ?? highFor ?? low ?? lowFor) {
      throw new FridgeError('ERR_USAGE', '--preset and limits of your own were both given', {
        fix: 'give one of them',
      })
    }
    if (!isPresetName(preset)) {
      throw new FridgeError('ERR_USAGE', `there is no preset ${JSON.stringify(preset)}`, {
        fix: `use one of ${PRESET_NAMES.join(', ')}, or --high and --low`,
      })
    }
    const sides = Object.entries(PRESETS[preset]) as [Limit['side'], PresetLimit][]
    return sides.map(([side, { limit, forMs }]) => ({ side, value: limit, forMs }))
  }
  for (const [side, value, time] of [
    ['high', high, highFor],
    ['low', low, lowFor],
  ]) {
    if (value !== undefined || time === undefined) continue
    throw new FridgeError('ERR_USAGE', `--${side}-for was given without --${side}`, {
      fix: `say what may be passed for that long: --${side} VALUE --${side}-for ${time}`,
    })
  }
  const limits: Limit[] = []
  if (high !== undefined) {
    limits.push({ side: 'high', value: parseValue('--high', high), forMs: forOf(highFor) })
  }
  if (low !== undefined) {
    limits.push({ side: 'low', value: parseValue('--low', low), forMs: forOf(lowFor) })
  }
  const [first, second] = limits
  if (first !== undefined && second !== undefined && second.value >= first.value) {
    throw new FridgeError('ERR_USAGE', `--low ${second.value} is not below --high ${first.value}`, {
      fix: `did you mean --low ${first.value} --high ${second.value}?`,
    })
  }
  return limits
}

/**
 * Refuse limits that say nothing of a kind of sensor, as the rules of a node are refused.
 * @throws FridgeError `ERR_USAGE`
 */
export function checkLimits(
  limits: readonly Limit[],
  preset: string | undefined,
  { sensor, kind }: { readonly sensor: string; readonly kind: SensorKind },
): void {
  const { noun, quantity } = SENSOR_KINDS[kind]
  const [first] = limits
  if (first === undefined) return
  if (quantity === undefined || (preset !== undefined && quantity.unit !== 'C')) {
    const option = preset === undefined ? `--${first.side} ${first.value}` : `--preset ${preset}`
    throw new FridgeError('ERR_USAGE', `${option} says nothing of ${sensor}, a ${noun}`, {
      fix:
        quantity === undefined
          ? 'leave it out, or name a sensor that measures'
          : 'give limits of its own: --high and --low',
    })
  }
  const { min, max, symbol } = quantity
  for (const { side, value } of limits) {
    if (value >= min && value <= max) continue
    throw new FridgeError('ERR_USAGE', `--${side} ${value} is nothing that a ${noun} reads`, {
      fix: `give one from ${min} to ${max} ${symbol}`,
    })
  }
}

function forOf(text: string | undefined): number {
  return text === undefined ? 0 : parseDuration(text)
}

function parseValue(option: string, text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new FridgeError('ERR_USAGE', `${option} ${JSON.stringify(text)} is not a number`, {
    fix: `for example ${option} 8`,
  })
}
