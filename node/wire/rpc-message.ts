import type { WireLimits } from './limits.ts'
import { Refusal } from './refusal.ts'

/** A message of dnode's protocol that has been checked (PROTOCOL.md, "Calls"). */
export interface RpcMessage {
  readonly method: string | number
  readonly arguments: readonly unknown[]
  /** Where functions stand in the arguments, by the id that the sender gave them. */
  readonly callbacks?: Readonly<Record<string, readonly (string | number)[]>>
  readonly links?: readonly never[]
}

/** What decides whether a message may be sent now. */
export interface RpcState {
  readonly limits: WireLimits
  /** Method names that may be called by name. */
  readonly methods: ReadonlyMap<string, unknown>
  /** How many functions this end has handed out: ids from 0 up. */
  readonly handedOut: number
  /** The greatest callback id that the peer has used, -1 for none. */
  readonly greatestCallback: number
  /** Whether the peer has announced its methods already. */
  readonly announced: boolean
}

const FUNCTION = '[Function]'
const INDEX = /^(?:0|[1-9][0-9]{0,9})$/
const MAX_PATH = 8

/**
 * Check one message before dnode sees it. Every function must stand where its path says, as
 * dnode writes it; ids must go up by small steps, since dnode keeps them in an array.
 */
export function parseRpcMessage(value: unknown, state: RpcState): RpcMessage | Refusal {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refusal('a message is not an object')
  }
  const { method, arguments: values, callbacks, links, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return refusal('a message has unknown fields')
  if (!Array.isArray(values)) return refusal('a message has no arguments')
  if (values.length > state.limits.maxArguments) return refusal('too many arguments')
  if (links !== undefined && (!Array.isArray(links) || links.length > 0)) {
    return refusal('a message has links')
  }
  const why = problemOfMethod(method, values, state) ?? problemOfCallbacks(callbacks, values, state)
  return why === undefined ? (value as RpcMessage) : refusal(why)
}

/** The greatest callback id in a checked message, or `floor` where it has none above. */
export function greatestCallbackOf(message: RpcMessage, floor: number): number {
  return Object.keys(message.callbacks ?? {}).reduce((most, id) => Math.max(most, Number(id)), floor)
}

function refusal(reason: string): Refusal {
  return new Refusal('rpc', reason)
}

function problemOfMethod(
  method: unknown,
  values: readonly unknown[],
  state: RpcState,
): string | undefined {
  if (typeof method === 'number') {
    const isKnown = Number.isInteger(method) && method >= 0 && method < state.handedOut
    return isKnown ? undefined : 'a call to a function that was never handed out'
  }
  if (typeof method !== 'string') return 'a message names no method'
  if (method === 'methods') {
    if (state.announced) return 'the methods are announced twice'
    const [methods] = values
    const isAnnouncement =
      values.length === 1 &&
      typeof methods === 'object' &&
      methods !== null &&
      !Array.isArray(methods)
    return isAnnouncement ? undefined : 'the announced methods are not an object'
  }
  if (method === 'cull') {
    const isCull = values.every(id => Number.isInteger(id) && (id as number) >= 0)
    return isCull ? undefined : 'a cull of something that is no id'
  }
  return state.methods.has(method) ? undefined : 'a call to an unknown method'
}

function problemOfCallbacks(
  callbacks: unknown,
  values: readonly unknown[],
  { limits, greatestCallback }: RpcState,
): string | undefined {
  if (callbacks === undefined) return undefined
  if (typeof callbacks !== 'object' || callbacks === null || Array.isArray(callbacks)) {
    return 'the callbacks are not an object'
  }
  const entries = Object.entries(callbacks)
  if (entries.length > limits.maxCallbacks) return 'too many callbacks'
  for (const [id, path] of entries) {
    if (!INDEX.test(id)) return 'a callback has no valid id'
    if (Number(id) > greatestCallback + limits.maxCallbacks) return 'a callback id is out of order'
    if (!leadsToFunction(path, values)) return 'the path of a callback leads nowhere'
  }
  return undefined
}

function leadsToFunction(path: unknown, values: readonly unknown[]): boolean {
  if (!Array.isArray(path) || path.length === 0 || path.length > MAX_PATH) return false
  let node: unknown = values
  for (const step of path as unknown[]) {
    if (typeof step !== 'string' && !Number.isInteger(step)) return false
    const key = String(step)
    if (key === '__proto__' || key === 'length') return false
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return false
    node = (node as Record<string, unknown>)[key]
  }
  return node === FUNCTION
}
