import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { Clock } from '../clock.ts'
import { errorMessage, FridgeError } from '../errors.ts'
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

type Fn = (...values: unknown[]) => void

interface Protocol {
  readonly callbacks: { local: FunctionTable; remote: Record<number, Fn> }
  readonly scrubber: { callbacks: FunctionTable }
  cull(id: number): void
}

interface Package extends EventEmitter {
  /** There from the next tick on. */
  readonly proto?: Protocol
  _createProto(): Protocol
  write(message: object): void
  end(): void
}

interface PackageOptions {
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
  onRefused(refusal: Refusal): void
}

/**
 * A method that is served. It may report progress any number of times before it settles; what
 * it throws reaches the caller as text.
 */
export type RpcMethod = (values: unknown[], progress: (value: unknown) => void) => Promise<unknown>

/**
 * The functions handed to the peer, by id. dnode keeps them in an array that it searches at each
 * call and that only grows; here a culled one is gone.
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
}

/** One end of dnode on one sub-stream. */
class RpcEnd {
  readonly package: Package
  readonly #options: RpcOptions
  readonly #methods: ReadonlyMap<string, unknown>
  readonly #ids = new WeakMap<Fn, number>()
  #greatestCallback = -1
  #announced = false
  #ended = false

  constructor(
    stream: MuxStream,
    methods: ReadonlyMap<string, unknown>,
    served: Record<string, Fn>,
    options: RpcOptions,
  ) {
    this.#methods = methods
    this.#options = options
    this.package = dnode(served, {
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
    useTables(this.package)
    this.package.on('data', (message: unknown) => stream.write(`${JSON.stringify(message)}\n`))
    // `fail`: the peer called a function that was culled meanwhile. `error`: ours threw.
    this.package.on('fail', () => {})
    this.package.on('error', () => {})
    const decoder = new TextLineDecoder(options.limits.maxLineBytes)
    stream.onText(text => {
      if (this.#ended) return
      const refusal = decoder.write(text, line => {
        this.#receive(line)
        return !this.#ended
      })
      if (refusal !== undefined) this.refuse(refusal)
    })
    stream.onClose(() => this.end())
  }

  /** Forget a function of the peer here, and tell it that it may forget it too. */
  cull(fn: Fn): void {
    const id = this.#ids.get(fn)
    if (id !== undefined && !this.#ended) this.package.proto?.cull(id)
  }

  refuse(refusal: Refusal): void {
    if (this.#ended) return
    this.end()
    this.#options.onRefused(refusal)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.package.end()
  }

  get ended(): boolean {
    return this.#ended
  }

  #receive(line: string): void {
    const { limits } = this.#options
    const value = parseJson(line, limits.maxDepth)
    if (value instanceof Refusal) return this.refuse(value)
    const message = parseRpcMessage(value, {
      limits,
      methods: this.#methods,
      handedOut: this.package.proto?.callbacks.local.length ?? 0,
      greatestCallback: this.#greatestCallback,
      announced: this.#announced,
    })
    if (message instanceof Refusal) return this.refuse(message)
    this.#greatestCallback = greatestCallbackOf(message, this.#greatestCallback)
    if (message.method === 'methods') this.#announced = true
    this.package.write(message)
  }
}

/** Replace the arrays of functions of a protocol instance before it starts. */
function useTables(end: Package): void {
  const create = end._createProto
  end._createProto = function createProto() {
    const proto = create.call(end)
    const table = new FunctionTable()
    proto.callbacks.local = table
    proto.scrubber.callbacks = table
    proto.callbacks.remote = Object.create(null) as Record<number, Fn>
    return proto
  }
}

/**
 * Serve methods on a sub-stream. A call ends with a callback `(error: string | null, result)`;
 * a function before it hears of progress. Both are culled once it has answered.
 */
export function serveRpc(
  stream: MuxStream,
  methods: ReadonlyMap<string, RpcMethod>,
  options: RpcOptions,
): void {
  let pending = 0
  const served: Record<string, Fn> = {}
  for (const [name, method] of methods) {
    served[name] = (...values) => {
      const functions: Fn[] = []
      while (typeof values.at(-1) === 'function') functions.unshift(values.pop() as Fn)
      const answer = functions.pop()
      const [progress] = functions
      const settle = (error: string | null, result?: unknown): void => {
        if (end.ended) return
        if (error === null) answer?.(null, result)
        else answer?.(error)
        for (const fn of [...functions, answer]) if (fn !== undefined) end.cull(fn)
      }
      if (pending >= 2 * options.limits.maxPendingCalls) {
        return end.refuse(new Refusal('rpc', 'too many calls without waiting for an answer'))
      }
      if (pending >= options.limits.maxPendingCalls) return settle('too many calls at once')
      pending += 1
      method(values, value => {
        if (!end.ended) progress?.(value)
      })
        .then(
          result => settle(null, result),
          (error: unknown) => settle(errorMessage(error)),
        )
        .finally(() => {
          pending -= 1
        })
    }
  }
  const end = new RpcEnd(stream, methods, served, options)
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** How long to wait for the answer, in milliseconds. */
  readonly timeoutMs?: number
  readonly onProgress?: (value: unknown) => void
}

/** The methods of a peer. */
export interface RpcRemote {
  readonly methods: ReadonlySet<string>
  /**
   * Call a method.
   * @throws FridgeError `ERR_COMMAND` with the peer's words, `ERR_TIMEOUT`, `ERR_CLOSED`
   */
  call(method: string, values: readonly unknown[], options?: CallOptions): Promise<unknown>
}

const NO_METHODS: ReadonlyMap<string, RpcMethod> = new Map()

/** Reach the methods that the peer serves on a sub-stream. @throws FridgeError `ERR_CLOSED` */
export async function connectRpc(
  stream: MuxStream,
  options: RpcOptions & { readonly clock: Clock },
): Promise<RpcRemote> {
  // Everyone who waits for an answer; a promise shared by all calls would hold each of them.
  const waiting = new Set<(error: unknown) => void>()
  stream.onClose(() => {
    const error = new FridgeError('ERR_CLOSED', 'the connection was closed')
    for (const reject of waiting) reject(error)
  })
  const end = new RpcEnd(stream, NO_METHODS, {}, options)
  const remote = await new Promise<Map<string, Fn>>((resolve, reject) => {
    waiting.add(reject)
    end.package.once('remote', (methods: Record<string, unknown>) => {
      waiting.delete(reject)
      const entries = Object.entries(methods).filter(([, fn]) => typeof fn === 'function')
      resolve(new Map(entries as [string, Fn][]))
    })
  })
  return {
    methods: new Set(remote.keys()),
    call: async (method, values, { signal, timeoutMs, onProgress } = {}) => {
      signal?.throwIfAborted()
      if (end.ended) throw new FridgeError('ERR_CLOSED', 'the connection is closed')
      const fn = remote.get(method)
      if (fn === undefined) {
        throw new FridgeError('ERR_COMMAND', `the node has no command ${JSON.stringify(method)}`)
      }
      const settled = Promise.withResolvers<unknown>()
      const answer: Fn = (error, result) => {
        if (error === null || error === undefined) settled.resolve(result)
        else settled.reject(new FridgeError('ERR_COMMAND', textOf(error)))
      }
      const abort = (): void => settled.reject(signal?.reason)
      signal?.addEventListener('abort', abort, { once: true })
      const deadline =
        timeoutMs === undefined
          ? undefined
          : options.clock.after(timeoutMs, () => {
              const text = `no answer to ${method} within ${timeoutMs} ms`
              settled.reject(new FridgeError('ERR_TIMEOUT', text))
            })
      waiting.add(settled.reject)
      try {
        const callbacks = onProgress === undefined ? [answer] : [onProgress as Fn, answer]
        fn(...values, ...callbacks)
        return await settled.promise
      } finally {
        waiting.delete(settled.reject)
        deadline?.[Symbol.dispose]()
        signal?.removeEventListener('abort', abort)
      }
    },
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
