import { isObject, linesOfText, valueOf } from './lines.ts'

/** PROTOCOL.md, "Calls", seen from the end that serves `methods`, over a whole input at once. */

export interface ModelCall {
  readonly method: string
  readonly values: readonly unknown[]
  /** The id of the function that hears the answer. */
  readonly answer: number
}

export interface CallsModel {
  readonly calls: readonly ModelCall[]
  readonly refused: boolean
}

interface State {
  readonly methods: readonly string[]
  readonly culled: Set<number>
  announced: boolean
  greatest: number
}

type Functions = readonly (readonly [id: number, path: unknown])[]

export function modelCalls(
  text: string,
  { maxLineBytes, methods }: { maxLineBytes: number; methods: readonly string[] },
): CallsModel {
  const { lines, refused } = linesOfText(text, maxLineBytes)
  const state: State = { methods, culled: new Set(), announced: false, greatest: -1 }
  const calls: ModelCall[] = []
  for (const line of lines) {
    const message = valueOf(line, 32)?.value
    const call = isObject(message) ? take(message, state) : undefined
    if (call === undefined) return { calls, refused: true }
    if (call !== 'no call') calls.push(call)
  }
  return { calls, refused }
}

/** @returns what is called, or undefined where the message must be refused */
function take(message: Record<string, unknown>, state: State): ModelCall | 'no call' | undefined {
  const { method, arguments: values, callbacks = {}, links = [], ...rest } = message
  if (Object.keys(rest).length > 0 || !Array.isArray(values) || values.length > 16) return undefined
  if (JSON.stringify(links) !== '[]') return undefined
  if (typeof callbacks !== 'object' || callbacks === null) return undefined
  const ids = Object.keys(callbacks)
  if (ids.length > 32 || ids.some(id => !isId(id) || Number(id) > state.greatest + 32)) {
    return undefined
  }
  const functions = Object.entries(callbacks).map(([id, path]) => [Number(id), path] as const)
  const taken = takeAs(method, values, functions, state)
  if (taken !== undefined) state.greatest = Math.max(state.greatest, ...ids.map(Number))
  return taken
}

function takeAs(
  method: unknown,
  values: unknown[],
  functions: Functions,
  state: State,
): ModelCall | 'no call' | undefined {
  if (method === 'methods') {
    const isWelcome = !state.announced && values.length === 1 && isObject(values[0])
    if (!isWelcome || !functions.every(([, path]) => leads(path, values))) return undefined
    state.announced = true
    return 'no call'
  }
  if (method === 'cull') {
    if (functions.length > 0 || !values.every(value => isCount(value))) return undefined
    for (const id of values as number[]) state.culled.add(id)
    return 'no call'
  }
  const isKnown =
    typeof method === 'number'
      ? isCount(method) && method < state.methods.length
      : state.methods.includes(method as string)
  if (!isKnown || functions.length < 1 || functions.length > 2) return undefined
  const at = new Map(functions.map(([id, path]) => [onlyStep(path), id]))
  for (let place = values.length - functions.length; place < values.length; place += 1) {
    if (!at.has(String(place)) || values[place] !== '[Function]') return undefined
  }
  if (typeof method === 'number' && state.culled.has(method)) return 'no call'
  return {
    method: typeof method === 'number' ? (state.methods[method] ?? '') : String(method),
    values: values.slice(0, -functions.length),
    answer: at.get(String(values.length - 1)) ?? -1,
  }
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && String(Number(text)) === text
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0
}

function onlyStep(path: unknown): string {
  const [step] = Array.isArray(path) && path.length === 1 ? (path as unknown[]) : []
  if (typeof step === 'number') return String(step)
  return typeof step === 'string' && isId(step) ? step : ''
}

function leads(path: unknown, values: unknown): boolean {
  if (!Array.isArray(path) || path.length < 1 || path.length > 8) return false
  let node = values
  for (const step of path as unknown[]) {
    if (typeof step !== 'string' && !Number.isInteger(step)) return false
    if (step === '__proto__' || step === 'length') return false
    const own = Object.getOwnPropertyDescriptor(Object(node), String(step))
    if (typeof node !== 'object' || own === undefined) return false
    node = own.value
  }
  return node === '[Function]'
}
