import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { parseJson } from './json.ts'
import type { WireLimits } from './limits.ts'
import { LineDecoder } from './lines.ts'
import { parseMuxFrame, type MuxFrame } from './mux-frame.ts'
import { Refusal } from './refusal.ts'

/**
 * The one file that knows the package `mux-demux` 3.7.9. The package runs in raw mode behind
 * the codec: it sees only frames that `parseMuxFrame` has checked.
 */

interface PackageStream extends EventEmitter {
  readonly id: string
  readonly meta: unknown
  paused: boolean
  writable: boolean
  write(data: unknown): boolean
  end(): void
  destroy(): void
}

interface Package extends EventEmitter {
  createStream(meta: string): PackageStream
  write(frame: MuxFrame): boolean
  resume(): void
}

const muxDemux = createRequire(import.meta.url)('mux-demux') as (options: {
  wrapper: 'raw'
}) => Package

/** One multiplexed sub-stream of text. */
export interface MuxStream {
  readonly id: string
  /** The name that its opener gave it. */
  readonly meta: string
  /** Whether the peer asked for a pause. Advice: what is written is sent all the same. */
  readonly paused: boolean
  readonly closed: boolean
  /** Send a text. After the stream has closed, nothing happens. */
  write(text: string): void
  /** Write a text that is already encoded as a JSON string, so that one encoding serves many streams. */
  writeEncoded(json: string): void
  /** Hear the peer's text; the last listener counts. Text that nobody listens for is dropped. */
  onText(listener: (text: string) => void): void
  /** Called once, however the stream ends. */
  onClose(listener: () => void): void
  /** Tell the peer that nothing more comes, and close. */
  end(): void
  /** Close at once. */
  destroy(): void
}

export interface MuxOptions {
  readonly limits: WireLimits
  /** Send complete encoded lines. */
  readonly send: (text: string) => void
  /** The peer opened a stream. False refuses it, and with it the connection. */
  readonly onStream: (stream: MuxStream) => boolean
  /** The peer sent what it must not. Called once: nothing behind it is parsed, nothing is sent. */
  readonly onRefused: (refusal: Refusal) => void
}

/** How many ids of closed streams are remembered, for frames that were under way. */
const MAX_CLOSED = 1_024

/** Multiplexes sub-streams over one connection, whose bytes come in by `receive`. */
export class Mux {
  readonly #limits: WireLimits
  readonly #options: MuxOptions
  readonly #decoder: LineDecoder
  readonly #package: Package
  readonly #streams = new Map<string, Stream>()
  readonly #closedIds = new Set<string>()
  #openedByPeer = 0
  #ended = false

  constructor(options: MuxOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#decoder = new LineDecoder(options.limits.maxLineBytes)
    this.#package = muxDemux({ wrapper: 'raw' })
    this.#package.on('data', (frame: unknown) => this.#send(`${JSON.stringify(frame)}\n`))
    this.#package.on('connection', (inner: PackageStream) => this.#accept(inner))
    // Raised by writes to a stream that has ended; ours never reach it.
    this.#package.on('error', () => {})
    this.#package.resume()
  }

  /** How many sub-streams are open. */
  get size(): number {
    return this.#streams.size
  }

