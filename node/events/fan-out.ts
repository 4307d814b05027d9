import {
  encode,
  ENCODINGS,
  framesOf,
  isSilent,
  type Encoding,
  type NumberedEvent,
} from './dialect.ts'
import { EventSeal } from './event-seal.ts'
import type { Lookout } from '../lib/lookout.ts'
import type { Seals } from '../seal/seals.ts'
import type { Feeds } from '../sensors/feed.ts'
import { SENSOR_KINDS, type SensorEvent } from '../sensors/kinds.ts'
import {
  Subscriber,
  type Carrier,
  type DeliveryCounts,
  type EventStream,
  type SensorNews,
  type SubscriberHost,
} from './subscriber.ts'
import { encodeEvent } from '../wire/emitter.ts'
import type { MuxStream } from '../wire/mux.ts'

/** What a fan-out has done. */
export interface FanOutCounts extends DeliveryCounts {
  /** Events that sensors gave. */
  events: number
}

/** Subscribers whose streams have the same ids: equal bytes tell all of them the same. */
interface Group {
  readonly ids: ReadonlyMap<string, string>
  readonly subscribers: Set<Subscriber>
}

/**
 * Hands each event of the sensors to every connection that carries it. What one turn of the
 * event loop brings is encoded once for all connections with the same streams, and is one write
 * to each. No other waits for a connection that does not read: it falls behind alone.
 */
export class FanOut implements Disposable {
  /** What it has done since the start. */
  readonly counts: FanOutCounts = { events: 0, delivered: 0, bytes: 0, conflated: 0 }
  readonly #subscription: Disposable
  readonly #lookout: Pick<Lookout, 'check'>
  readonly #seals: Pick<Seals, 'of'> | undefined
  /** The newest events of each sensor, oldest first. */
  readonly #kept = new Map<string, NumberedEvent[]>()
  readonly #groups: Record<Encoding, Map<string, Group>> = {
    plain: new Map(),
    'fridge/1': new Map(),
    page: new Map(),
    'old page': new Map(),
  }
  /** Subscribers that belong to no group until there is something to tell. */
  readonly #ungrouped = new Set<Subscriber>()
  #news: SensorNews[] = []
  readonly #host: SubscriberHost = {
    counts: this.counts,
    encode,
    onChange: subscriber => this.#leaveGroup(subscriber),
  }

  /**
   * @param lookout looked at before anybody is told anything: whoever may not stay is cut by it
   * @param seals what seals the sensors that are sealed; without it none is
   */
  constructor(
    feeds: Pick<Feeds, 'subscribe'>,
    lookout: Pick<Lookout, 'check'>,
    seals?: Pick<Seals, 'of'>,
  ) {
    this.#lookout = lookout
    this.#seals = seals
    this.#subscription = feeds.subscribe(({ name: sensor, kind }, event) => {
      this.counts.events += 1
      if (this.#news.length === 0) setImmediate(() => this.#flush())
      this.#news.push({
        ...this.#keep(sensor, event, SENSOR_KINDS[kind].keptForNewcomers),
        sensor,
        kind,
      })
    })
  }

  /** Serve a connection, which carries no sensor yet. */
  join(carrier: Carrier, encoding: Encoding): Subscriber {
    return new Subscriber(carrier, encoding, this.#host)
  }

  /** Serve a sensor on a stream: its last event at once, then each as it comes, until it closes. */
  serve(subscriber: Subscriber, sensor: string, stream: EventStream): void {
    // What is on its way already is told as the last event.
    this.#flush()
    const last = this.#kept.get(sensor)?.at(-1)
    if (last !== undefined) subscriber.write(stream, last)
    subscriber.carry(sensor, stream)
  }

  /** Send again what is kept of the events behind number `after`, and say when that is done. */
  resume(subscriber: Subscriber, sensor: string, stream: MuxStream, after: number): void {
    // What is on its way is kept already, and would come once more behind the end.
    this.#flush()
    // What it has not been told because it is behind comes anyway, and may reach back further.
    const owed = subscriber.firstOwed(sensor)?.sequence ?? Infinity
    for (const kept of this.#kept.get(sensor) ?? []) {
      if (kept.sequence > after && kept.sequence < owed) subscriber.write(stream, kept)
    }
    stream.write(encodeEvent('resumed'))
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #keep(sensor: string, event: SensorEvent, length: number): NumberedEvent {
    let kept = this.#kept.get(sensor)
    if (kept === undefined) this.#kept.set(sensor, (kept = []))
    const sequence = (kept.at(-1)?.sequence ?? 0) + 1
    const seal = this.#seals?.of(sensor)
    const numbered: NumberedEvent =
      seal === undefined
        ? { event, sequence }
        : { event, sequence, seal: new EventSeal(seal, event, sequence) }
    kept.push(numbered)
    if (kept.length > length) kept.shift()
    return numbered
  }

  /** The streams of a subscriber have changed: its bytes are those of its group no more. */
  #leaveGroup(subscriber: Subscriber): void {
    const groups = this.#groups[subscriber.encoding]
    const before = groups.get(subscriber.key)
    before?.subscribers.delete(subscriber)
    if (before?.subscribers.size === 0) groups.delete(subscriber.key)
    subscriber.key = ''
    if (subscriber.isIdle) this.#ungrouped.delete(subscriber)
    else this.#ungrouped.add(subscriber)
  }

  /** Find the groups of subscribers whose streams have changed: once, however often they did. */
  #regroup(): void {
    for (const subscriber of this.#ungrouped) {
      const groups = this.#groups[subscriber.encoding]
      const ids = subscriber.streamIds()
      subscriber.key = JSON.stringify([...ids])
      const group = groups.get(subscriber.key) ?? { ids, subscribers: new Set() }
      group.subscribers.add(subscriber)
      groups.set(subscriber.key, group)
    }
    this.#ungrouped.clear()
  }

  #flush(): void {
    if (this.#news.length === 0) return
    this.#lookout.check()
    const news = this.#news
    this.#news = []
    this.#regroup()
    for (const encoding of ENCODINGS) {
      if (this.#groups[encoding].size === 0) continue
      const told = news.filter(event => !isSilent(event, encoding))
      const encoded = told.map(event => encode(event, encoding))
      for (const { ids, subscribers } of this.#groups[encoding].values()) {
        const own: [string, string][] = []
        const carried = told.filter(({ sensor }, index) => {
          const id = ids.get(sensor)
          if (id !== undefined) own.push([id, encoded[index] ?? ''])
          return id !== undefined
        })
        if (carried.length === 0) continue
        const bytes = framesOf(encoding, own)
        for (const subscriber of subscribers) subscriber.tell(bytes, carried)
      }
    }
  }
}
