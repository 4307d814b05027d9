import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { FanOut } from '../../node/events/fan-out.ts'
import type { Identity } from '../../node/identity/identity.ts'
import type { Source } from '../../node/identity/names.ts'
import { ServedRelay, type ServedRelayOptions } from '../../node/relays/served-relay.ts'
import type { FeedListener } from '../../node/sensors/feed.ts'
import type { SensorEvent } from '../../node/sensors/kinds.ts'
import type { Sensor } from '../../node/sensors/sensor.ts'
import type { Rights } from '../../node/sessions/admission.ts'
import type { Service } from '../../node/sessions/service.ts'
import type { Session } from '../../node/sessions/session.ts'
import type { Ending } from '../../node/wire/connection.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { makePipe } from '../support/gossip-pipe.ts'
import { ANYBODY, FAR, FAR_RUN, FarNode, KeptPage } from '../support/far-node.ts'
import { NOON } from '../support/replica-changes.ts'
import { collect, quiet } from './session.ts'

/** What the vectors call the streams whose ids their openers draw, by the names of these streams. */
const IDS: ReadonlyMap<string, string> = new Map([
  ['control', 'c0'],
  ['rpc', 'a1'],
  ['audience/1', 'd1'],
  ['1/temperature', 'e1'],
])

const OPENS = /^\["([0-9a-f]+)","new",\{"meta":"([^"]+)"/

/** Gives the streams of one connection the ids of the vectors, and those back. */
class Names {
  readonly #known = new Map<string, string>()

  toVector(line: string): string {
    const [, drawn = '', name = ''] = OPENS.exec(line) ?? []
    if (drawn !== '') this.#known.set(drawn, IDS.get(name) ?? name)
    const [, id = ''] = /^\["([^"]+)"/.exec(line) ?? []
    return line.replace(`["${id}"`, `["${this.#known.get(id) ?? id}"`)
  }

  fromVector(line: string): string {
    const [, id = ''] = /^\["([^"]+)"/.exec(line) ?? []
    const found = [...this.#known].find(([, vector]) => vector === id)
    return line.replace(`["${id}"`, `["${found?.[0] ?? id}"`)
  }
}

const THERMOMETER: Sensor = {
  name: 'temperature',
  kind: 'temperature',
  watch: async () => undefined,
}
const RIGHTS: Rights = {
  sensors: new Set(['temperature']),
  commands: new Set(),
  views: new Set(),
}

/** The far node: a real end of a relay, over memory, that lets everybody read its thermometer. */
export class FarEnd {
  readonly said: string[] = []
  ending: Ending | undefined
  readonly #names = new Names()
  readonly #socket: Duplex
  #listener: FeedListener = () => {}
  #session: Session | undefined

  constructor() {
    const [near, far] = makePipe().ends
    this.#socket = far
    collect(far, line => this.said.push(this.#names.toVector(line)))
    const feeds = {
      subscribe: (listener: FeedListener) => {
        this.#listener = listener
        return { [Symbol.dispose]: () => {} }
      },
    }
    const lookout = { check: () => {} }
    const service = {
      node: FAR,
      run: FAR_RUN,
      version: '1.0.0',
      sensors: [THERMOMETER],
      lookout,
      fanOut: new FanOut(feeds, lookout),
      seals: { infoOf: () => undefined },
      alarms: { hasRules: false },
      clock: new FakeClock(NOON),
    } as unknown as Service
    const sessions = {
      admitPage: () => ({ admitted: true, rights: RIGHTS, until: Infinity, isPublic: true }),
      add: (session: Session) => (this.#session = session),
      delete: () => {},
      countOf: () => 0,
    } as unknown as ServedRelayOptions['sessions']
    const peer = { name: 'node-1', subject: 'node/node-1', notAfter: Infinity }
    const certificate = { checkHost: () => undefined } as unknown as X509Certificate
    const asking = { socket: near, peer: peer as unknown as Identity, certificate }
    void new ServedRelay(asking, {
      service,
      sessions,
      isLive: run => run === ('node-1#0123456789abcdef' as Source),
      maxConnectionsPerClient: 1,
      onRefused: () => {},
      onEnd: (_, ending) => {
        this.ending = ending
      },
    })
  }

  async happen(what: string): Promise<void> {
    const [, json = ''] = /^sensor temperature (.*)$/.exec(what) ?? []
    if (json !== '') this.#listener(THERMOMETER, JSON.parse(json) as SensorEvent)
    if (what === 'revoked') {
      const subject = 'origin/https://shop.example'
      this.#session?.cut('revoked', { role: 'origin', subject, isOwn: false } as never)
    }
    await quiet()
  }

  async hear(line: string): Promise<void> {
    // The ids that it has drawn are in what it has said.
    await quiet()
    this.#socket.write(`${this.#names.fromVector(line)}\n`)
    await quiet()
  }
}

/** The relaying node: real relays, over memory, with one page that looks. */
export class RelayingEnd {
  readonly page = new KeptPage()
  readonly #far = new FarNode()
  readonly #names = new Names()

  get said(): string[] {
    return this.#far.lines.map(line => this.#names.toVector(line))
  }

  get isConnected(): boolean {
    return this.#far.isConnected
  }

  async begin(): Promise<void> {
    this.#far.announces = false
    this.#far.relays.watch(FAR, ANYBODY, this.page)
    await this.#far.settle()
  }

  async hear(line: string): Promise<void> {
    // The ids that it has drawn are in what it has said.
    void this.said
    this.#far.send(`${this.#names.fromVector(line)}\n`)
    await this.#far.settle()
  }
}
