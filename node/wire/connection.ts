import type { Duplex } from 'node:stream'
import type { Clock } from '../lib/clock.ts'
import { endSoon } from './end-soon.ts'
import { InputLimit } from './input-limit.ts'
import type { WireLimits } from './limits.ts'
import { Mux, type MuxStream } from './mux.ts'
import type { Refusal } from './refusal.ts'

/** Why a connection ended. */
export type Ending =
  | { readonly cause: 'refused'; readonly refusal: Refusal }
  | { readonly cause: 'too slow' }
  /** The peer said nothing for longer than its heartbeat allows. */
  | { readonly cause: 'dead' }
  /** The peer ended it, or the network did; a peer that lives ends it in order. */
  | { readonly cause: 'lost'; readonly error?: Error; readonly isOrderly?: true }
  /** This end closed it. */
  | { readonly cause: 'closed' }

export interface ConnectionOptions {
  readonly limits: WireLimits
  readonly clock: Clock
  /** The peer opened a stream. False refuses it, and with it the connection. */
  readonly onStream: (stream: MuxStream) => boolean
  /** The peer is about to be cut as too slow: the last chance to tell it. */
  readonly onTooSlow?: (() => void) | undefined
  /** The peer sends faster than `maxFramesPerSecond`: it is not read for a moment. */
  readonly onThrottled?: (() => void) | undefined
  /** What bounds how fast the peer is read, where several of its connections share it. */
  readonly input?: InputLimit | undefined
  /** Called once, when nothing more will come or go. */
  readonly onEnd: (ending: Ending) => void
}

/** How much is read of a limited peer before its limit is looked at again, in bytes. */
const SLICE_BYTES = 4_096

/**
 * Sub-streams over one connected, authenticated byte stream: a TLS socket, or in simulations
 * anything that is a Duplex. What one turn of the event loop writes leaves in one write.
 */
