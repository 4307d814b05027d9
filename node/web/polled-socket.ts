import { Duplex } from 'node:stream'
import { readTextFrames } from '../events/page-frames.ts'

/** A connection of the library whose transport is no socket of its own: it takes messages only. */
export interface PolledConnection {
  /** @param onSent called when the message has left */
  write(text: string, options: undefined, onSent: () => void): unknown
  /** @param discard whether what waits is dropped */
  close(discard?: boolean): unknown
  once(event: 'close', listener: () => void): unknown
}

/**
 * Stands for the socket of a page that polls over HTTP: the frames that are written to it leave as
 * messages of its connection, so that what serves pages serves this one alike.
 */
export class PolledSocket extends Duplex {
  readonly #connection: PolledConnection

  constructor(connection: PolledConnection) {
    super({ autoDestroy: true })
    this.#connection = connection
    connection.once('close', () => this.destroy())
    // Nobody else hears of a page that is gone.
    this.on('error', () => {})
  }

  /** What such a page sends comes to the library, as requests. */
  override _read(): void {}

  override _write(frames: Buffer, _encoding: string, done: () => void): void {
    const texts = readTextFrames(frames)
    const [last] = texts.splice(-1)
    // The mark of a message, which the library sets itself.
    const send = (text: string, onSent: () => void): void =>
      void this.#connection.write(text.slice(1), undefined, onSent)
    for (const text of texts) send(text, () => {})
    // What is no text closes, and `_final` does that.
    if (last === undefined) done()
    // The library hands over what it has sent with: that is no error of a write.
    else send(last, () => done())
  }

  override _final(done: () => void): void {
    this.#connection.close()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#connection.close(true)
    done(error)
  }
}
