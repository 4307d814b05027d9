import { backoffMs } from '../lib/backoff.ts'
import type { Random } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import {
  connectBroker,
  type BrokerConnection,
  type BrokerOptions,
} from '../sensors/drivers/mqtt-connection.ts'
import type { Feeds } from '../sensors/feed.ts'
import { SENSOR_KINDS, type SensorEvent } from '../sensors/kinds.ts'
import type { Alarm, AlarmChange } from './alarm.ts'
import type { Alarms, WatchedSensor } from './alarms.ts'
import {
  alarmDiscovery,
  sensorDiscovery,
  topicsOf,
  type Message,
  type Topics,
} from './home-assistant.ts'
import type { Rule } from './rule.ts'
import { toJson } from './webhook.ts'

export interface MqttBridgeOptions extends Omit<BrokerOptions, 'will'> {
  readonly node: string
  readonly topic: string
  readonly discovery: string
  readonly feeds: Pick<Feeds, 'sensors' | 'subscribe' | 'last'>
  readonly alarms: Pick<Alarms, 'standing' | 'subscribe'>
  readonly rulesOf: (sensor: WatchedSensor) => readonly Rule[]
  readonly random: Random
  readonly log: Log
}

const RETRY = { firstMs: 1_000, maxMs: 60_000 }

/** How long a broker may take to hear that this node goes, ms: its will says it otherwise. */
const GOODBYE_MS = 1_000

/** Changes of alarms that wait for a broker; past it the oldest is lost: what stands is told anyway. */
const MAX_WAITING = 1_000

/** What is to be published: of each topic that is kept the newest word, and each change of an alarm. */
interface Outgoing extends Message {
  readonly isRetained: boolean
}

/**
 * Publishes at a broker what the sensors say and which alarms stand, as Home Assistant finds it. A
 * broker that is lost is told everything anew; while it is gone nothing waits for it.
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
  #changes: Outgoing[] = []
  #isConnected = false
  #more = Promise.withResolvers<void>()

  constructor(options: MqttBridgeOptions) {
    const { feeds, alarms, topic, node } = options
    this.#options = options
    this.#topics = topicsOf(topic, node)
    this.#subscriptions.use(
      feeds.subscribe((sensor, event) => this.#put(this.#stateOf(sensor, event))),
    )
    this.#subscriptions.use(alarms.subscribe(change => this.#tell(change)))
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
        log.info({ host }, 'the broker is told the sensors and alarms')
        await this.#serve(connection)
      } catch (error) {
        if (signal.aborted) return
        failures += 1
        const why = errorMessage(error)
        if (failures === 1) {
          log.warn({ host, why }, 'the broker cannot be told the sensors and alarms')
        }
        await clock.sleep(backoffMs(failures, RETRY, random), signal).catch(() => undefined)
      } finally {
        this.#isConnected = false
        this.#retained.clear()
        this.#changes = []
      }
    }
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
      return await connectBroker({ ...this.#options, will }, () => {}, dialing.signal)
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Publish until this end stops. @throws when the connection ends before */
  async #serve(connection: BrokerConnection): Promise<void> {
    const { signal } = this.#stop
    this.#isConnected = true
    this.#put(this.#everything())
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
    const change = this.#changes.shift()
    if (change !== undefined) return change
    const [retained] = this.#retained.values()
    if (retained !== undefined) this.#retained.delete(retained.topic)
    return retained
  }

  #put(messages: readonly Outgoing[]): void {
    if (!this.#isConnected) return
    for (const message of messages) this.#retained.set(message.topic, message)
    this.#more.resolve()
  }

  #tell(change: AlarmChange): void {
    if (!this.#isConnected) return
    const { changes } = this.#topics
    this.#changes.push({ topic: changes, payload: toJson(change), isRetained: false })
    if (this.#changes.length > MAX_WAITING) this.#changes.shift()
    const { sensor, rule } = change.alarm
    const standing = this.#options.alarms.standing()
    this.#put(this.#alarmOf(sensor, rule, standing, change.alarm))
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
  #stateOf({ name, kind }: WatchedSensor, event: SensorEvent): Outgoing[] {
    const topic = this.#topics.state(name)
    const isUnavailable = event.type === 'unavailable'
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