  /**
   * Open a sub-stream; after `destroy`, one that is closed already. Its id is drawn by the
   * package from Math.random: a label, not a secret.
   */
  open(meta: string): MuxStream {
    const stream = this.#add(this.#package.createStream(meta), meta, false)
    if (this.#ended) stream.destroy()
    return stream
  }

  /** Take bytes from the connection. */
  receive(chunk: Uint8Array): void {
    if (this.#ended) return
    const refusal = this.#decoder.write(chunk, this.#onLine)
    if (refusal !== undefined) this.refuse(refusal)
  }

  /** End everything because of what the peer sent. */
  refuse(refusal: Refusal): void {
    if (this.#ended) return
    this.destroy()
    this.#options.onRefused(refusal)
  }

  /** Close every sub-stream at once; nothing more is sent or parsed. */
  destroy(): void {
    if (this.#ended) return
    this.#ended = true
    for (const stream of this.#streams.values()) stream.destroy()
  }

  readonly #onLine = (line: string): boolean => {
    const refusal = this.#receiveLine(line)
    if (refusal !== undefined) this.refuse(refusal)
    return !this.#ended
  }

  #receiveLine(line: string): Refusal | undefined {
    const value = parseJson(line, this.#limits.maxDepth)
    if (value instanceof Refusal) return value
    const frame = parseMuxFrame(value, this.#limits)
    if (frame instanceof Refusal) return frame
    const id = frame[0]
    const event = frame[1]
    const stream = this.#streams.get(id)
    if (event === 'new') {
      if (stream !== undefined || this.#closedIds.has(id)) {
        return new Refusal('mux', 'a stream id is used twice')
      }
      if (this.#openedByPeer >= this.#limits.maxStreams) {
        return new Refusal('mux', `more than ${this.#limits.maxStreams} streams`)
      }
    } else if (stream === undefined) {
      return this.#closedIds.has(id) ? undefined : new Refusal('mux', 'a frame for no stream')
    } else if (event === 'error') {
      // The package would raise it; for us a stream that failed over there is a closed one.
      stream.destroy()
      return undefined
    }
    this.#package.write(frame)
    return undefined
  }

  #accept(inner: PackageStream): void {
    const stream = this.#add(inner, String(inner.meta), true)
    if (!this.#options.onStream(stream)) {
      this.refuse(new Refusal('mux', `no stream is called ${JSON.stringify(stream.meta)}`))
    }
  }

  #add(inner: PackageStream, meta: string, openedByPeer: boolean): Stream {
    const stream = new Stream(inner, meta, text => this.#send(text))
    this.#streams.set(stream.id, stream)
    if (openedByPeer) this.#openedByPeer += 1
    stream.onClose(() => {
      this.#streams.delete(stream.id)
      if (openedByPeer) this.#openedByPeer -= 1
      this.#rememberClosed(stream.id)
    })
    return stream
  }

  #rememberClosed(id: string): void {
    this.#closedIds.add(id)
    if (this.#closedIds.size <= MAX_CLOSED) return
    const [oldest] = this.#closedIds
    if (oldest !== undefined) this.#closedIds.delete(oldest)
  }

  #send(text: string): void {
    if (!this.#ended) this.#options.send(text)
  }
}

class Stream implements MuxStream {
  readonly id: string
  readonly meta: string
  readonly #inner: PackageStream
  readonly #send: (text: string) => void
  readonly #closeListeners: (() => void)[] = []
  #textListener: ((text: string) => void) | undefined
  #closed = false

  constructor(inner: PackageStream, meta: string, send: (text: string) => void) {
    this.id = inner.id
    this.meta = meta
    this.#inner = inner
    this.#send = send
    inner.on('data', (text: string) => this.#textListener?.(text))
    inner.on('error', () => {})
    // A stream that one end has ended is over: stock peers close it in the same turn.
    inner.on('end', () => inner.end())
    inner.on('close', () => this.#close())
  }

  get paused(): boolean {
    return this.#inner.paused
  }

  get closed(): boolean {
    return this.#closed
  }

  write(text: string): void {
    // The package would go on writing after the peer's `close`.
    if (!this.#closed && this.#inner.writable) this.#inner.write(text)
  }

  writeEncoded(json: string): void {
    // What the package would send for `write`, without building and encoding it once more.
    if (!this.#closed && this.#inner.writable) this.#send(`["${this.id}","data",${json}]\n`)
  }

  onText(listener: (text: string) => void): void {
    this.#textListener = listener
  }

  onClose(listener: () => void): void {
    if (this.#closed) listener()
    else this.#closeListeners.push(listener)
  }

  end(): void {
    if (!this.#closed) this.#inner.end()
  }

  destroy(): void {
    if (!this.#closed) this.#inner.destroy()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#textListener = undefined
    for (const listener of this.#closeListeners.splice(0)) listener()
  }
}
