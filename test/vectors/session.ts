import type { HistoryPage } from '../../node/history/page.ts'
import { silentLog } from '../../node/lib/log.ts'
import { CommandTrail } from '../../node/sessions/command-trail.ts'
import { Alarms } from '../../node/alarms/alarms.ts'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import type { Rights } from '../../node/sessions/admission.ts'
import { ClientSession } from '../../node/sessions/client-session.ts'
import type { Dialect } from '../../node/events/dialect.ts'
import { FanOut } from '../../node/events/fan-out.ts'
import type { Identity } from '../../node/identity/identity.ts'
import { parseName, type Source } from '../../node/identity/names.ts'
import type { FeedListener } from '../../node/sensors/feed.ts'
import type { SensorEvent, SensorKind } from '../../node/sensors/kinds.ts'
import type { Sensor } from '../../node/sensors/sensor.ts'
import { Channel } from '../../node/wire/channel.ts'
import type { Ending } from '../../node/wire/connection.ts'
import { CLIENT_HEARTBEAT, type Bye } from '../../node/wire/control.ts'
import { attachEmitter } from '../../node/wire/emitter.ts'
import { CLIENT_LIMITS, NODE_LIMITS } from '../../node/wire/limits.ts'
import { connectRpc, type RpcRemote } from '../../node/wire/rpc.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { makePipe } from '../support/gossip-pipe.ts'
import { NOON } from '../support/replica-changes.ts'

/** What the vectors call the streams whose ids their openers draw. */
const CONTROL_ID = 'c0'
const RPC_ID = 'a1'

const RUN = 'node-1#0123456789abcdef' as Source
const SENSOR_EVENTS = new Set(['open', 'close', 'reading', 'unavailable', 'resumed'])

const ALL_RIGHTS: Rights = { sensors: undefined, commands: undefined, views: undefined }

const SENSORS: readonly Sensor[] = (['door', 'temperature'] as SensorKind[]).map(kind => ({
  name: kind,
  kind,
  watch: async () => undefined,
}))

/** Nothing here sleeps. */
const NO_LOOKOUT = { check: () => {} }

/** One end of a session in PROTOCOL.md: it is told what happens, and given the other end's lines. */
interface SessionEnd {
  /** What it has said, with the ids of the vectors. */
  readonly said: string[]
  /** Let happen what a line `* …` says. */
  happen(what: string, detail: string): void
  hear(line: string): void
}