export class Connection {
  readonly #socket: Duplex
  readonly #mux: Mux
  readonly #limits: WireLimits
  readonly #clock: Clock
  readonly #onTooSlow: (() => void) | undefined
  readonly #onThrottled: (() => void) | undefined
  readonly #onEnd: (ending: Ending) => void
  readonly #drained: (() => void)[] = []
  #outgoing = ''
  #flushScheduled = false
  #stalled: Disposable | undefined
  /** Made when the peer first says something, unless it is shared. */
  #input: InputLimit | undefined
  #throttled: Disposable | undefined
  #isPaused = false
  #ended = false
  #bytesHeard = 0
  #heardAt: number

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.#socket = socket
    this.#limits = options.limits
    this.#clock = options.clock
    this.#heardAt = options.clock.monotonic()
    this.#onTooSlow = options.onTooSlow
    this.#onThrottled = options.onThrottled
    this.#onEnd = options.onEnd
    this.#input = options.input
    this.#mux = new Mux({
      limits: options.limits,
      send: text => this.#send(text),
      onStream: options.onStream,
      onRefused: refusal => this.#end({ cause: 'refused', refusal }),
    })
    let failure: Error | undefined
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    socket.on('drain', () => this.#releaseDrained())
    socket.on('error', error => {
      failure ??= error
    })
    // A peer that ended its half has nothing more to say to us, and we need its answers.
    socket.on('end', () => this.#end({ cause: 'lost', isOrderly: true }))
    socket.on('close', () => this.#end({ cause: 'lost', ...(failure && { error: failure }) }))
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Bytes that the peer has not read yet. */
  get bufferedBytes(): number {
    return this.#socket.writableLength + this.#outgoing.length
  }

  /** How many bytes the peer has sent: when it stops growing, the peer is silent. */
  get bytesHeard(): number {
    return this.#bytesHeard
  }

  /** When the peer was last heard, on the monotonic clock; before its first byte, when it came. */
  get heardAt(): number {
    return this.#heardAt
  }

  /** Open a sub-stream (`Mux.open`). */
  open(meta: string, id?: string): MuxStream {
    return this.#mux.open(meta, id)
  }

  /** Send complete lines, whose bytes other peers are sent too, in one write with what waits. */
  writeShared(bytes: Uint8Array): void {
    if (this.#ended || this.#socket.destroyed) return
    if (this.#outgoing === '') this.#socket.write(bytes)
    else {
      this.#socket.cork()
      this.#socket.write(this.#takeOutgoing())
      this.#socket.write(bytes)
      this.#socket.uncork()
    }
    this.#checkBacklog()
  }

  /** End it because of what the peer sent on one of its streams. */
  refuse(refusal: Refusal): void {
    this.#mux.refuse(refusal)
  }

  /** Stop reading: the peer feels it by TCP's flow control. */
  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#throttled === undefined) this.#socket.resume()
  }

  /** Resolves when what was written has been handed to the network, or the connection has ended. */
  async drained(): Promise<void> {
    this.#flush()
    if (this.#ended || !this.#socket.writableNeedDrain) return
    await new Promise<void>(resolve => {
      this.#drained.push(resolve)
    })
  }

  /** End it, because the peer does not read what it is sent. */
  cutAsTooSlow(): void {
    this.#end({ cause: 'too slow' })
  }

  /** End it, because nothing has been heard from the peer for too long. */
  cutAsDead(): void {
    this.#end({ cause: 'dead' })
  }

  /** Say what has been written so far, then close. Nothing written after this leaves. */
  close(): void {
    this.#end({ cause: 'closed' })
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return
    const { maxFramesPerSecond } = this.#limits
    this.#heardAt = this.#clock.monotonic()
    if (maxFramesPerSecond === Infinity) {
      this.#bytesHeard += chunk.length
      return this.#mux.receive(chunk)
    }
    this.#input ??= new InputLimit(maxFramesPerSecond, this.#clock.monotonic())
    for (let start = 0; start < chunk.length; start += SLICE_BYTES) {
      const slice = chunk.subarray(start, start + SLICE_BYTES)
      const before = this.#mux.lines
      this.#bytesHeard += slice.length
      this.#mux.receive(slice)
      if (this.#ended) return
      // A record costs something even when no line ends in it.
      const frames = Math.max(this.#mux.lines - before, 1)
      const waitMs = this.#input.take(frames, slice.length, this.#clock.monotonic())
      if (waitMs > 0) return this.#throttle(waitMs, chunk.subarray(start + slice.length))
    }
  }

  /** Read nothing for a moment. @param rest what was read already and waits with the rest */
  #throttle(ms: number, rest: Uint8Array): void {
    this.#socket.pause()
    if (rest.length > 0) this.#socket.unshift(rest)
    this.#throttled = this.#clock.after(ms, () => {
      this.#throttled = undefined
      if (!this.#isPaused) this.#socket.resume()
    })
    this.#onThrottled?.()
  }

  #send(text: string): void {
    this.#outgoing += text
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#flushScheduled = false
    if (this.#outgoing === '' || this.#socket.destroyed) return
    this.#socket.write(this.#takeOutgoing())
    this.#checkBacklog()
  }

  #takeOutgoing(): string {
    const text = this.#outgoing
    this.#outgoing = ''
    return text
  }

  #checkBacklog(): void {
    if (this.#socket.writableLength > this.#limits.maxBufferedBytes) {
      this.cutAsTooSlow()
    } else if (this.#socket.writableNeedDrain && this.#stalled === undefined) {
      this.#stalled = this.#clock.after(this.#limits.maxStalledMs, () => this.cutAsTooSlow())
    }
  }

  #releaseDrained(): void {
    this.#stalled?.[Symbol.dispose]()
    this.#stalled = undefined
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #end(ending: Ending): void {
    if (this.#ended) return
    this.#ended = true
    this.#throttled?.[Symbol.dispose]()
    if (ending.cause === 'too slow') this.#onTooSlow?.()
    if (ending.cause !== 'refused' && ending.cause !== 'lost') {
      this.#flush()
      endSoon(this.#socket, this.#clock)
    } else this.#socket.destroy()
    this.#mux.destroy()
    this.#outgoing = ''
    this.#releaseDrained()
    this.#onEnd(ending)
  }
}
