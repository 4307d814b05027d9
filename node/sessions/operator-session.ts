import type { Duplex } from 'node:stream'
import type { RefusalReason } from './admission.ts'
import type { Clock } from '../lib/clock.ts'
import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import { explain, type Session } from './session.ts'
import { Channel } from '../wire/channel.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT } from '../wire/control.ts'
import type { WireLimits } from '../wire/limits.ts'
import type { RpcMethod } from '../wire/rpc.ts'

export interface OperatorSessionOptions {
  readonly socket: Duplex
  readonly identity: Identity
  readonly node: Name
  readonly run: Source
  readonly version: string
  readonly methods: ReadonlyMap<string, RpcMethod>
  readonly limits: WireLimits
  readonly clock: Clock
  readonly onThrottled: (session: OperatorSession) => void
  readonly onEnd: (session: OperatorSession, ending: Ending) => void
}

/** The connection of an operator, who changes the list by calls on `rpc`. */
export class OperatorSession implements Session {
  readonly identity: Identity
  readonly #channel: Channel

  constructor(options: OperatorSessionOptions) {
    const { methods, limits, clock, node, run, version } = options
    this.identity = options.identity
    this.#channel = new Channel(options.socket, {
      limits,
      clock,
      control: { opens: true, ...CLIENT_HEARTBEAT, hello: { node, run, version } },
      // An operator that opened it again and again would have pending calls without end.
      rpc: { methods: () => methods, reopens: false },
      onThrottled: () => options.onThrottled(this),
      onEnd: ending => options.onEnd(this, ending),
    })
  }

  cut(reason: RefusalReason): void {
    this.#channel.close({ reason, text: explain(reason, this.identity) })
  }

  /** An operator has no rights that a grant could narrow. */
  narrow(): void {}

  leave(): void {
    this.#channel.close({ reason: 'leaving', text: 'the node is stopping' })
  }
}
