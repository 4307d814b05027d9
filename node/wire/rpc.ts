import { setMaxListeners } from 'node:events'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { DnodeEnd, type Fn, type RpcOptions } from './dnode.ts'
import type { MuxStream } from './mux.ts'
import { readRpcError, rpcErrorOf, type RpcError } from './rpc-error.ts'

export type { RpcOptions } from './dnode.ts'

/**
 * A method that is served. It may report progress any number of times before it settles; what
 * it throws reaches the caller as text.
 * @param values the arguments, unchecked JSON values
 * @param progress does nothing when the caller did not ask, or has gone
 * @param signal aborts when the caller has gone
 */
export type RpcMethod = (
  values: unknown[],
  progress: (value: unknown) => void,
  signal: AbortSignal,
) => Promise<unknown>

/** Names that mean something else in dnode's protocol, or in JavaScript. */
const RESERVED: ReadonlySet<string> = new Set(['methods', 'cull', '__proto__'])

type Answer = [error: RpcError] | [error: null, result: unknown]

export interface ServeOptions extends RpcOptions {
  /** Errors carry a code beside their words: `fridge/1`. Default false: the words alone. */
  readonly codes?: boolean
}

/**
 * Serve methods on a sub-stream. A call ends with a callback `(error: string | null, result)`;
 * a function before it hears of progress. Both are forgotten once it has answered.
 * @throws RangeError when a method has a reserved name
 */
export function serveRpc(
  stream: MuxStream,
  methods: ReadonlyMap<string, RpcMethod>,
  options: ServeOptions,
): void {
  const { maxPendingCalls } = options.limits
  const send = (answer: Fn, [error, ...result]: Answer): void => {
    end.call(answer, [
      error === null || options.codes === true ? error : error.message,
      ...result,
    ])()
  }
  const gone = new AbortController()
  // A listener for each pending call is no leak.
  setMaxListeners(0, gone.signal)
  let pending = 0
  const run = async (method: RpcMethod, values: unknown[], functions: readonly Fn[]) => {
    const [answer, progress] = functions
    let answered = false
    const report = (value: unknown): void => {
      if (progress !== undefined && !answered) end.call(progress, [value])
    }
    const outcome: Answer =
      pending > maxPendingCalls
        ? [{ code: 'ERR_LIMIT', message: `more than ${maxPendingCalls} calls at once` }]
        : await answerOf(async () => method(values, report, gone.signal))
    answered = true
    // Where the caller has gone meanwhile, nothing is sent.
    if (answer !== undefined) {
      try {
        send(answer, outcome)
      } catch (error) {
        const { message } = rpcErrorOf(error)
        send(answer, [{ code: 'ERR_COMMAND', message: `the answer cannot be sent: ${message}` }])
      }
    }
    for (const fn of functions) end.forget(fn)
  }
  const served = new Map<string, Fn>()
  for (const [name, method] of methods) {
    if (RESERVED.has(name)) throw new RangeError(`a method cannot be called ${name}`)
    served.set(name, (...values) => {
      const functions: Fn[] = []
      while (typeof values.at(-1) === 'function') functions.push(values.pop() as Fn)
      pending += 1
      void run(method, values, functions).finally(() => {
        pending -= 1
      })
    })
  }
  const end = new DnodeEnd(stream, served, options)
  stream.onClose(() => gone.abort())
}

async function answerOf(method: () => Promise<unknown>): Promise<Answer> {
  try {
    return [null, await method()]
  } catch (error) {
    return [rpcErrorOf(error)]
  }
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** How long to wait for the answer, in milliseconds. Default: until the connection ends. */
  readonly timeoutMs?: number
  /** Hears what the method reports before it answers. */
  readonly onProgress?: (value: unknown) => void
}

/** The methods of a peer. */
export interface RpcRemote {
  readonly methods: ReadonlySet<string>
  /**
   * Call a method. A call that is given up goes on over there; its answer is dropped.
   * @param values JSON values
   * @returns what it answered, unchecked
   * @throws FridgeError with the peer's words, `ERR_COMMAND` or a code that it gave (`ERR_REFUSED`,
   *   `ERR_LIMIT`…); `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts
   */
  call(method: string, values: readonly unknown[], options?: CallOptions): Promise<unknown>
}

/** Reach the methods that the peer serves on a sub-stream. @throws FridgeError `ERR_CLOSED` */
export async function connectRpc(
  stream: MuxStream,
  options: RpcOptions & { readonly clock: Clock },
): Promise<RpcRemote> {
  // The calls that wait for an answer; a promise shared by all calls would hold each of them.
  const waiting = new Set<(error: unknown) => void>()
  const end = new DnodeEnd(stream, undefined, options)
  stream.onClose(() => {
    for (const reject of waiting) reject(closedError())
  })
  if (end.ended) throw closedError()
  const remote = await new Promise<Map<string, Fn>>((resolve, reject) => {
    waiting.add(reject)
    end.onMethods(methods => {
      waiting.delete(reject)
      resolve(methods)
    })
  })
  const call: RpcRemote['call'] = async (method, values, callOptions = {}) => {
    const { signal, timeoutMs, onProgress } = callOptions
    signal?.throwIfAborted()
    if (end.ended) throw closedError()
    const fn = remote.get(method)
    if (fn === undefined) {
      throw new FridgeError('ERR_COMMAND', `the node has no command ${JSON.stringify(method)}`)
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const answer: Fn = (error, result) => {
      if (error === null || error === undefined) resolve(result)
      else reject(readRpcError(error))
    }
    const report: Fn = value => onProgress?.(value)
    const takeBack = end.call(fn, [...values, ...(onProgress ? [report] : []), answer])
    const abort = (): void => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    using deadlines = new DisposableStack()
    if (timeoutMs !== undefined) {
      const text = `no answer to ${method} within ${timeoutMs} ms`
      const expire = (): void => reject(new FridgeError('ERR_TIMEOUT', text))
      deadlines.use(options.clock.after(timeoutMs, expire))
    }
    waiting.add(reject)
    try {
      return await promise
    } finally {
      waiting.delete(reject)
      takeBack()
      signal?.removeEventListener('abort', abort)
    }
  }
  return { methods: new Set(remote.keys()), call }
}

function closedError(): FridgeError {
  return new FridgeError('ERR_CLOSED', 'the connection was closed')
}
