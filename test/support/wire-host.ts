import { setImmediate as nextTurn } from 'node:timers/promises'
import { attachEmitter } from '../../node/wire/emitter.ts'
import { CLIENT_LIMITS } from '../../node/wire/limits.ts'
import type { MuxStream } from '../../node/wire/mux.ts'
import { serveRpc, type RpcMethod } from '../../node/wire/rpc.ts'
import { TestMux } from './wire.ts'

const OPTS = { writable: true, readable: true }
const RPC_ID = 'a1'

/**
 * What a node offers a client: a stream `door` of events, and commands on the stream that the
 * client opens as `rpc`. It counts the calls that reach it.
 */
export class WireHost extends TestMux {
  readonly door: MuxStream
  calls = 0

  /** Connect, as a client does that has heard of the methods. */
  static async open(): Promise<WireHost> {
    const host = new WireHost()
    await host.settle()
    return host
  }

  private constructor() {
    super({
      onStream: (stream, { onRefused }) => {
        if (stream.meta !== 'rpc') return false
        const methods = new Map<string, RpcMethod>([
          ['probe', async () => (this.calls += 1)],
          ['rejects', () => Promise.reject(new Error('it is off'))],
        ])
        serveRpc(stream, methods, { limits: CLIENT_LIMITS, onRefused })
        return true
      },
    })
    this.door = this.mux.open('door')
    const { onRefused } = this
    attachEmitter(this.door, { limits: CLIENT_LIMITS, accepts: new Set(), onRefused })
    this.frames([RPC_ID, 'new', { meta: 'rpc', opts: OPTS }])
  }

  /** Its `door` among them. */
  override get openStreams(): MuxStream[] {
    return [...super.openStreams, ...(this.door.closed ? [] : [this.door])]
  }

  /** Wait until the packages have done what they put off. */
  async settle(): Promise<void> {
    await nextTurn()
    await nextTurn()
  }

  /** What a client sends to call `probe` for the first time. */
  static probe(): string {
    return rpcLine('{"method":0,"arguments":["[Function]"],"callbacks":{"0":["0"]},"links":[]}')
  }
}

/** The connection's line that carries one line of dnode. */
export function rpcLine(line: string): string {
  return textLine(RPC_ID, `${line}\n`)
}

/** The connection's line that carries a text, or whatever stands for it, on a stream. */
export function textLine(id: string, text: unknown): string {
  return `${JSON.stringify([id, 'data', text])}\n`
}

/** The names on the prototypes that every object shares. */
export function sharedNames(): string[] {
  return [Object, Array, Function, String, Number].flatMap(type => [
    ...Object.getOwnPropertyNames(type),
    ...Object.getOwnPropertyNames(type.prototype),
  ])
}
