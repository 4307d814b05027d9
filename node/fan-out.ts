import type { Feeds } from './sensors/feed.ts'
import type { SensorEvent } from './sensors/sensor.ts'
import { encodeEvent } from './wire/emitter.ts'
import type { MuxStream } from './wire/mux.ts'

/** The two kinds of connection that sensors are served on (PROTOCOL.md). */
export type Dialect = 'plain' | 'fridge/1'

/** One sensor event as the values that a dialect emits. */
export function eventValues(event: SensorEvent, dialect: Dialect): [string, ...unknown[]] {
  const times = dialect === 'plain' ? [] : [event.at]
  switch (event.type) {
    case 'open':
    case 'close':
      return [event.type, event.at]
    case 'reading':
      return [event.type, event.value, event.unit, ...times]
    case 'unavailable':
      return [event.type, event.reason, ...times]
  }
}

/**
 * Hands each event of the sensors to every stream that carries it. An event is encoded once a
 * dialect, not once a client.
 */
export class FanOut implements Disposable {
  /** What it has done since the start. An event costs a few additions, however many clients it goes to. */
  readonly counts = {
    /** Events that sensors gave. */
    events: 0,
    /** Events handed to clients: one event counts once for each client. */
    delivered: 0,
    /** Their size in UTF-16 units, encoded, before frames and TLS. */
    size: 0,
    /** Readings that a slow client was not sent, because a newer one took their place. */
    conflated: 0,
  }

  readonly #feeds: Feeds
  readonly #subscription: Disposable
  readonly #streams: Record<Dialect, Map<string, Set<MuxStream>>> = {
    plain: new Map(),
    'fridge/1': new Map(),
  }

  constructor(feeds: Feeds) {
    this.#feeds = feeds
    this.#subscription = feeds.subscribe((sensor, event) => {
      this.counts.events += 1
      this.#send('plain', sensor.name, event)
      this.#send('fridge/1', sensor.name, event)
    })
  }

  /** Serve a sensor on a stream: its last event at once, then each as it comes, until it closes. */
  serve(stream: MuxStream, sensor: string, dialect: Dialect): void {
    const last = this.#feeds.last(sensor)
    if (last !== undefined) {
      const encoded = encode(last, dialect)
      stream.writeEncoded(encoded)
      this.#count(encoded, 1)
    }
    const bySensor = this.#streams[dialect]
    let streams = bySensor.get(sensor)
    if (streams === undefined) bySensor.set(sensor, (streams = new Set()))
    streams.add(stream)
    stream.onClose(() => streams.delete(stream))
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #count(encoded: string, streams: number): void {
    this.counts.delivered += streams
    this.counts.size += encoded.length * streams
  }

  #send(dialect: Dialect, sensor: string, event: SensorEvent): void {
    const streams = this.#streams[dialect].get(sensor)
    if (streams === undefined || streams.size === 0) return
    const encoded = encode(event, dialect)
    this.#count(encoded, streams.size)
    for (const stream of streams) stream.writeEncoded(encoded)
  }
}

function encode(event: SensorEvent, dialect: Dialect): string {
  return JSON.stringify(encodeEvent(...eventValues(event, dialect)))
}
