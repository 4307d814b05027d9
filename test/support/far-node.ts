import type { Duplex } from 'node:stream'
import type { Identity } from '../../node/identity/identity.ts'
import { parseName, type Name, type Origin, type Source } from '../../node/identity/names.ts'
import { silentLog } from '../../node/lib/log.ts'
import { Relays, type Audience } from '../../node/relays/relays.ts'
import type { WatchingPage } from '../../node/relays/viewer.ts'
import { FakeClock } from './fake-clock.ts'
import { makePipe } from './gossip-pipe.ts'
import { carrying, opening } from './raw-peer.ts'

export const FAR = parseName('node-2')
export const FAR_RUN = 'node-2#fedcba9876543210' as Source
const OWN_RUN = 'node-1#0123456789abcdef' as Source
export const ORIGIN = 'https://shop.example' as Origin

/** An audience of pages on which nobody has signed in. */
export const ANYBODY: Audience = { origin: ORIGIN }

/** A far node in memory that says what a test wants, and the real relays of a node that dials it. */
export class FarNode implements Disposable {
  readonly clock = new FakeClock()
  readonly relays: Relays
  /** The lines that the relaying node has sent on the connection of now. */
  lines: string[] = []
  /** How often it was dialed. */
  dials = 0
  /** Whether it answers a dial. */
  isUp = true
  /** Whether it says by itself what may be called. */
  announces = true
  /** Whether the list of the relaying node lets it be connected. */
  isAdmitted = true
  #socket: Duplex | undefined

  constructor() {
    this.relays = new Relays({
      self: parseName('node-1'),
      run: OWN_RUN,
      isKnown: node => node.startsWith('node-'),
      addressesOf: () => ['far:7000'],
      dial: async () => this.#accept(),
      admits: () => this.isAdmitted,
      clock: this.clock,
      random: () => 0.5,
      log: silentLog,
    })
  }

  /** Whether the relaying node holds its connection. */
  get isConnected(): boolean {
    return this.#socket?.destroyed === false && !this.#socket.readableEnded
  }

  /** Let everything happen that is under way in memory. */
  async settle(ms = 0): Promise<void> {
    await this.clock.advance(ms)
    for (let turn = 0; turn < 12; turn += 1) await this.clock.advance(0)
  }

  /** Be asked for by a page that anybody may see, and say who it is, as an honest node does. */
  async meet(page: KeptPage): Promise<ReturnType<Relays['watch']>> {
    const watch = this.relays.watch(FAR, ANYBODY, page)
    await this.settle()
    this.greet()
    await this.settle()
    return watch
  }

  send(text: string): void {
    this.#socket?.write(text)
  }

  frames(...frames: readonly unknown[]): void {
    this.send(frames.map(frame => `${JSON.stringify(frame)}\n`).join(''))
  }

  /** Say who it is, as an honest node does. */
  greet(over: object = {}): void {
    const hello = { protocol: 1, node: FAR, run: FAR_RUN, version: '1.0.0', time: 0, ...over }
    this.frames(opening('c0', 'control'))
    this.emit('c0', 'hello', hello)
  }

  emit(id: string, ...event: readonly unknown[]): void {
    this.frames(carrying(id, JSON.stringify(event)))
  }

  /** Open the stream of a sensor, or of alarms. */
  open(id: string, meta: string): void {
    this.frames(opening(id, meta))
  }

  /** The id of the stream of an audience, once it was asked for. */
  audience(number: number): string {
    const found = this.lines
      .map(line => JSON.parse(line) as [string, string, { meta?: string }])
      .find(([, event, more]) => event === 'new' && more.meta === `audience/${number}`)
    return found?.[0] ?? 'none'
  }

  /** Let an audience in to read a thermometer, with its stream open. @returns the id of that stream */
  admit(number: number): string {
    this.emit(this.audience(number), 'rights', {
      sensors: [{ name: 'air', kind: 'temperature' }],
    })
    const id = `a${number}`
    this.open(id, `${number}/air`)
    return id
  }

  hangUp(): void {
    this.#socket?.destroy()
  }

  [Symbol.dispose](): void {
    this.relays[Symbol.dispose]()
    this.#socket?.destroy()
  }

  #accept(): { socket: Duplex; peer: Identity } {
    this.dials += 1
    if (!this.isUp) throw new Error('nobody answers')
    const [socket, far] = makePipe().ends
    this.#socket = far
    this.lines = []
    let rest = ''
    far.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#hear(line)
    })
    return { socket, peer: peerOf(FAR) }
  }

  #hear(line: string): void {
    this.lines.push(line)
    const [id, event, more] = JSON.parse(line) as [string, string, { meta?: string } | undefined]
    if (!this.announces || event !== 'new' || more?.meta !== 'rpc') return
    const methods = { arguments: [{ history: '[Function]' }], callbacks: { 0: ['0', 'history'] } }
    this.frames(carrying(id, JSON.stringify({ method: 'methods', ...methods, links: [] })))
  }
}

function peerOf(name: Name): Identity {
  return {
    role: 'node',
    name,
    subject: `node/${name}`,
    notAfter: Infinity,
    fingerprint: '',
  } as unknown as Identity
}

/** A page that keeps what it is sent. */
export class KeptPage implements WatchingPage {
  readonly heard: unknown[][] = []
  /** Sensors that it may read; undefined for all. */
  allowed: readonly string[] | undefined
  isCut = false
  #drained: (() => void)[] = []

  readonly carrier = {
    bufferedBytes: 0,
    writeShared: (bytes: Uint8Array): void => this.#take(Buffer.from(bytes)),
    drained: async (): Promise<void> => {
      await new Promise<void>(resolve => {
        this.#drained.push(resolve)
      })
    },
    cutAsTooSlow: (): void => {
      this.isCut = true
    },
  }

  readonly mayRead = (sensor: string): boolean => this.allowed?.includes(sensor) ?? true

  /** It reads no more, or on. */
  stall(isStalled: boolean): void {
    this.carrier.bufferedBytes = isStalled ? 1_000_000 : 0
    if (!isStalled) for (const resolve of this.#drained.splice(0)) resolve()
  }

  /** The events of a name, without it. */
  of(event: string): unknown[][] {
    return this.heard.filter(([name]) => name === event).map(([, ...values]) => values)
  }

  #take(frame: Buffer): void {
    for (let at = 0; at < frame.length;) {
      const short = frame.readUInt8(at + 1)
      const [head, length] = short < 126 ? [2, short] : [4, frame.readUInt16BE(at + 2)]
      const text = frame.toString('utf8', at + head, at + head + length)
      this.heard.push(JSON.parse(text.slice(2)) as unknown[])
      at += head + length
    }
  }
}
