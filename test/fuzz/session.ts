import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemClock } from '../../node/lib/clock.ts'
import { Connection, type ConnectionOptions, type Ending } from '../../node/wire/connection.ts'
import type { WireLimits } from '../../node/wire/limits.ts'
import type { MuxStream } from '../../node/wire/mux.ts'

/** Where an input comes in more pieces than this, they come in one turn. */
const MAX_TURNS = 10

/** A connected byte stream whose other end is the fuzzer. */
export class FuzzSocket extends Duplex {
  sent = ''

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.sent += Buffer.from(chunk).toString('utf8')
    done()
  }

  receive(chunk: Uint8Array): void {
    if (!this.destroyed) this.push(chunk)
  }
}

/** Our end of one connection, and how it ended. */
export class Session {
  readonly socket = new FuzzSocket()
  readonly connection: Connection
  readonly endings: Ending[] = []

  constructor(options: Pick<ConnectionOptions, 'limits' | 'onStream'>) {
    this.connection = new Connection(this.socket, {
      ...options,
      clock: systemClock,
      onEnd: ending => this.endings.push(ending),
    })
  }

  get refused(): boolean {
    return this.endings.some(({ cause }) => cause === 'refused')
  }

  /** Hand it bytes in pieces, some of them on later turns. */
  async receive(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) {
      this.socket.receive(chunk)
      if (chunk.length % 2 === 1 && chunks.length < MAX_TURNS) await settle()
    }
    await settle()
  }

  /** What must hold of a connection once it is over, whatever it was sent. */
  async problemOfEnd(streams: readonly MuxStream[]): Promise<string | undefined> {
    const wasRefused = this.refused
    if (wasRefused) {
      if (!this.socket.destroyed) return 'its sender was not cut'
      const sent = this.socket.sent.length
      for (const stream of streams) stream.write('late')
      await settle()
      if (this.socket.sent.length > sent) return 'something was sent after the refusal'
    } else {
      if (this.socket.destroyed || this.endings.length > 0) return 'it was cut without a reason'
      this.socket.destroy()
      await settle()
    }
    if (this.endings.length !== 1) return `its end was told ${this.endings.length} times`
    if (streams.some(stream => !stream.closed)) return 'a stream outlived its connection'
    if (!isLines(this.socket.sent)) return `what was sent is no lines: ${this.socket.sent}`
    return undefined
  }
}

function isLines(sent: string): boolean {
  try {
    for (const line of sent.split('\n').filter(line => line !== '')) JSON.parse(line)
    return sent === '' || sent.endsWith('\n')
  } catch {
    return false
  }
}

/** Wait until the packages have done what they put off. */
export async function settle(): Promise<void> {
  await nextTurn()
  await nextTurn()
}

/** A session whose peer has opened one stream, with what this end does on it. */
export async function openStream(
  limits: WireLimits,
  attach: (stream: MuxStream, session: Session) => void,
): Promise<{ session: Session; stream: MuxStream }> {
  const opened = Promise.withResolvers<MuxStream>()
  let isFirst = true
  const session: Session = new Session({
    limits,
    onStream: stream => {
      if (!isFirst) return false
      isFirst = false
      attach(stream, session)
      opened.resolve(stream)
      return true
    },
  })
  session.socket.receive(
    Buffer.from('["a1","new",{"meta":"rpc","opts":{"writable":true,"readable":true}}]\n'),
  )
  const stream = await opened.promise
  await settle()
  return { session, stream }
}

/** A frame is longer than its text by what must be escaped: at most six times as long. */
const MAX_PIECE = 8_000

/** The frames that carry a text on a stream, cut as `cuts` are. */
export function framesOf(text: string, cuts: readonly { readonly length: number }[]): Buffer[] {
  const frames: Buffer[] = []
  let start = 0
  for (const { length } of cuts) {
    const end = Math.min(text.length, start + length)
    for (; start < end; start += MAX_PIECE) {
      const piece = text.slice(start, Math.min(end, start + MAX_PIECE))
      frames.push(Buffer.from(`${JSON.stringify(['a1', 'data', piece])}\n`))
    }
    start = end
  }
  return frames
}
