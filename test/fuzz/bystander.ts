import { attachEmitter, type RemoteEmitter } from '../../node/wire/emitter.ts'
import { CLIENT_LIMITS } from '../../node/wire/limits.ts'
import type { MuxStream } from '../../node/wire/mux.ts'
import { serveRpc } from '../../node/wire/rpc.ts'
import { openStream, settle, type Session } from './session.ts'

/** A client of the same process that does no harm: it hears events, and its calls are answered. */
export class Bystander {
  readonly #session: Session
  readonly #door: RemoteEmitter
  #heard = 0

  static async open(): Promise<Bystander> {
    const { session } = await openStream(CLIENT_LIMITS, (stream: MuxStream, { connection }) => {
      serveRpc(stream, new Map([['probe', async () => 'well']]), {
        limits: CLIENT_LIMITS,
        onRefused: refusal => connection.refuse(refusal),
      })
    })
    return new Bystander(session)
  }

  private constructor(session: Session) {
    this.#session = session
    this.#door = attachEmitter(session.connection.open('door'), {
      limits: CLIENT_LIMITS,
      accepts: new Set(),
      onRefused: refusal => session.connection.refuse(refusal),
    })
  }

  /** What of that does not hold any more. */
  async problem(): Promise<string | undefined> {
    const { socket } = this.#session
    socket.sent = ''
    this.#heard += 1
    this.#door.emit('open', this.#heard)
    const call = '{"method":"probe","arguments":["[Function]"],"callbacks":{"0":["0"]},"links":[]}'
    socket.receive(Buffer.from(`${JSON.stringify(['a1', 'data', `${call}\n`])}\n`))
    await settle()
    if (this.#session.endings.length > 0) return 'another client was cut'
    if (!socket.sent.includes(JSON.stringify(`["open",${this.#heard}]\n`))) {
      return 'another client did not hear an event'
    }
    return socket.sent.includes('\\"well\\"') ? undefined : 'another client got no answer'
  }
}
