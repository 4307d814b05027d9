import type { Clock } from '../../lib/clock.ts'
import { isRecord } from '../../lib/record.ts'
import { SENSOR_KINDS } from '../kinds.ts'
import type { SensorLog, TellEvent } from '../sensor.ts'
import { availabilityOf, AvailabilityGate, type AvailabilityFormat } from './availability.ts'
import {
  decodePayload,
  fieldNames,
  fieldOf,
  MAX_AGE_MS,
  isValue,
  valueOf,
  type Payload,
  type PayloadFormat,
  type ValueMeaning,
} from './payload.ts'

export interface PayloadReaderOptions extends PayloadFormat {
  readonly name: string
  readonly clock: Clock
  readonly log?: SensorLog | undefined
  /** Silence after which the sensor is unavailable, ms. Default that of the feed. */
  readonly silentAfterMs?: number | undefined
  /** How the payloads say whether the device can be reached. Default: they do not. */
  readonly availability?: AvailabilityFormat | undefined
}

/** What a broker has kept is told only where it says its time. */
const UNDATED: ValueMeaning = {
  type: 'malformed',
  reason: 'the broker has a value of unknown age: waiting for a new one',
}

/** Of a value that is logged, in UTF-16 units. */
const MAX_SEEN = 100

/**
 * Turns the payloads of one device into events. What should have been a value and is none makes the
 * sensor unavailable until the next good one.
 */
export class PayloadReader {
  readonly #options: PayloadReaderOptions
  readonly #format: PayloadFormat
  readonly #gate: AvailabilityGate
  #mayWarn = true

  constructor(options: PayloadReaderOptions, tell: TellEvent) {
    this.#options = options
    const { kind, maxAgeMs = MAX_AGE_MS } = options
    const { silentAfterMs = SENSOR_KINDS[kind].silentAfterMs } = options
    // A value that is as old as that would be told, and be silent at once.
    this.#format = { ...options, maxAgeMs: Math.min(maxAgeMs, silentAfterMs) }
    this.#gate = new AvailabilityGate(tell, options.clock)
  }

  /** @param isRetained whether it was said before, nobody knows when */
  take(bytes: Uint8Array, isRetained = false): void {
    const { name, clock, log, availability } = this.#options
    const payload = decodePayload(bytes)
    const isAvailable =
      availability === undefined ? undefined : availabilityOf(payload, availability)
    this.hear(isAvailable)
    const now = clock.now()
    const said = valueOf(payload, this.#format, now)
    const isUndated = isRetained && isValue(said) && said.at === undefined
    const meaning = isUndated ? UNDATED : said
    if (isValue(meaning)) {
      this.#mayWarn = false
      return this.#gate.tell({ ...meaning, at: meaning.at ?? now })
    }
    log?.debug({ sensor: name, bytes: bytes.length, ...meaning }, 'a payload without a value')
    // A word of availability alone is no value that went wrong.
    if (isAvailable !== undefined) return
    if (meaning.type === 'malformed') {
      this.#warnOfWords(payload, meaning.reason)
      return this.#gate.tell({ type: 'unavailable', reason: meaning.reason, at: now })
    }
    this.#warnOfFields(payload)
  }

  /** @param isAvailable what is said elsewhere of whether the device can be reached */
  hear(isAvailable: boolean | undefined): void {
    this.#gate.hear(isAvailable)
  }

  /** Once, and never after a first value: what a device has said only its log may tell. */
  #warnOfWords(payload: Payload, reason: string): void {
    const { name, kind, log, field = SENSOR_KINDS[kind].field } = this.#options
    if (!this.#mayWarn || payload.type !== 'value') return
    const value = isRecord(payload.value) ? fieldOf(payload.value, field)?.value : payload.value
    const isMeasured = SENSOR_KINDS[kind].quantity !== undefined
    // A number that is refused stands in the reason, or it is what says its time that is wrong.
    if (isMeasured && typeof value === 'number') return
    this.#mayWarn = false
    const seen = JSON.stringify(value)?.slice(0, MAX_SEEN)
    const fix = isMeasured
      ? 'let it send a number with a point and without a unit, such as 5.25, or a JSON object with one'
      : wordsFix(name, value)
    log?.warn(
      { sensor: name, seen, reason, fix },
      isMeasured ? 'no number' : 'no word for open or closed',
    )
  }

  /** Once, and never after a first value: devices report their batteries by themselves. */
  #warnOfFields(payload: Payload): void {
    const seen = fieldNames(payload)
    if (!this.#mayWarn || seen.length === 0) return
    this.#mayWarn = false
    const { name, kind, log, field = SENSOR_KINDS[kind].field } = this.#options
    const fix = `set sensors.${name}.field to the one that holds the value`
    log?.warn({ sensor: name, field, seen, fix }, 'no field of this name: the sensor says nothing')
  }
}

/** What mends a word of a door that is not understood. */
function wordsFix(name: string, value: unknown): string {
  return typeof value === 'boolean'
    ? `set sensors.${name}.closedWhen to the one of true and false that means closed`
    : `set sensors.${name}.open and sensors.${name}.closed to lists of its words, such as open: [ON] and closed: [OFF]`
}
