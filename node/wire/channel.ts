import type { Duplex } from 'node:stream'
import { Connection, type ConnectionOptions, type Ending } from './connection.ts'
import { Control, CONTROL_STREAM, type Bye, type ControlOptions } from './control.ts'
import type { MuxStream } from './mux.ts'
import { connectRpc, serveRpc, type RpcMethod, type RpcRemote } from './rpc.ts'

/** The sub-stream on which the end that opened it calls methods of the other. */
const RPC_STREAM = 'rpc'

/** This end's part of the control stream. */
export interface ControlPart extends Pick<
  ControlOptions,
  'beatsTogether' | 'heartbeatMs' | 'deadAfterMs' | 'hello' | 'onHello' | 'takesProof'
> {
  /** Whether this end opens the stream: the end that accepted the connection does. */
  readonly opens: boolean
}

/** What this end lets the peer call. */
export interface Served {
  /** Asked for when the peer opens the stream. */
  readonly methods: () => ReadonlyMap<string, RpcMethod>
  /**
   * Whether the peer may open the stream again when it has closed it. Then `maxPendingCalls` of
   * each stream bounds nothing: calls of an earlier one may be pending still.
   */
  readonly reopens: boolean
}

export interface ChannelOptions extends Pick<
  ConnectionOptions,
  'limits' | 'clock' | 'onThrottled' | 'input'
> {
  /** Undefined in the plain protocol, which has no control stream; all else speaks `fridge/1`. */
  readonly control: ControlPart | undefined
  /** Default: nothing, and a peer that opens the stream is refused. */
  readonly rpc?: Served
  /** The peer opened another stream. False refuses it, and with it the connection. Default: false. */
  readonly onStream?: (stream: MuxStream) => boolean
  /** What the peer is told before it is cut as too slow. Default: nothing. */
  readonly byeToSlow?: Bye
  /** Called once, when nothing more will come or go. */
  readonly onEnd: (ending: Ending) => void
}

/**
 * A connection with its control stream (PROTOCOL.md, "Control"): hello, heartbeats and farewell are
 * taken care of, and calls are served where there is something to call.
 */
export class Channel extends Connection {
  readonly #options: ChannelOptions
  #control: Control | undefined
  #bye: Bye | undefined
  #servesRpc = false

  constructor(socket: Duplex, options: ChannelOptions) {
    const { limits, clock, control, input, onThrottled, byeToSlow, onEnd } = options
    super(socket, {
      limits,
      clock,
      onStream: stream => this.#accept(stream),
      onTooSlow: byeToSlow && (() => this.#say(byeToSlow)),
      onThrottled,
      input,
      onEnd: ending => {
        this.#control?.[Symbol.dispose]()
        onEnd(ending)
      },
    })
    this.#options = options
    if (control?.opens === true) this.#begin(this.open(CONTROL_STREAM), control)
  }

  /** Why the peer says that it closes, if it does. */
  get bye(): Bye | undefined {
    return this.#bye
  }

  /** End it and, once the control stream is open, say why. Nothing written after this leaves. */
  override close(bye?: Bye): void {
    if (bye !== undefined) this.#say(bye)
    super.close()
  }

  /** Reach the methods that the peer serves. @throws FridgeError `ERR_CLOSED` */
  async connectRpc(): Promise<RpcRemote> {
    const { limits, clock } = this.#options
    return connectRpc(this.open(RPC_STREAM), {
      limits,
      clock,
      onRefused: refusal => this.refuse(refusal),
    })
  }

  #say(bye: Bye): void {
    this.#control?.bye(bye)
  }

  #accept(stream: MuxStream): boolean {
    const { control, rpc, onStream } = this.#options
    if (stream.meta === CONTROL_STREAM && control !== undefined) {
      if (this.#control !== undefined) return false
      this.#begin(stream, control)
      return true
    }
    if (stream.meta === RPC_STREAM && rpc !== undefined) return this.#serve(stream, rpc)
    return onStream?.(stream) ?? false
  }

  #begin(stream: MuxStream, control: ControlPart): void {
    const { limits, clock } = this.#options
    this.#control = new Control(this, stream, {
      limits,
      clock,
      ...control,
      onBye: bye => {
        this.#bye = bye
      },
    })
  }

  #serve(stream: MuxStream, { methods, reopens }: Served): boolean {
    if (this.#servesRpc) return false
    this.#servesRpc = true
    if (reopens) {
      stream.onClose(() => {
        this.#servesRpc = false
      })
    }
    serveRpc(stream, methods(), {
      limits: this.#options.limits,
      codes: this.#options.control !== undefined,
      onRefused: refusal => this.refuse(refusal),
    })
    return true
  }
}
