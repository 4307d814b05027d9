import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { parseJson } from './json.ts'
import type { WireLimits } from './limits.ts'
import { TextLineDecoder } from './lines.ts'
import type { MuxStream } from './mux.ts'
import { Refusal } from './refusal.ts'
import { greatestCallbackOf, parseRpcMessage } from './rpc-message.ts'

/**
 * The one file that knows the package `dnode` 1.2.2. The package runs in object mode and sees
 * only messages that `parseRpcMessage` has checked.
 */

/** A function of this end, or one of the peer's: calling that sends a message. */
export type Fn = (...values: unknown[]) => void

interface Protocol {
  readonly callbacks: { local: FunctionTable; remote: Record<number, Fn> }
  readonly scrubber: { callbacks: FunctionTable }
}

/** What the package calls on the next tick to make its protocol; private to it, so pinned here. */
const CREATE_PROTOCOL = '_createProto'

interface Package extends EventEmitter {
  [CREATE_PROTOCOL](): Protocol
  write(message: object): void
  end(): void
}

interface PackageOptions {
  /** Without this the package loads a native module that is not installed. */
  weak: false
  emit: 'object'
  proto: { wrap(callback: Fn, id: number): Fn; unwrap(callback: Fn): Fn }
}

const dnode = createRequire(import.meta.url)('dnode') as (
  methods: Record<string, Fn>,
  options: PackageOptions,
) => Package

export interface RpcOptions {
  readonly limits: WireLimits
  /** The peer sent what it must not. Called once: nothing behind it is parsed. */
  onRefused(refusal: Refusal): void
}

/**
 * The functions handed to the peer, by id. dnode keeps them in an array that it searches at each
 * call and that only grows; here a function that was taken back is gone, and its id is never used again.
 */
class FunctionTable {
  [id: number]: Fn
  length = 0

  push(fn: Fn): number {
    this[this.length] = fn
    this.length += 1
    return this.length
  }

  /** Each function handed out gets an id of its own. */
  indexOf(): number {
    return -1
  }

  takeBack(first: number, past: number): void {
    for (let id = first; id < past; id += 1) delete this[id]
  }
}

/** What is sent: as `RpcMessage`, but made here. */
interface Outgoing {
  readonly links?: readonly unknown[]
}

/** One end of dnode on one sub-stream. */
export class DnodeEnd {
  readonly #package: Package
  readonly #options: RpcOptions
  readonly #methods: ReadonlyMap<string, unknown> | undefined
  readonly #functions = new FunctionTable()
  readonly #remote = Object.create(null) as Record<number, Fn>
  readonly #ids = new WeakMap<Fn, number>()
  #greatestCallback = -1
  #announced = false
  #ended = false

  /** @param served own functions that the peer may call; undefined where this end only calls */
  constructor(stream: MuxStream, served: ReadonlyMap<string, Fn> | undefined, options: RpcOptions) {
    this.#methods = served
    this.#options = options
    this.#package = dnode(Object.fromEntries(served ?? []), {
      weak: false,
      emit: 'object',
      proto: {
        wrap: (callback, id) => {
          this.#ids.set(callback, id)
          return callback
        },
        unwrap: callback => callback,
      },
    })
    this.#useTables()
    this.#package.on('data', (message: Outgoing) => {
      // The package would send what is left of a circle; no peer expects that.
      if ((message.links?.length ?? 0) > 0) throw new TypeError('a circular value cannot be sent')
      stream.write(`${JSON.stringify(message)}\n`)
    })
    // `fail`: the peer called a function that was taken back meanwhile. `error`: ours threw.
    this.#package.on('fail', () => {})
    this.#package.on('error', () => {})
    const decoder = new TextLineDecoder(options.limits.maxLineBytes)
    const onLine = (line: string): boolean => {
      this.#receive(line)
      return !this.#ended
    }
    stream.onText(text => {
      if (this.#ended) return
      const refusal = decoder.write(text, onLine)
      if (refusal !== undefined) this.refuse(refusal)
    })
    stream.onClose(() => this.end())
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Hear of the peer's methods, once. What is no function is left out. */
  onMethods(listener: (methods: Map<string, Fn>) => void): void {
    this.#package.once('remote', (methods: Record<string, unknown>) => {
      const entries = Object.entries(methods).filter(([, fn]) => typeof fn === 'function')
      listener(new Map(entries as [string, Fn][]))
    })
  }

  /**
   * Call a function of the peer.
   * @returns what takes back the functions among the values; a later call of them is ignored
   * @throws TypeError when a value is not JSON
   */
  call(fn: Fn, values: readonly unknown[]): () => void {
    const first = this.#functions.length
    try {
      fn(...values)
    } catch (error) {
      this.#functions.takeBack(first, this.#functions.length)
      throw error
    }
    const past = this.#functions.length
    return () => this.#functions.takeBack(first, past)
  }

  /**
   * Forget a function of the peer. The peer is not told: a stock client uses one function for
   * many calls under one id, and on `cull` it would forget a function that it has just passed
   * again, and so lose the answer.
   */
  forget(fn: Fn): void {
    const id = this.#ids.get(fn)
    if (id !== undefined && this.#remote[id] === fn) delete this.#remote[id]
  }

  refuse(refusal: Refusal): void {
    if (this.#ended) return
    this.end()
    this.#options.onRefused(refusal)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#package.end()
  }

  #receive(line: string): void {
    const { limits } = this.#options
    const value = parseJson(line, limits.maxDepth)
    if (value instanceof Refusal) return this.refuse(value)
    const message = parseRpcMessage(value, {
      limits,
      methods: this.#methods,
      handedOut: this.#functions.length,
      greatestCallback: this.#greatestCallback,
      announced: this.#announced,
    })
    if (message instanceof Refusal) return this.refuse(message)
    this.#greatestCallback = greatestCallbackOf(message, this.#greatestCallback)
    if (message.method === 'methods') this.#announced = true
    this.#package.write(message)
  }

  /** Replace the arrays of functions of the protocol before it starts. */
  #useTables(): void {
    const create = this.#package[CREATE_PROTOCOL].bind(this.#package)
    this.#package[CREATE_PROTOCOL] = () => {
      const proto = create()
      proto.callbacks.local = this.#functions
      proto.scrubber.callbacks = this.#functions
      proto.callbacks.remote = this.#remote
      return proto
    }
  }
}
