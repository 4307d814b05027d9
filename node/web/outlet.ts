import type { Duplex } from 'node:stream'
import type { Carrier } from '../events/subscriber.ts'
import { eventFrame, textFrame } from '../events/page-frames.ts'
import type { Clock } from '../lib/clock.ts'
import { endSoon } from '../wire/end-soon.ts'
import type { WireLimits } from '../wire/limits.ts'

/** That the library of the page should not connect again by itself: the node has ended it for good. */
const DISCONNECT = '41'

/** An empty close frame of a server, with the status for a normal closure (RFC 6455, 5.5.1). */
const CLOSE_FRAME = Buffer.from([0x88, 0x02, 0x03, 0xe8])

export interface OutletOptions {
  readonly limits: Pick<WireLimits, 'maxBufferedBytes' | 'maxStalledMs'>
  readonly clock: Clock
  /** The page does not read what it is sent. */
  readonly onTooSlow: () => void
}

/** The last words to a page. */
export interface Parting {
  readonly bye: { readonly reason: string; readonly text: string }
  /** Whether the page should not come back by itself. */
  readonly isFinal: boolean
}

/**
 * What a page is sent: whole WebSocket frames on its socket, and nothing of them kept anywhere else,
 * so that what waits for a page is known in bytes. The library below writes there as well, each
 * frame in one turn, so frames never run into each other.
 */
export class Outlet implements Carrier {
  readonly #socket: Duplex
  readonly #options: OutletOptions
  readonly #drained: (() => void)[] = []
  #stalled: Disposable | undefined
  #ended = false

  constructor(socket: Duplex, options: OutletOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('drain', () => this.#release())
    socket.on('close', () => this.#stop())
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  writeShared(frames: Uint8Array): void {
    if (this.#ended || !this.#socket.writable) return
    this.#socket.write(frames)
    const { limits, clock, onTooSlow } = this.#options
    if (this.#socket.writableLength > limits.maxBufferedBytes) onTooSlow()
    else if (this.#socket.writableNeedDrain && this.#stalled === undefined) {
      this.#stalled = clock.after(limits.maxStalledMs, onTooSlow)
    }
  }

  async drained(): Promise<void> {
    if (this.#ended || !this.#socket.writableNeedDrain) return
    await new Promise<void>(resolve => {
      this.#drained.push(resolve)
    })
  }

  cutAsTooSlow(): void {
    this.#options.onTooSlow()
  }

  /** Say why, and close it behind what was written. Nothing that is written after this leaves. */
  close({ bye, isFinal }: Parting): void {
    if (this.#ended) return
    if (this.#socket.writable) {
      const last = isFinal ? [textFrame(DISCONNECT), CLOSE_FRAME] : [CLOSE_FRAME]
      // In one write: where a thousand pages are cut, each write more is one for all of them.
      this.#socket.write(Buffer.concat([eventFrame('bye', bye), ...last]))
    }
    this.#stop()
    endSoon(this.#socket, this.#options.clock)
  }

  /** End it at once. */
  destroy(): void {
    this.#stop()
    this.#socket.destroy()
  }

  #stop(): void {
    this.#ended = true
    this.#release()
  }

  #release(): void {
    this.#stalled?.[Symbol.dispose]()
    this.#stalled = undefined
    for (const resolve of this.#drained.splice(0)) resolve()
  }
}
