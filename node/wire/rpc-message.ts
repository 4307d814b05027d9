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
  /** Method names that may be called by name; undefined where this end only calls. */
  readonly methods: ReadonlyMap<string, unknown> | undefined
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
/** Progress, and the answer. */
const MAX_CALLBACKS_OF_CALL = 2

/**
 * Check one message before dnode sees it. Every function must stand where its path says, as
 * dnode writes it; ids must go up by small steps, since dnode keeps what it knows by id. A call
 * that is served ends with one or two functions and has none elsewhere, so that all that dnode
 * keeps for a call can be forgotten with it; an answer carries none.
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
  if (callbacks !== undefined && (typeof callbacks !== 'object' || callbacks === null)) {
    return refusal('the callbacks are not an object')
  }
  const functions = Object.entries(callbacks ?? {})
  const why =
    problemOfMethod(method, values, state) ??
    problemOfIds(functions, state) ??
    problemOfPlaces(method, functions, values, state)
  return why === undefined ? (value as RpcMessage) : refusal(why)
}

/** The greatest callback id in a checked message, or `floor` where it has none above. */
export function greatestCallbackOf(message: RpcMessage, floor: number): number {
  let greatest = floor
  for (const id of Object.keys(message.callbacks ?? {})) greatest = Math.max(greatest, Number(id))
  return greatest
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
  return state.methods?.has(method) === true ? undefined : 'a call to an unknown method'
}

function problemOfIds(
  functions: readonly [id: string, path: unknown][],
  { limits, greatestCallback }: RpcState,
): string | undefined {
  if (functions.length > limits.maxCallbacks) return 'too many callbacks'
  for (const [id] of functions) {
    if (!INDEX.test(id)) return 'a callback has no valid id'
    if (Number(id) > greatestCallback + limits.maxCallbacks) return 'a callback id is out of order'
  }
  return undefined
}

function problemOfPlaces(
  method: unknown,
  functions: readonly [id: string, path: unknown][],
  values: readonly unknown[],
  state: RpcState,
): string | undefined {
  if (method === 'methods') {
    const areThere = functions.every(([, path]) => leadsToFunction(path, values))
    return areThere ? undefined : 'the path of a callback leads nowhere'
  }
  if (method === 'cull' || state.methods === undefined) {
    return functions.length === 0 ? undefined : 'an answer with functions in it'
  }
  if (functions.length === 0) return 'a call without a callback'
  if (functions.length > MAX_CALLBACKS_OF_CALL) return 'a call with too many callbacks'
  const places = new Set(functions.map(([, path]) => placeOf(path)))
  for (let back = 1; back <= functions.length; back += 1) {
    const place = values.length - back
    if (!places.has(place) || values[place] !== FUNCTION) {
      return 'the callbacks are not the last arguments'
    }
  }
  return undefined
}

/** Which argument a path names, or -1 where it leads further or nowhere. */
function placeOf(path: unknown): number {
  if (!Array.isArray(path) || path.length !== 1) return -1
  const [step] = path as unknown[]
  if (typeof step === 'number') return step
  return typeof step === 'string' && INDEX.test(step) ? Number(step) : -1
}

function leadsToFunction(path: unknown, values: readonly unknown[]): boolean {
  if (!Array.isArray(path) || path.length === 0 || path.length > MAX_PATH) return false
  let node: unknown = values
  for (const step of path as unknown[]) {
    if (typeof step !== 'string' && !Number.isInteger(step)) return false
    const key = String(step)
    // Writing there would replace a prototype or resize an array.
    if (key === '__proto__' || key === 'length') return false
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return false
    node = (node as Record<string, unknown>)[key]
  }
  return node === FUNCTION
}
