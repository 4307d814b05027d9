import { backoffMs } from '../lib/backoff.ts'
import { errorCode, errorMessage } from '../lib/errors.ts'
import {
  connectBroker,
  type BrokerConnection,
  type BrokerMessage,
  type BrokerOptions,
} from '../sensors/drivers/mqtt-connection.ts'
import type { Feeds } from '../sensors/feed.ts'
import { SENSOR_KINDS, type SensorEvent } from '../sensors/kinds.ts'
import type { Sensor } from '../sensors/sensor.ts'
import { toJson, type Alarm, type AlarmChange } from './alarm.ts'
import type { Alarms, WatchedSensor } from './alarms.ts'
import {
  alarmDiscovery,
  keptTopics,
  sensorDiscovery,
  topicsBeside,
  topicsOf,
  type Message,
  type Topics,
} from './home-assistant.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'
import type { Rule } from './rule.ts'

export interface MqttBridgeOptions extends Omit<BrokerOptions, 'will' | 'clock'>, OutboxOptions {
  readonly node: string
  readonly topic: string
  readonly discovery: string
  readonly feeds: Pick<Feeds, 'sensors' | 'subscribe' | 'last'>
  readonly alarms: Pick<Alarms, 'standing' | 'subscribe'>
  readonly rulesOf: (sensor: WatchedSensor) => readonly Rule[]
}

const RETRY = { firstMs: 1_000, maxMs: 60_000 }

/** How long a broker may take to hear that this node goes, ms: its will says it otherwise. */
const GOODBYE_MS = 1_000

/** Entries that are taken back on one connection, whatever a broker says to have kept. */
const MAX_TAKEN_BACK = 1_000

/** What is to be published: of each topic that is kept the newest word. */
interface Outgoing extends Message {
  readonly isRetained: boolean
}

/**
 * Publishes at a broker what the sensors say and which alarms stand, as Home Assistant finds it. A
 * broker that is lost is told everything anew; while it is gone changes of alarms wait for it, and
 * nothing else. What the broker has kept of sensors and rules that are no more is taken back.
 */
export class MqttBridge implements AsyncDisposable {
  readonly #options: MqttBridgeOptions
  readonly #topics: Topics
  readonly #stop = new AbortController()
  readonly #stopped = Promise.withResolvers<void>()
  readonly #subscriptions = new DisposableStack()
  readonly #running: Promise<void>
  /** By topic, so that a broker that is slow is told the newest. */
  #retained = new Map<string, Outgoing>()
  /** Resolves to the broker when there is one that can be told. */
  #online = Promise.withResolvers<BrokerConnection>()
  #isConnected = false
  /** Why the broker is gone; undefined while it is there, or was not asked yet. */
  #failure: string | undefined
  #more = Promise.withResolvers<void>()
  /** Tells each change of an alarm. */
  readonly outbox: Outbox

  constructor(options: MqttBridgeOptions) {
    const { feeds, alarms, topic, node } = options
    this.#options = options
    this.#topics = topicsOf(topic, node)
    this.#subscriptions.use(
      feeds.subscribe((sensor, event) => this.#put(this.#stateOf(sensor, event))),
    )
    this.#subscriptions.use(alarms.subscribe(change => this.#tell(change)))
    this.outbox = new Outbox({
      ...options,
      receiver: 'the broker',
      deliver: async (change, signal) => this.#deliver(change, signal),
      describe: errorMessage,
      whyNot: () => this.#failure,
      // That the broker is gone, and back, is said where it is connected to.
      onFailed: () => {},
      onMended: () => {},
    })
    this.#running = this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriptions.dispose()
    this.#stop.abort()
    this.#stopped.resolve()
    this.#more.resolve()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, random, log, broker } = this.#options
    const { signal } = this.#stop
    const { host } = new URL(broker)
    for (let failures = 0; !signal.aborted;) {
      try {
        await using connection = await this.#connect()
        failures = 0
        this.#note(undefined)
        log.info({ host }, 'the broker is told the sensors and alarms')
        await this.#serve(connection)
      } catch (error) {
        if (signal.aborted) return
        failures += 1
        const why = errorMessage(error)
        this.#note(why)
        if (failures === 1) {
          log.warn({ host, why }, 'the broker cannot be told the sensors and alarms')
        }
        await clock.sleep(backoffMs(failures, RETRY, random), signal).catch(() => undefined)
      } finally {
        this.#isConnected = false
        this.#online = Promise.withResolvers()
        this.#retained.clear()
      }
    }
  }

