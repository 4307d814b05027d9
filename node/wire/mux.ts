import { randomBytes } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { keepNewest } from '../lib/keep-newest.ts'
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
  /** What it puts into the frames that it sends; it looks its streams up by the first value. */
  id: string
  readonly meta: unknown
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
  readonly closed: boolean
  /** Send a text, also when the peer has asked for a pause. After the stream has closed, nothing happens. */
  write(text: string): void
  /** Write a text that is already encoded as a JSON string, so that one encoding serves many streams. */
  writeEncoded(json: string): void
  /** Hear the peer's text; the last listener counts. Text without a listener is dropped. */
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

/** What the package says of a stream that both ends may write to. */
const BOTH_WAYS = { writable: true, readable: true }

/** A text on a stream as a line of the connection. @param json the text as a JSON string */
export function encodeData(id: string, json: string): string {
  return `["${id}","data",${json}]\n`
}

/** How many ids of closed streams are remembered, for frames that were under way. */
const MAX_CLOSED = 1_024

/** Multiplexes sub-streams over one connection, whose bytes come in by `receive`. */
export class Mux {
  readonly #limits: WireLimits
  readonly #options: MuxOptions
  readonly #decoder: LineDecoder
  readonly #streams = new Map<string, Stream>()
  readonly #closedIds = new Map<string, true>()
  readonly #host: StreamHost = {
    send: text => this.#send(text),
    createStream: meta => this.#loaded().createStream(meta),
  }
  #package: Package | undefined
  #openedByPeer = 0
  #ended = false

  constructor(options: MuxOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#decoder = new LineDecoder(options.limits.maxLineBytes)
  }

  /** How many lines have come, blank ones as well. */
  get lines(): number {
    return this.#decoder.lines
  }

  /**
   * Open a sub-stream; after `destroy` it is closed from the start.
   * @param id its label, in hexadecimal digits. The same label for the same stream of many peers
   *   makes equal frames of equal events. Default, and where it was used before: drawn at random.
   */
  open(meta: string, id?: string): MuxStream {
    const isFree = id !== undefined && !this.#streams.has(id) && !this.#closedIds.has(id)
    const stream = this.#add(isFree ? id : randomBytes(8).toString('hex'), meta, false)
    if (this.#ended) stream.drop()
    else this.#send(`${JSON.stringify([stream.id, 'new', { meta, opts: BOTH_WAYS }])}\n`)
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
    for (const stream of this.#streams.values()) stream.drop()
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
      // The package would raise it; for us a stream that failed at the peer is closed.
      stream.destroy()
      return undefined
    }
    frame[0] = stream?.load() ?? id
    this.#loaded().write(frame)
    return undefined
  }

  /** The package, once it is needed: a peer that only listens costs none of its objects. */
  #loaded(): Package {
    if (this.#package !== undefined) return this.#package
    this.#package = muxDemux({ wrapper: 'raw' })
    this.#package.on('data', (frame: MuxFrame) => {
      // A stream of ours has been announced when it was opened.
      if (frame[1] !== 'new') this.#send(`${JSON.stringify(frame)}\n`)
    })
    this.#package.on('connection', (inner: PackageStream) => this.#accept(inner))
    // Raised by writes to a stream that has ended; ours never reach it.
    this.#package.on('error', () => {})
    this.#package.resume()
    return this.#package
  }

  #accept(inner: PackageStream): void {
    const stream = this.#add(inner.id, String(inner.meta), true)
    stream.attach(inner)
    if (!this.#options.onStream(stream)) {
      this.refuse(new Refusal('mux', `no stream is called ${JSON.stringify(stream.meta)}`))
    }
  }

  #add(id: string, meta: string, openedByPeer: boolean): Stream {
    const stream = new Stream(id, meta, this.#host)
    this.#streams.set(stream.id, stream)
    if (openedByPeer) this.#openedByPeer += 1
    stream.onClose(() => {
      this.#streams.delete(stream.id)
      if (openedByPeer) this.#openedByPeer -= 1
      keepNewest(this.#closedIds, stream.id, true, MAX_CLOSED)
    })
    return stream
  }

  #send(text: string): void {
    if (!this.#ended) this.#options.send(text)
  }
}

interface StreamHost {
  readonly send: (text: string) => void
  /** Open a stream in the package. */
  readonly createStream: (meta: string) => PackageStream
}

class Stream implements MuxStream {
  readonly id: string
  readonly meta: string
  readonly #host: StreamHost
  readonly #closeListeners: (() => void)[] = []
  #inner: PackageStream | undefined
  #packageId: string
  #textListener: ((text: string) => void) | undefined
  #closed = false

  constructor(id: string, meta: string, host: StreamHost) {
    this.id = id
    this.meta = meta
    this.#host = host
    this.#packageId = id
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Have it in the package. @returns what the package knows it by */
  load(): string {
    this.#loaded()
    return this.#packageId
  }

  /** Let the package's stream be this one. */
  attach(inner: PackageStream): PackageStream {
    this.#inner = inner
    this.#packageId = inner.id
    inner.id = this.id
    inner.on('data', (text: string) => this.#textListener?.(text))
    inner.on('error', () => {})
    // A stream that one end has ended is over: stock peers close it in the same turn.
    inner.on('end', () => inner.end())
    inner.on('close', () => this.drop())
    return inner
  }

  write(text: string): void {
    this.writeEncoded(JSON.stringify(text))
  }

  writeEncoded(json: string): void {
    // What the package would send, which would also go on after the peer's `close`.
    if (this.#closed || this.#inner?.writable === false) return
    this.#host.send(encodeData(this.id, json))
  }

  onText(listener: (text: string) => void): void {
    this.#textListener = listener
  }

  onClose(listener: () => void): void {
    if (this.#closed) listener()
    else this.#closeListeners.push(listener)
  }

  end(): void {
    if (!this.#closed) this.#loaded().end()
  }

  destroy(): void {
    if (!this.#closed) this.#loaded().destroy()
  }

  /** Count it as closed, and tell the peer nothing. */
  drop(): void {
    if (this.#closed) return
    this.#closed = true
    this.#textListener = undefined
    for (const listener of this.#closeListeners.splice(0)) listener()
  }

  #loaded(): PackageStream {
    return this.#inner ?? this.attach(this.#host.createStream(this.meta))
  }
}
