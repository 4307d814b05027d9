import { isReport, type FridgeEvent, type Missed, type SensorMessage } from './events.ts'

interface Waiting {
  readonly event: FridgeEvent
  /** How many events of the same sensor this reader missed right before it. */
  missed: number
}

/**
 * What waits for one reader, at most `maxQueued` events. When more come, the oldest reading that a
 * newer one of its sensor has overtaken gives way, or else the oldest event of any sensor, or of
 * the connection; the reader is told how many it missed of a sensor before the next event of it, or
 * behind all others where none waits.
 */
export class EventQueue {
  readonly #maxQueued: number
  readonly #waiting: Waiting[] = []
  /** What was missed of sensors of which nothing waits behind it, by sensor. */
  readonly #missed = new Map<string, Missed>()
  /** How many readings wait, by sensor. */
  readonly #readings = new Map<string, number>()
  #wake: (() => void) | undefined
  #end: { readonly error?: unknown } | undefined

  /** @param maxQueued at least 1 */
  constructor(maxQueued: number) {
    this.#maxQueued = maxQueued
  }

  push(event: FridgeEvent): void {
    if (this.#end !== undefined) return
    if (event.type === 'missed') {
      this.#miss(event, event.count)
      return
    }
    let missed = 0
    if (isReport(event)) {
      missed = this.#missed.get(event.sensor)?.count ?? 0
      this.#missed.delete(event.sensor)
    }
    this.#waiting.push({ event, missed })
    this.#count(event, 1)
    if (this.#waiting.length > this.#maxQueued) this.#drop()
    this.#wake?.()
  }

  /** Nothing more comes. The reader still gets what waits, then hears of the error, if there is one. */
  finish(end: { readonly error?: unknown } = {}): void {
    this.#end ??= end
    this.#wake?.()
  }

  /** As `finish`, and what waits is dropped. */
  abort(end: { readonly error?: unknown } = {}): void {
    this.#waiting.length = 0
    this.#missed.clear()
    this.finish(end)
  }

  /** The next event; undefined behind the last. One reader at a time. @throws what it ended with */
  async take(): Promise<FridgeEvent | undefined> {
    for (;;) {
      const event = this.#next()
      if (event !== undefined) return event
      if (this.#end !== undefined) {
        if ('error' in this.#end) throw this.#end.error
        return undefined
      }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  #next(): FridgeEvent | undefined {
    const [first] = this.#waiting
    if (first === undefined) {
      const [missed] = this.#missed.values()
      if (missed !== undefined) this.#missed.delete(missed.sensor)
      return missed
    }
    const { event, missed } = first
    if (missed > 0 && isReport(event)) {
      first.missed = 0
      return missedOf(event, missed)
    }
    this.#waiting.shift()
    this.#count(event, -1)
    return event
  }

  #drop(): void {
    const overtaken = this.#waiting.findIndex(
      ({ event }) => event.type === 'reading' && (this.#readings.get(event.sensor) ?? 0) > 1,
    )
    const place =
      overtaken === -1 ? this.#waiting.findIndex(({ event }) => isReport(event)) : overtaken
    const [dropped] = this.#waiting.splice(Math.max(place, 0), 1)
    if (dropped === undefined) return
    const { event, missed } = dropped
    this.#count(event, -1)
    if (!isReport(event)) return
    const { sensor } = event
    const next = this.#waiting
      .slice(place)
      .find(waiting => isReport(waiting.event) && waiting.event.sensor === sensor)
    if (next === undefined) this.#miss(event, missed + 1)
    else next.missed += missed + 1
  }

  #miss(event: SensorMessage, count: number): void {
    const before = this.#missed.get(event.sensor)?.count ?? 0
    this.#missed.set(event.sensor, missedOf(event, before + count))
  }

  #count(event: FridgeEvent, change: 1 | -1): void {
    if (event.type !== 'reading') return
    this.#readings.set(event.sensor, (this.#readings.get(event.sensor) ?? 0) + change)
  }
}

function missedOf({ node, sensor }: SensorMessage, count: number): Missed {
  return { type: 'missed', node, sensor, count }
}