/** Wait until nothing is under way in memory. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await nextTurn()
}

/** Collect the lines that come out of a stream. */
export function collect(socket: Duplex, onLine: (line: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}

/** What the history of the node comes to, whatever is asked. */
const PAGE: HistoryPage = {
  kind: 'temperature',
  rows: [[NOON, 60_000, 0, 12, 4.1, 4.3, 50.4, 0, 0]],
  next: null,
}

/** The node: a real session of a client, over memory. */
export class NodeEnd implements SessionEnd {
  readonly said: string[] = []
  ending: Ending | undefined
  readonly #dialect: Dialect
  readonly #pipe = makePipe()
  readonly #clock = new FakeClock(NOON)
  readonly #fanOut: FanOut
  #listener: FeedListener = () => {}
  #session: ClientSession | undefined
  #controlId = CONTROL_ID

  constructor(dialect: Dialect) {
    this.#dialect = dialect
    const feeds = {
      subscribe: (listener: FeedListener) => {
        this.#listener = listener
        return { [Symbol.dispose]: () => {} }
      },
    }
    this.#fanOut = new FanOut(feeds, NO_LOOKOUT)
    collect(this.#pipe.ends[1], line => {
      this.#controlId =
        /^\["([0-9a-f]+)","new",\{"meta":"control"/.exec(line)?.[1] ?? this.#controlId
      this.said.push(line.replace(`["${this.#controlId}"`, `["${CONTROL_ID}"`))
    })
  }

  happen(what: string, detail: string): void {
    const [word, rest] = split(detail)
    if (what === 'sensor') {
      const sensor = SENSORS.find(({ name }) => name === word)
      if (sensor !== undefined) this.#listener(sensor, JSON.parse(rest) as SensorEvent)
    } else if (what === 'connect') this.#session = this.#open()
    else if (what === 'grant') {
      const { sensors } = JSON.parse(detail) as { sensors: string[] }
      this.#session?.narrow({ ...ALL_RIGHTS, sensors: new Set(sensors) })
    } else if (what === 'revoked') this.#session?.cut('revoked')
    else if (detail === 'ms') void this.#clock.advance(Number(what))
  }

  hear(line: string): void {
    this.#pipe.ends[1].write(`${line.replace(`["${CONTROL_ID}"`, `["${this.#controlId}"`)}\n`)
  }

  #open(): ClientSession {
    const tell = async (celsius: number): Promise<string> =>
      `target temperature set to ${celsius} °C`
    const done = async (): Promise<string> => 'done'
    return new ClientSession({
      socket: this.#pipe.ends[0],
      identity: { role: 'client', subject: 'client/fridge-client-001' } as Identity,
      dialect: this.#dialect,
      rights: ALL_RIGHTS,
      limits: { ...CLIENT_LIMITS, maxFramesPerSecond: 250 },
      onThrottled: () => {},
      onEnd: (_session, ending) => {
        this.ending = ending
      },
      service: {
        seals: { infoOf: () => undefined, keyOf: () => undefined },
        node: parseName('node-1'),
        run: RUN,
        version: '1.0.0',
        sensors: SENSORS,
        actuator: { setTargetTemperature: tell, defrost: done, powerOn: done, powerOff: done },
        fanOut: this.#fanOut,
        lookout: NO_LOOKOUT,
        history: { page: async () => PAGE },
        trail: new CommandTrail({ record: () => {}, clock: this.#clock, log: silentLog }),
        alarms: new Alarms({
          node: 'node-1',
          clock: this.#clock,
          hasRules: false,
          rulesOf: () => [],
        }),
        clock: this.#clock,
      },
    })
  }
}

/** The client: our own layers as the client library stacks them, over memory. */
export class ClientEnd implements SessionEnd {
  readonly said: string[] = []
  /** The events that were raised, `[sensor, event, value…]`. */
  readonly heard: unknown[][] = []
  /** What its calls came to: a text, or the words of an error. */
  readonly outcomes: string[] = []
  ending: Ending | undefined
  readonly #pipe = makePipe()
  readonly #clock = new FakeClock(NOON)
  #channel: Channel | undefined
  #remote: Promise<RpcRemote> | undefined

  constructor() {
    collect(this.#pipe.ends[1], line => this.said.push(line))
  }

  happen(what: string, detail: string): void {
    const [word, rest] = split(detail)
    if (what === 'connect') this.#channel = this.#open(detail)
    else if (what === 'rpc') this.#remote = this.#openRpc()
    else if (what === 'call') void this.#call(word, JSON.parse(rest) as unknown[])
    else if (detail === 'ms') void this.#clock.advance(Number(what))
  }

  /** What the node has said about why it closes. */
  get bye(): Bye | undefined {
    return this.#channel?.bye
  }

  hear(line: string): void {
    this.#pipe.ends[1].write(`${line}\n`)
  }

  #open(resume: string): Channel {
    const limits = NODE_LIMITS
    const channel: Channel = new Channel(this.#pipe.ends[0], {
      limits,
      clock: this.#clock,
      control: {
        opens: false,
        ...CLIENT_HEARTBEAT,
        hello: resume === '' ? {} : { resume: JSON.parse(resume) as unknown },
      },
      onStream: stream => {
        const emitter = attachEmitter(stream, {
          limits,
          accepts: SENSOR_EVENTS,
          onRefused: refusal => channel.refuse(refusal),
        })
        for (const event of SENSOR_EVENTS) {
          emitter.on(event, (...values) => this.heard.push([stream.meta, event, ...values]))
        }
        return true
      },
      onEnd: ending => {
        this.ending = ending
      },
    })
    return channel
  }

  async #openRpc(): Promise<RpcRemote> {
    const channel = this.#channel
    if (channel === undefined) throw new Error('not connected')
    return connectRpc(channel.open('rpc', RPC_ID), {
      limits: NODE_LIMITS,
      clock: this.#clock,
      onRefused: refusal => channel.refuse(refusal),
    })
  }

  async #call(method: string, values: unknown[]): Promise<void> {
    const remote = await this.#remote
    const answer: unknown = await remote?.call(method, values).catch(String)
    // As it stands on the page: JSON in JSON.
    const isText = typeof answer === 'string'
    this.outcomes.push(isText ? answer : JSON.stringify(answer).replaceAll('"', String.raw`\"`))
  }
}

/** Play one end of a session of PROTOCOL.md; the other end is the page. */
export async function play(
  end: SessionEnd,
  session: readonly string[],
  hears: 'N' | 'C',
): Promise<void> {
  for (const line of session) {
    const [speaker, rest] = split(line)
    if (speaker === '*') end.happen(...split(rest))
    else if (speaker === hears) end.hear(rest)
    await quiet()
  }
}

/** What one end says in a session of PROTOCOL.md: the lines that begin with a letter. */
export function linesOf(session: readonly string[], speaker: string): string[] {
  return session.filter(line => line.startsWith(`${speaker} `)).map(line => line.slice(2))
}

/** The first word of a line, and the rest. */
export function split(line: string): [word: string, rest: string] {
  const space = line.indexOf(' ')
  return space === -1 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)]
}

/** Why a node of `fridge/1` ends the connection of a client that says this; null if it does not. */
export async function refusalOf(said: readonly string[]): Promise<string | null> {
  const node = new NodeEnd('fridge/1')
  node.happen('connect', '')
  await quiet()
  for (const line of said) {
    if (node.ending !== undefined) throw new Error(`ended before ${line}`)
    const [speaker, rest] = split(line)
    const opens = '["a1","new",{"meta":"rpc","opts":{"writable":true,"readable":true}}]'
    node.hear(speaker === '*' ? opens : rest)
    await quiet()
  }
  return node.ending?.cause === 'refused' ? node.ending.refusal.toString() : null
}
