import type { Alarm, AlarmState } from '../alarms/alarm.ts'
import { STANDING } from '../alarms/alarm-stream.ts'
import { eventFrame, relayedFrame } from '../events/page-frames.ts'
import {
  Subscriber,
  type Carrier,
  type DeliveryCounts,
  type EventStream,
  type SensorNews,
  type Tellable,
} from '../events/subscriber.ts'
import type { SensorInfo } from '../events/told-sensor.ts'
import type { Name, Source } from '../identity/names.ts'

/** A page that watches another node. */
export interface WatchingPage {
  readonly carrier: Carrier
  /** Whether it may read a sensor as far as this node knows: it is told of no others. */
  readonly mayRead: (sensor: string) => boolean
}

/** What another node has told of a sensor: its own values, handed on as they are. */
export interface RelayedEvent extends Tellable {
  readonly values: readonly unknown[]
}

export type RelayedNews = SensorNews<RelayedEvent>

/** What is known of a far node while it lets an audience read. */
export interface OpenRelay {
  readonly run: Source
  readonly version: string
  /** What its clock says now, in milliseconds since 1970. */
  readonly time: number
  readonly sensors: readonly SensorInfo[]
}

export interface ViewerOptions {
  readonly node: Name
  readonly page: WatchingPage
  readonly counts: DeliveryCounts
}

/** One page that watches one other node: told what its audience is told, as fast as it reads. */
export class Viewer {
  readonly #options: ViewerOptions
  readonly #subscriber: Subscriber<RelayedEvent>
  readonly #streams = new Map<string, RelayedStream>()

  constructor(options: ViewerOptions) {
    this.#options = options
    this.#subscriber = new Subscriber<RelayedEvent>(options.page.carrier, 'page', {
      counts: options.counts,
      encode: ({ values }) => JSON.stringify(values),
      onChange: () => {},
    })
  }

  /** The far node lets it read these sensors from now on. @param lastOf what is known of one of them */
  tellOpen(relay: OpenRelay, lastOf: (sensor: string) => RelayedEvent | undefined): void {
    const { node, page } = this.#options
    const sensors = relay.sensors.filter(({ name }) => page.mayRead(name))
    for (const [sensor, stream] of this.#streams) {
      if (!sensors.some(({ name }) => name === sensor)) this.#close(sensor, stream)
    }
    this.#say('relay', node, { is: 'open', ...relay, sensors })
    for (const { name } of sensors) {
      if (this.#streams.has(name)) continue
      const stream = new RelayedStream(node, name, page.carrier)
      this.#streams.set(name, stream)
      const last = lastOf(name)
      if (last !== undefined) this.#subscriber.write(stream, last)
      this.#subscriber.carry(name, stream)
    }
  }

  /** Nothing is known of the far node from now on. */
  tellLost(reason: string, text: string): void {
    this.close()
    this.#say('relay', this.#options.node, { is: 'lost', reason, text })
  }

  /** @param bytes the event as all pages are sent it that read this sensor */
  tell(news: RelayedNews, bytes: Uint8Array): void {
    if (this.#streams.has(news.sensor)) this.#subscriber.tell(bytes, [news])
  }

  /** A sensor is to be told anew, whatever its stream has brought. */
  forget(sensor: string): void {
    const stream = this.#streams.get(sensor)
    if (stream !== undefined) this.#close(sensor, stream)
  }

  tellStanding(ids: readonly string[]): void {
    this.#say('relayed-alarms', this.#options.node, STANDING, ids)
  }

  tellAlarm(state: AlarmState, alarm: Alarm): void {
    const { node, page } = this.#options
    if (page.mayRead(alarm.sensor)) this.#say('relayed-alarms', node, state, alarm)
  }

  /** Tell it no more. */
  close(): void {
    for (const [sensor, stream] of this.#streams) this.#close(sensor, stream)
  }

  #close(sensor: string, stream: RelayedStream): void {
    this.#streams.delete(sensor)
    stream.close()
  }

  #say(event: string, ...values: unknown[]): void {
    this.#options.page.carrier.writeShared(eventFrame(event, ...values))
  }
}

/** Where the events of one sensor of another node go on a page. */
class RelayedStream implements EventStream {
  readonly id: string
  readonly #node: Name
  readonly #carrier: Carrier
  readonly #listeners: (() => void)[] = []

  constructor(node: Name, sensor: string, carrier: Carrier) {
    this.id = sensor
    this.#node = node
    this.#carrier = carrier
  }

  writeEncoded(json: string): void {
    this.#carrier.writeShared(relayedFrame(this.#node, this.id, json))
  }

  onClose(listener: () => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
