import { backoffMs } from '../../lib/backoff.ts'
import type { Clock, Random } from '../../lib/clock.ts'
import { SENSOR_KINDS, type SensorKind } from '../kinds.ts'
import type { TellEvent } from '../sensor.ts'
import type { ReadOutcome } from './file-reader.ts'
import { MAX_FILE_BYTES } from './reading-process.ts'

/** What one look at a sensor gave: a value in the unit of its kind, or why there is none. */
export type Measurement = { value: number } | { reason: string; isHung?: boolean }

export interface PollOptions {
  readonly kind: SensorKind
  readonly clock: Clock
  /** For the jitter of pauses. */
  readonly random: Random
  /** Between two looks, ms. */
  readonly intervalMs: number
}

/** A read that hangs keeps all of its bus waiting up to its deadline, so the next one is put off. */
const HUNG = { firstMs: 30_000, maxMs: 600_000 }

/** Look at a sensor at once, and then at its interval. Whatever it gives, the looks go on. */
export async function poll(
  measure: (signal: AbortSignal) => Promise<Measurement>,
  { kind, clock, random, intervalMs }: PollOptions,
  tell: TellEvent,
  signal: AbortSignal,
): Promise<void> {
  const { quantity } = SENSOR_KINDS[kind]
  if (quantity === undefined) throw new TypeError(`a ${kind} has no readings`)
  let hung = 0
  while (!signal.aborted) {
    // A look is given up only when the signal aborts, and the loop sees that itself.
    const found = await measure(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    if (found === undefined) return
    const at = clock.now()
    if ('value' in found) tell({ type: 'reading', value: found.value, unit: quantity.unit, at })
    else tell({ type: 'unavailable', reason: found.reason, at })
    hung = 'isHung' in found && found.isHung ? hung + 1 : 0
    const pauseMs = hung === 0 ? intervalMs : Math.max(intervalMs, backoffMs(hung, HUNG, random))
    await clock.sleep(pauseMs, signal).catch(() => undefined)
  }
}

/** Silence that must be a fault: three looks missed, and time for others of the same bus that hang. */
export const polledSilenceMs = (intervalMs: number): number => 3 * intervalMs + 30_000

/** The text of a file that was read, or why there is none; without paths, as every client is told. */
export function textOf(
  outcome: ReadOutcome,
  noun: string,
): { text: string } | { reason: string; isHung: boolean } {
  if (outcome.type === 'read' && outcome.text.length <= MAX_FILE_BYTES) return outcome
  return { reason: `the ${noun} ${complaintOf(outcome)}`, isHung: outcome.type === 'hung' }
}

function complaintOf(outcome: ReadOutcome): string {
  switch (outcome.type) {
    case 'read':
      return 'gave more than a reading'
    case 'missing':
      return 'is not there'
    case 'denied':
      return 'may not be read by this user'
    case 'not a file':
      return 'has no file that can be read'
    case 'failed':
      return 'cannot be read'
    case 'hung':
      return 'does not answer'
    case 'broken':
      return `cannot be read: ${outcome.reason}`
  }
}
