import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import { ReadingPace } from './reading-pace.ts'

/** The longest packet of a broker. The package would gather up to 256 MB of one before it reads it. */
const MAX_PACKET_BYTES = 131_072

/**
 * Finds where packets begin, and how long they are (MQTT 3.1.1, section 2.2): a byte of type, then a
 * length of up to four bytes of seven bits each.
 */
export class PacketLengths {
  /** What is left of the packet that has begun; undefined while its length is read. */
  #left: number | undefined
  #length = 0
  #digits = -1

  /** @throws FridgeError `ERR_LIMIT` or `ERR_PROTOCOL` at the first packet that may not be read */
  take(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left === undefined) this.#takeHeader(chunk[at++] ?? 0)
      else {
        const taken = Math.min(this.#left, chunk.length - at)
        at += taken
        this.#left -= taken
      }
      if (this.#left === 0) this.#left = undefined
    }
  }

  #takeHeader(byte: number): void {
    if (this.#digits === -1) {
      this.#digits = 0
      this.#length = 0
      return
    }
    this.#length += (byte & 0x7f) * 128 ** this.#digits
    this.#digits += 1
    if (this.#length > MAX_PACKET_BYTES) {
      throw new FridgeError(
        'ERR_LIMIT',
        `the broker sent more than ${MAX_PACKET_BYTES} bytes at once`,
      )
    }
    if ((byte & 0x80) === 0) {
      this.#left = this.#length
      this.#digits = -1
    } else if (this.#digits === 4) {
      throw new FridgeError('ERR_PROTOCOL', 'the broker sent what is no packet')
    }
  }
}

/** A connection to a broker, of which the package sees no packet that is too long, and no flood. */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket
  readonly #pace: ReadingPace

  constructor(socket: Socket, clock: Clock) {
    super()
    this.#socket = socket
    this.#pace = new ReadingPace(socket, clock)
    const lengths = new PacketLengths()
    socket.on('data', chunk => {
      try {
        lengths.take(chunk)
      } catch (error) {
        this.destroy(error as Error)
        return
      }
      this.push(chunk)
      this.#pace.take(chunk.length)
    })
    socket.on('end', () => this.push(null))
    socket.on('error', error => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  /** What comes is pushed as the pace allows, whether or not it is asked for: the package never waits. */
  override _read(): void {}

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#pace[Symbol.dispose]()
    this.#socket.destroy()
    done(error)
  }
}