  #note(failure: string | undefined): void {
    this.#failure = failure
    this.#options.onHealth()
  }

  /** Connect, unless this end stops meanwhile. */
  async #connect(): Promise<BrokerConnection> {
    const { signal } = this.#stop
    const dialing = new AbortController()
    const giveUp = (): void => dialing.abort(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      // Said by the broker where this node has no time to say it.
      const will = { topic: this.#topics.node, payload: 'offline' }
      const onMessage = this.#takeBack()
      return await connectBroker({ ...this.#options, will }, onMessage, dialing.signal)
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Publish until this end stops. @throws when the connection ends before */
  async #serve(connection: BrokerConnection): Promise<void> {
    const { signal } = this.#stop
    this.#isConnected = true
    this.#online.resolve(connection)
    this.#put(this.#everything())
    await Promise.race([this.#askForKept(connection), this.#stopped.promise])
    while (!signal.aborted) {
      await Promise.race([connection.ended, this.#more.promise])
      this.#more = Promise.withResolvers()
      for (let next; !signal.aborted && (next = this.#next()) !== undefined;) {
        const taken = connection.publish(next.topic, next.payload, next.isRetained)
        await Promise.race([taken, this.#stopped.promise])
      }
    }
    const late = Promise.withResolvers<void>()
    using _deadline = this.#options.clock.after(GOODBYE_MS, late.resolve)
    await Promise.race([connection.publish(this.#topics.node, 'offline', true), late.promise])
  }

  #next(): Outgoing | undefined {
    const [retained] = this.#retained.values()
    if (retained !== undefined) this.#retained.delete(retained.topic)
    return retained
  }

  #put(messages: readonly Outgoing[]): void {
    if (!this.#isConnected) return
    for (const message of messages) this.#retained.set(message.topic, message)
    this.#more.resolve()
  }

  #tell({ alarm }: AlarmChange): void {
    // Of another node its change is told, and no state: Home Assistant finds this one's things here.
    if (alarm.kind === 'node') return
    const standing = this.#options.alarms.standing()
    this.#put(this.#alarmOf(alarm.sensor, alarm.rule, standing, alarm))
  }

  async #deliver(change: AlarmChange, signal: AbortSignal): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const giveUp = (): void => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      const connection = await Promise.race([this.#online.promise, aborted])
      const taken = connection.publish(this.#topics.changes, toJson(change), false)
      await Promise.race([taken, aborted])
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Hear what the broker has kept of this node. */
  async #askForKept(connection: BrokerConnection): Promise<void> {
    const { discovery, node, broker, log } = this.#options
    try {
      await connection.subscribe(keptTopics(this.#topics, { discovery, node }))
    } catch (error) {
      if (errorCode(error) !== 'ERR_REFUSED') throw error
      const { host } = new URL(broker)
      log.warn({ host }, 'this user may not read its own topics: what is no more stays there')
    }
  }

  /** Hears what the broker has kept, and takes back what nobody stands for any more. */
  #takeBack(): (message: BrokerMessage) => void {
    const own = this.#ownTopics()
    let taken = 0
    return ({ topic, payload, isRetained }) => {
      if (!isRetained || payload.length === 0 || taken === MAX_TAKEN_BACK) return
      const old = topicsBeside(topic, payload, this.#topics).filter(one => !own.has(one))
      if (old.length === 0) return
      taken += 1
      this.#put(old.map(one => retained({ topic: one, payload: '' })))
    }
  }

  /** What this node publishes of its sensors and rules, now or later. */
  #ownTopics(): Set<string> {
    const { feeds, rulesOf, discovery, node } = this.#options
    const topics = this.#topics
    const own = feeds.sensors.flatMap(sensor => [
      sensorDiscovery(sensor, { discovery, topics, node }).topic,
      topics.availability(sensor.name),
      topics.state(sensor.name),
      ...rulesOf(sensor).flatMap(({ type }) => [
        alarmDiscovery(sensor.name, type, { discovery, topics, node }).topic,
        topics.alarm(sensor.name, type),
        topics.details(sensor.name, type),
      ]),
    ])
    return new Set(own)
  }

  #everything(): Outgoing[] {
    const { feeds, alarms, rulesOf, discovery, node } = this.#options
    const topics = this.#topics
    const standing = alarms.standing()
    const messages = feeds.sensors.flatMap(sensor => {
      const { name } = sensor
      const last = feeds.last(name)
      return [
        retained(sensorDiscovery(sensor, { discovery, topics, node })),
        ...(last === undefined ? [] : this.#stateOf(sensor, last)),
        ...rulesOf(sensor).flatMap(({ type }) => [
          retained(alarmDiscovery(name, type, { discovery, topics, node })),
          ...this.#alarmOf(name, type, standing),
        ]),
      ]
    })
    return [...messages, retained({ topic: topics.node, payload: 'online' })]
  }

  #alarmOf(
    sensor: string,
    rule: Rule['type'],
    standing: readonly Alarm[],
    known?: Alarm,
  ): Outgoing[] {
    const alarm = standing.find(one => one.sensor === sensor && one.rule === rule)
    const details = alarm ?? known
    const topics = this.#topics
    return [
      ...(details === undefined
        ? []
        : [retained({ topic: topics.details(sensor, rule), payload: JSON.stringify(details) })]),
      retained({ topic: topics.alarm(sensor, rule), payload: alarm === undefined ? 'OFF' : 'ON' }),
    ]
  }

  /**
   * A state is kept by the broker only while it holds: a door's, until nothing is known of it. A
   * reading is not kept, so that nobody takes it for news later.
   */
  #stateOf(
    { name, kind, isSealed }: Pick<Sensor, 'name' | 'kind' | 'isSealed'>,
    event: SensorEvent,
  ): Outgoing[] {
    const topic = this.#topics.state(name)
    // What a sealed sensor says is not for a broker: there nothing is known of it.
    const isUnavailable = event.type === 'unavailable' || isSealed === true
    const payload = event.type === 'reading' ? String(event.value) : isUnavailable ? '' : event.type
    const isRetained = SENSOR_KINDS[kind].quantity === undefined
    return [
      ...(isUnavailable && !isRetained ? [] : [{ topic, payload, isRetained }]),
      retained({
        topic: this.#topics.availability(name),
        payload: isUnavailable ? 'offline' : 'online',
      }),
    ]
  }
}

function retained(message: Message): Outgoing {
  return { ...message, isRetained: true }
}
