import type { Duplex } from 'node:stream'
import type { RefusalReason } from './admission.ts'
import type { Clock } from '../lib/clock.ts'
import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import { explain, type Session } from './session.ts'
import { Connection, type Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, Control, CONTROL_STREAM } from '../wire/control.ts'
import type { WireLimits } from '../wire/limits.ts'
import { serveRpc, type RpcMethod } from '../wire/rpc.ts'

export interface OperatorSessionOptions {
  readonly socket: Duplex
  readonly identity: Identity
  readonly node: Name
  readonly run: Source
  readonly version: string
  readonly methods: ReadonlyMap<string, RpcMethod>
  readonly limits: WireLimits
  readonly clock: Clock
  readonly onEnd: (session: OperatorSession, ending: Ending) => void
}

/** One operator's connection: `rpc`, opened by the operator, over which the list is changed. */
export class OperatorSession implements Session {
  readonly identity: Identity
  readonly #connection: Connection
  readonly #control: Control

  constructor(options: OperatorSessionOptions) {
    const { methods, limits, clock, node, run, version } = options
    this.identity = options.identity
    let servesRpc = false
    this.#connection = new Connection(options.socket, {
      limits,
      onStream: stream => {
        if (stream.meta !== 'rpc' || servesRpc) return false
        servesRpc = true
        serveRpc(stream, methods, {
          limits,
          codes: true,
          onRefused: refusal => this.#connection.refuse(refusal),
        })
        return true
      },
      onEnd: ending => {
        this.#control[Symbol.dispose]()
        options.onEnd(this, ending)
      },
    })
    this.#control = new Control(this.#connection, this.#connection.open(CONTROL_STREAM), {
      limits,
      clock,
      ...CLIENT_HEARTBEAT,
      hello: { node, run, version },
      onHello: () => undefined,
      onBye: () => {},
      onDead: () => this.#connection.cutAsDead(),
    })
  }

  cut(reason: RefusalReason): void {
    this.#control.bye(reason, explain(reason, this.identity))
    this.#connection.close()
  }

  /** An operator has no rights that a grant could narrow. */
  narrow(): void {}

  leave(): void {
    this.#control.bye('leaving', 'the node is stopping')
    this.#connection.close()
  }
}
