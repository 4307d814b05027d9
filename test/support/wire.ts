import { setImmediate as nextTurn } from 'node:timers/promises'
import { CLIENT_LIMITS, type WireLimits } from '../../node/wire/limits.ts'
import { Mux, type MuxStream } from '../../node/wire/mux.ts'
import type { Refusal } from '../../node/wire/refusal.ts'
import { stockMux, type StockMux, type StockStream } from './wire-stock.ts'

export interface TestMuxOptions {
  readonly limits?: WireLimits
  /** Default: every stream is welcome. */
  readonly onStream?: (stream: MuxStream, end: TestMux) => boolean
}

/** Our end of a connection, with what it did written down. */
export class TestMux {
  readonly mux: Mux
  /** Every line that was sent. */
  readonly sent: string[] = []
  /** The streams that the peer has opened. */
  readonly streams: MuxStream[] = []
  readonly refusals: Refusal[] = []

  constructor(options: TestMuxOptions = {}) {
    this.mux = new Mux({
      limits: options.limits ?? CLIENT_LIMITS,
      send: text => this.sent.push(text),
      onStream: stream => {
        this.streams.push(stream)
        return options.onStream?.(stream, this) ?? true
      },
      onRefused: this.refuse,
    })
  }

  /** For the adapters of sub-streams: what they refuse ends the connection. */
  readonly onRefused = (refusal: Refusal): void => {
    this.mux.refuse(refusal)
  }

  readonly refuse = (refusal: Refusal): void => {
    this.refusals.push(refusal)
  }

  /** Those of `streams` that have not closed. */
  get openStreams(): MuxStream[] {
    return this.streams.filter(({ closed }) => !closed)
  }

  receive(text: string): void {
    this.mux.receive(Buffer.from(text))
  }

  /** Receive frames, each on a line of its own. */
  frames(...frames: unknown[]): void {
    this.receive(frames.map(frame => `${JSON.stringify(frame)}\n`).join(''))
  }

  /** What was sent on a stream, decoded. */
  textOn(id: string): string {
    return this.sent
      .map(line => JSON.parse(line) as unknown[])
      .filter(([on, event]) => on === id && event === 'data')
      .map(([, , text]) => String(text))
      .join('')
  }
}

/** How the bytes from the stock end arrive here. */
export type Chunking = (bytes: Buffer) => Buffer[]

export interface StockPair {
  readonly ours: TestMux
  readonly stock: StockMux
  /** What the stock packages wrote, joined. */
  readonly heard: () => string
  /** Resolves when neither end has anything more to say. */
  readonly quiet: () => Promise<void>
}

/** Our end and one of the stock package, over memory that delivers on later turns. */
export function pairWithStock(
  options: TestMuxOptions & {
    readonly chunking?: Chunking
    readonly onConnection?: (stream: StockStream) => void
  } = {},
): StockPair {
  const { chunking = bytes => [bytes], onConnection } = options
  const ours = new TestMux(options)
  const stock = onConnection === undefined ? stockMux() : stockMux(onConnection)
  const incoming: string[] = []
  const heard: string[] = []
  let delivered = 0
  stock.on('data', (text: string) => {
    incoming.push(text)
    heard.push(text)
  })
  const deliver = (): boolean => {
    const texts = incoming.splice(0)
    for (const text of texts)
      for (const chunk of chunking(Buffer.from(text))) ours.mux.receive(chunk)
    const lines = ours.sent.slice(delivered)
    delivered = ours.sent.length
    for (const line of lines) stock.write(line)
    return texts.length + lines.length > 0
  }
  return {
    ours,
    stock,
    heard: () => heard.join(''),
    quiet: async () => {
      // The packages put things off by one tick; two turns without a word mean silence.
      for (let silent = 0; silent < 2;) {
        await nextTurn()
        silent = deliver() ? 0 : silent + 1
      }
    },
  }
}

/** Two ends of ours. */
export interface Pair {
  readonly one: TestMux
  readonly other: TestMux
  /** Resolves when neither end has anything more to say. */
  readonly quiet: () => Promise<void>
}

export function pairOfOurs(one: TestMuxOptions = {}, other: TestMuxOptions = {}): Pair {
  const ends = [new TestMux(one), new TestMux(other)] as const
  const delivered: [number, number] = [0, 0]
  const deliver = (from: 0 | 1, to: 0 | 1): boolean => {
    const lines = ends[from].sent.slice(delivered[from])
    delivered[from] = ends[from].sent.length
    ends[to].receive(lines.join(''))
    return lines.length > 0
  }
  return {
    one: ends[0],
    other: ends[1],
    quiet: async () => {
      for (let silent = 0; silent < 2;) {
        await nextTurn()
        const went = deliver(0, 1)
        silent = deliver(1, 0) || went ? 0 : silent + 1
      }
    },
  }
}
