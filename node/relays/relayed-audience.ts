import type { Alarm, AlarmState } from '../alarms/alarm.ts'
import { ALARM_STREAM, STANDING } from '../alarms/alarm-stream.ts'
import { isAlarmId, parseAlarm } from '../alarms/parse.ts'
import { relayedFrame } from '../events/page-frames.ts'
import type { DeliveryCounts } from '../events/subscriber.ts'
import type { SensorInfo } from '../events/told-sensor.ts'
import type { Name } from '../identity/names.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Clock, Random } from '../lib/clock.ts'
import { EVENT_TYPES } from '../sensors/kinds.ts'
import type { Channel } from '../wire/channel.ts'
import { attachEmitter } from '../wire/emitter.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'
import {
  audienceStream,
  parseFarewell,
  parseRelayedEvent,
  parseToldSensors,
  SEALED,
  TELLING_LIMITS,
  type Ask,
  type FarHello,
} from './relay-frames.ts'
import { Viewer, type OpenRelay, type RelayedNews, type WatchingPage } from './viewer.ts'

/** A connection to a far node that has said hello. */
export interface RelayLine {
  readonly channel: Channel
  readonly hello: FarHello
  /** How far the clock of the far node is ahead of ours, in milliseconds. */
  readonly clockAheadMs: number
}

export interface RelayedAudienceOptions {
  readonly node: Name
  readonly ask: Ask
  readonly counts: DeliveryCounts
  readonly clock: Clock
  readonly random: Random
  /** Ask for it again, on the same connection. */
  readonly onAgain: () => void
}

/** How long a far node that has refused is left alone, in milliseconds. */
const BACKOFF = { firstMs: 1_000, maxMs: 5_000 } as const

/** Alarms that may stand at once: a node has some rules for each of its sensors. */
const MAX_STANDING = 1_024

const ANSWERS: ReadonlySet<string> = new Set(['rights', 'bye'])
const SENSOR_EVENTS: ReadonlySet<string> = new Set([...EVENT_TYPES, SEALED])
const STATES: readonly AlarmState[] = ['raised', 'over', 'acknowledged']
const ALARM_EVENTS: ReadonlySet<string> = new Set([STANDING, ...STATES])

/** Where an audience reads now. */
interface Place extends RelayLine {
  readonly number: number
  readonly stream: MuxStream
}

/** The pages here that look at one other node under the same origin as the same browser. */
export class RelayedAudience {
  readonly #options: RelayedAudienceOptions
  readonly #viewers = new Map<WatchingPage, Viewer>()
  /** The newest event of each sensor, for pages that come. */
  readonly #last = new Map<string, RelayedNews>()
  readonly #standing = new Map<string, Alarm>()
  #place: Place | undefined
  /** What may be read; undefined until the far node has said so. */
  #sensors: readonly SensorInfo[] | undefined
  #lost: { readonly reason: string; readonly text: string } | undefined
  #refusals = 0
  #retry: Disposable | undefined

  constructor(options: RelayedAudienceOptions) {
    this.#options = options
  }

  /** Whether no page looks. */
  get isUnwatched(): boolean {
    return this.#viewers.size === 0
  }

  /** What it is known by on its connection, while the far node lets it read. */
  get number(): number | undefined {
    return this.#sensors === undefined ? undefined : this.#place?.number
  }

