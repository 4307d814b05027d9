import type { Feeds } from './sensors/feed.ts'
import type { SensorEvent, SensorKind } from './sensors/sensor.ts'
import { encodeEvent } from './wire/emitter.ts'
import type { MuxStream } from './wire/mux.ts'

/** The two kinds of connection that sensors are served on (PROTOCOL.md). */
export type Dialect = 'plain' | 'fridge/1'

/** An event of a sensor, and its number among the events of that sensor in this run: 1, 2, 3… */
export interface NumberedEvent {
  readonly event: SensorEvent
  readonly sequence: number
}

/** One sensor event as the values that a dialect emits. */
export function eventValues(
  { event, sequence }: NumberedEvent,
  dialect: Dialect,
): [string, ...unknown[]] {
  const isPlain = dialect === 'plain'
  switch (event.type) {
    case 'open':
    case 'close':
      return [event.type, event.at, ...(isPlain ? [] : [sequence])]
    case 'reading':
      return [event.type, event.value, event.unit, ...(isPlain ? [] : [event.at, sequence])]
    case 'unavailable':
      return [event.type, event.reason, ...(isPlain ? [] : [event.at, sequence])]
  }
}

/**
 * How many events of a sensor are kept for clients that come back. Every move of a door counts;
 * of readings only the newest does.
 */
const KEPT: Readonly<Record<SensorKind, number>> = { door: 64, temperature: 1 }

/**
 * Hands each event of the sensors to every stream that carries it. An event is encoded once a
 * dialect, not once a client.
 */
export class FanOut implements Disposable {
  readonly #subscription: Disposable
  /** The newest events of each sensor, oldest first. */
  readonly #kept = new Map<string, NumberedEvent[]>()
  readonly #streams: Record<Dialect, Map<string, Set<MuxStream>>> = {
    plain: new Map(),
    'fridge/1': new Map(),
  }

  constructor(feeds: Pick<Feeds, 'subscribe'>) {
    this.#subscription = feeds.subscribe(({ name, kind }, event) => {
      const numbered = this.#keep(name, event, KEPT[kind])
      this.#send('plain', name, numbered)
      this.#send('fridge/1', name, numbered)
    })
  }

  /** Serve a sensor on a stream: its last event at once, then each as it comes, until it closes. */
  serve(stream: MuxStream, sensor: string, dialect: Dialect): void {
    const last = this.#kept.get(sensor)?.at(-1)
    if (last !== undefined) stream.writeEncoded(encode(last, dialect))
    const bySensor = this.#streams[dialect]
    let streams = bySensor.get(sensor)
    if (streams === undefined) bySensor.set(sensor, (streams = new Set()))
    streams.add(stream)
    stream.onClose(() => streams.delete(stream))
  }

  /** Send again what is kept of the events behind number `after`, and say when that is done. */
  resume(stream: MuxStream, sensor: string, after: number): void {
    for (const kept of this.#kept.get(sensor) ?? []) {
      if (kept.sequence > after) stream.writeEncoded(encode(kept, 'fridge/1'))
    }
    stream.write(encodeEvent('resumed'))
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #keep(sensor: string, event: SensorEvent, length: number): NumberedEvent {
    let kept = this.#kept.get(sensor)
    if (kept === undefined) this.#kept.set(sensor, (kept = []))
    const numbered = { event, sequence: (kept.at(-1)?.sequence ?? 0) + 1 }
    kept.push(numbered)
    if (kept.length > length) kept.shift()
    return numbered
  }

  #send(dialect: Dialect, sensor: string, event: NumberedEvent): void {
    const streams = this.#streams[dialect].get(sensor)
    if (streams === undefined || streams.size === 0) return
    const encoded = encode(event, dialect)
    for (const stream of streams) stream.writeEncoded(encoded)
  }
}

function encode(event: NumberedEvent, dialect: Dialect): string {
  return JSON.stringify(encodeEvent(...eventValues(event, dialect)))
}
