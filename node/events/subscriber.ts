import { framesOf, type Encoding, type NumberedEvent } from './dialect.ts'
import { SENSOR_KINDS, type SensorKind } from '../sensors/kinds.ts'

/** What subscribers are told: an event of a sensor, or what another node has told of one. */
export type Tellable = Pick<NumberedEvent, 'sequence'>

/** An event on its way to every connection that carries its sensor. */
export type SensorNews<Event extends Tellable = NumberedEvent> = Event & {
  readonly sensor: string
  readonly kind: SensorKind
}

/** What has been sent: an event costs a few additions, however many clients it goes to. */
export interface DeliveryCounts {
  /** Events handed to clients: one event counts once for each client. */
  delivered: number
  /** Their bytes with their frames, before TLS. */
  bytes: number
  /** Readings that a slow client was not sent, because a newer one took their place. */
  conflated: number
}

/** Where the events of one sensor go on a connection. */
export interface EventStream {
  readonly id: string
  /** Send an event that is encoded already. */
  writeEncoded(json: string): void
  /** Hear once that it is closed. */
  onClose(listener: () => void): void
}

/** What the fan-out needs of a connection. */
export interface Carrier {
  /** Bytes that the peer has not read yet. */
  readonly bufferedBytes: number
  /** Send complete lines; other connections are sent the same bytes. */
  writeShared(bytes: Uint8Array): void
  /** Resolves when what was written has been handed to the network, or the connection has ended. */
  drained(): Promise<void>
  /** End the connection, because its peer does not read. */
  cutAsTooSlow(): void
}

/** Bytes unread by a peer from which on it counts as behind: events are kept for it, and not sent. */
const BEHIND_FROM_BYTES = 65_536

export interface SubscriberHost<Event extends Tellable = NumberedEvent> {
  readonly counts: DeliveryCounts
  /** An event as JSON, as `writeEncoded` takes it. */
  readonly encode: (event: Event, encoding: Encoding) => string
  /** The streams of a subscriber have changed. */
  readonly onChange: (subscriber: Subscriber<Event>) => void
}

/** A connection with the sensors that it carries, and the events that it has not been told. */
export class Subscriber<Event extends Tellable = NumberedEvent> {
  readonly encoding: Encoding
  /** The group of connections that it is told with; empty for none. */
  key = ''
  readonly #carrier: Carrier
  readonly #host: SubscriberHost<Event>
  readonly #streams = new Map<string, EventStream>()
  /** What it has not been told, by sensor; undefined while it keeps up. */
  #behind: Map<string, Event[]> | undefined

  constructor(carrier: Carrier, encoding: Encoding, host: SubscriberHost<Event>) {
    this.#carrier = carrier
    this.encoding = encoding
    this.#host = host
  }

  /** Whether it carries no sensor. */
  get isIdle(): boolean {
    return this.#streams.size === 0
  }

  /** The ids of its streams, by sensor. */
  streamIds(): Map<string, string> {
    return new Map(Array.from(this.#streams, ([sensor, { id }]) => [sensor, id]))
  }

  /** Carry a sensor from now on, until its stream closes. */
  carry(sensor: string, stream: EventStream): void {
    this.#streams.set(sensor, stream)
    this.#host.onChange(this)
    stream.onClose(() => {
      if (this.#streams.get(sensor) !== stream) return
      this.#streams.delete(sensor)
      this.#behind?.delete(sensor)
      this.#host.onChange(this)
    })
  }

  /** Send an event to this connection alone. */
  write(stream: EventStream, event: Event): void {
    const json = this.#host.encode(event, this.encoding)
    stream.writeEncoded(json)
    this.#host.counts.delivered += 1
    this.#host.counts.bytes += framesOf(this.encoding, [[stream.id, json]]).length
  }

  /** The oldest event of a sensor that it is yet to be told, because it is behind. */
  firstOwed(sensor: string): Event | undefined {
    return this.#behind?.get(sensor)?.[0]
  }

  /**
   * Tell it what is new, or keep that until it has read what it was told.
   * @param news events of sensors that it carries
   * @param bytes the same events as frames, as its whole group is told them
   */
  tell(bytes: Uint8Array, news: readonly SensorNews<Event>[]): void {
    if (this.#behind === undefined) {
      if (this.#carrier.bufferedBytes < BEHIND_FROM_BYTES) {
        this.#carrier.writeShared(bytes)
        this.#host.counts.delivered += news.length
        this.#host.counts.bytes += bytes.length
        return
      }
      this.#behind = new Map()
      void this.#carrier.drained().then(() => this.#catchUp())
    }
    for (const event of news) this.#keep(this.#behind, event)
  }

  #keep(behind: Map<string, Event[]>, news: SensorNews<Event>): void {
    const kept = behind.get(news.sensor)
    const { keptForSlowReaders, onlyNewestCounts } = SENSOR_KINDS[news.kind]
    if (kept === undefined) behind.set(news.sensor, [news])
    else if (kept.length < keptForSlowReaders) kept.push(news)
    else if (onlyNewestCounts) {
      kept[kept.length - 1] = news
      this.#host.counts.conflated += 1
    } else this.#carrier.cutAsTooSlow()
  }

  #catchUp(): void {
    const behind = this.#behind ?? []
    this.#behind = undefined
    for (const [sensor, events] of behind) {
      const stream = this.#streams.get(sensor)
      if (stream === undefined) continue
      for (const event of events) this.write(stream, event)
    }
  }
}