  /** Tell a page what is known, and all that comes. */
  join(page: WatchingPage): void {
    const { node, counts } = this.#options
    const viewer = new Viewer({ node, page, counts })
    this.#viewers.set(page, viewer)
    const relay = this.#relay()
    if (relay !== undefined) {
      this.#tellOpen(viewer, relay)
      this.#tellAlarms(viewer)
    } else if (this.#lost !== undefined) viewer.tellLost(this.#lost.reason, this.#lost.text)
  }

  /** What a page may read here has changed. */
  review(page: WatchingPage): void {
    const viewer = this.#viewers.get(page)
    const relay = this.#relay()
    if (viewer === undefined || relay === undefined) return
    this.#tellOpen(viewer, relay)
    this.#tellAlarms(viewer)
  }

  leave(page: WatchingPage): void {
    this.#viewers.get(page)?.close()
    this.#viewers.delete(page)
  }

  /** Ask the far node for it. @param number what it is known by on this connection */
  connect(line: RelayLine, number: number): void {
    const { channel } = line
    const stream = channel.open(audienceStream(number))
    this.#place = { ...line, number, stream }
    const emitter = attachEmitter(stream, {
      limits: TELLING_LIMITS,
      accepts: ANSWERS,
      onRefused: refusal => channel.refuse(refusal),
    })
    emitter.on('rights', (...values) => {
      const sensors = parseToldSensors(values)
      if (sensors === undefined) this.#refuse('what may be read is malformed')
      else this.#open(sensors)
    })
    emitter.on('bye', (...values) => {
      const bye = parseFarewell(values)
      if (bye === undefined) this.#refuse('a bye is malformed')
      else this.#again(bye.reason, bye.text)
    })
    stream.onClose(() => {
      if (this.#place?.stream !== stream || channel.ended) return
      this.#again('closed', `${this.#options.node} has ended it without a word`)
    })
    emitter.emit('ask', this.#options.ask)
  }

  /** Nothing is known from now on. */
  lose(reason: string, text: string): void {
    this.#retry?.[Symbol.dispose]()
    this.#place = undefined
    this.#sensors = undefined
    this.#last.clear()
    this.#standing.clear()
    this.#lost = { reason, text }
    for (const viewer of this.#viewers.values()) viewer.tellLost(reason, text)
  }

  /** No page looks any more. */
  end(): void {
    this.#retry?.[Symbol.dispose]()
    const place = this.#place
    this.#place = undefined
    place?.stream.end()
    place?.stream.destroy()
  }

  /** The far node opens the stream of a sensor, or of its alarms. @returns whether it may */
  take(part: string, stream: MuxStream): boolean {
    const place = this.#place
    if (place === undefined) return true
    if (part === ALARM_STREAM) {
      this.#hearAlarms(place, stream)
      return true
    }
    const sensor = this.#sensors?.find(({ name }) => name === part)
    if (sensor === undefined) return false
    this.#hearSensor(place, sensor, stream)
    return true
  }

  #open(sensors: readonly SensorInfo[]): void {
    this.#refusals = 0
    this.#lost = undefined
    this.#sensors = sensors
    const relay = this.#relay()
    if (relay === undefined) return
    for (const viewer of this.#viewers.values()) this.#tellOpen(viewer, relay)
  }

  #relay(): OpenRelay | undefined {
    if (this.#place === undefined || this.#sensors === undefined) return undefined
    const { hello, clockAheadMs } = this.#place
    const { run, version } = hello
    const time = this.#options.clock.now() + clockAheadMs
    return { run, version, time, sensors: this.#sensors }
  }

  #tellOpen(viewer: Viewer, relay: OpenRelay): void {
    viewer.tellOpen(relay, sensor => this.#last.get(sensor))
  }

  #tellAlarms(viewer: Viewer): void {
    viewer.tellStanding([...this.#standing.keys()])
    for (const alarm of this.#standing.values()) viewer.tellAlarm('raised', alarm)
  }

  #again(reason: string, text: string): void {
    const { clock, random, onAgain } = this.#options
    this.lose(reason, text)
    this.#refusals += 1
    this.#retry = clock.after(backoffMs(this.#refusals, BACKOFF, random), onAgain)
  }

  #hearSensor(place: Place, sensor: SensorInfo, stream: MuxStream): void {
    const { name, kind } = sensor
    let heard = 0
    const emitter = attachEmitter(stream, {
      limits: TELLING_LIMITS,
      accepts: SENSOR_EVENTS,
      onRefused: refusal => place.channel.refuse(refusal),
    })
    for (const type of SENSOR_EVENTS) {
      emitter.on(type, (...values) => {
        if (this.#place !== place) return
        const sequence = parseRelayedEvent(sensor, type, values)
        if (sequence === undefined) return this.#refuse('an event is malformed')
        if (sequence <= heard) return this.#refuse('an event is told twice')
        heard = sequence
        this.#tell({ sensor: name, kind, sequence, values: [type, ...values] })
      })
    }
    stream.onClose(() => {
      if (this.#place !== place) return
      this.#last.delete(name)
      for (const viewer of this.#viewers.values()) viewer.forget(name)
    })
  }

  #tell(news: RelayedNews): void {
    this.#last.set(news.sensor, news)
    if (this.#viewers.size === 0) return
    const bytes = relayedFrame(this.#options.node, news.sensor, JSON.stringify(news.values))
    for (const viewer of this.#viewers.values()) viewer.tell(news, bytes)
  }

  #hearAlarms(place: Place, stream: MuxStream): void {
    const emitter = attachEmitter(stream, {
      limits: TELLING_LIMITS,
      accepts: ALARM_EVENTS,
      onRefused: refusal => place.channel.refuse(refusal),
    })
    emitter.on(STANDING, ids => {
      if (this.#place !== place) return
      if (!Array.isArray(ids) || ids.length > MAX_STANDING || !ids.every(isAlarmId)) {
        return this.#refuse('the alarms that stand are malformed')
      }
      const standing = new Set(ids)
      for (const id of this.#standing.keys()) if (!standing.has(id)) this.#standing.delete(id)
      for (const viewer of this.#viewers.values()) viewer.tellStanding(ids)
    })
    for (const state of STATES) {
      emitter.on(state, value => {
        if (this.#place !== place) return
        const alarm = parseAlarm(value)
        if (alarm === undefined) return this.#refuse('an alarm is malformed')
        this.#hearAlarm(state, alarm)
      })
    }
  }

  #hearAlarm(state: AlarmState, alarm: Alarm): void {
    const { id } = alarm
    if (state === 'over') this.#standing.delete(id)
    else if (state === 'raised' || this.#standing.has(id)) this.#standing.set(id, alarm)
    if (this.#standing.size > MAX_STANDING) return this.#refuse('too many alarms stand')
    for (const viewer of this.#viewers.values()) viewer.tellAlarm(state, alarm)
  }

  #refuse(reason: string): void {
    this.#place?.channel.refuse(new Refusal('relay', reason))
  }
}
