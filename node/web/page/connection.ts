import { signal } from '@preact/signals'
import { io } from 'socket.io-client'
import { loadBrowserKey, signIn, type BrowserKey } from './browser-key.ts'
import { beginSealed, hearSealed, isSealed, learnChannels, openAnswer, sealCall } from './sealed.ts'

/** What the node says of a sensor. */
export type Reading =
  | { readonly type: 'reading'; readonly value: number; readonly unit: string; readonly at: number }
  | { readonly type: 'open' | 'close'; readonly at: number }
  | { readonly type: 'unavailable'; readonly reason: string }

export interface Sensor {
  readonly name: string
  readonly kind: string
  /** The channel in which it is sealed. */
  readonly sealed?: unknown
}

/** An alarm, as far as the page shows it. */
export interface Alarm {
  readonly id: string
  readonly sensor: string
  readonly rule: string
  readonly limit?: number
  readonly value?: number
  readonly since: number
  readonly until?: number
  readonly reason?: string
  readonly acknowledged?: { readonly by: string; readonly at: number; readonly comment: string }
}

/** How the page stands with its node. */
export type Standing =
  | { readonly is: 'connecting' }
  /** It is out of reach, or has ended the connection; the page tries again. */
  | { readonly is: 'lost'; readonly why: string }
  /** Nobody has signed in. */
  | { readonly is: 'outside'; readonly why?: string; readonly command?: string }
  | { readonly is: 'inside'; readonly name: string }

interface Answer {
  readonly value?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

interface Hello {
  readonly node: string
  readonly run: string
  readonly time: number
}

const NAME_KEY = 'name'
const RETRY_MS = 2_000
const ALARMS_MS = 5_000

export const standing = signal<Standing>({ is: 'connecting' })
export const node = signal('')
export const sensors = signal<readonly Sensor[]>([])
export const commands = signal<readonly string[]>([])
/** The newest word of each sensor; none where the node has said nothing since the page connected. */
export const readings = signal<ReadonlyMap<string, Reading>>(new Map())
export const alarms = signal<readonly Alarm[]>([])
/** Whom the browser says it is. */
export const name = signal(localStorage.getItem(NAME_KEY) ?? '')
/** The time of the node less that of this machine, in milliseconds. */
export const clockOffset = signal(0)

const socket = io({ transports: ['websocket'] })
let hello: Hello | undefined
let key: Promise<BrowserKey> | undefined
let bye = ''

/** Ask the node. @throws Error with the words of the node */
export async function call(method: string, ...values: unknown[]): Promise<unknown> {
  const emit = async (...said: unknown[]): Promise<unknown> => {
    const { value, error } = (await socket.emitWithAck(...(said as [string]))) as Answer
    if (error !== undefined) throw new Error(error.message)
    return value
  }
  return openAnswer(values, await sealCall([method, ...values], emit))
}

/** Sign in under a name. */
export async function enter(wanted: string): Promise<void> {
  name.value = wanted
  localStorage.setItem(NAME_KEY, wanted)
  if (hello === undefined || wanted === '') return
  const { node: at, run } = hello
  key ??= loadBrowserKey()
  const own = await key
  const { value: nonce } = (await socket.emitWithAck('nonce')) as Answer
  const signed = await signIn(own, { node: at, run, name: wanted, nonce: String(nonce) })
  const { error } = (await socket.emitWithAck('sign-in', signed)) as Answer
  if (error === undefined) {
    beginSealed({ node: at, run, nonce: String(nonce) })
    standing.value = { is: 'inside', name: wanted }
    await loadAlarms()
    return
  }
  const command = `fridge whitelist add ${wanted} --key ${own.id}`
  standing.value = {
    is: 'outside',
    why: error.message,
    ...(error.code === 'ERR_NOT_LISTED' && { command }),
  }
}

/** Take note of an alarm. */
export async function acknowledge(id: string, comment: string): Promise<void> {
  await call('acknowledge', id, comment)
  await loadAlarms()
}

async function loadAlarms(): Promise<void> {
  if (standing.value.is !== 'inside') return
  // A node without rules has no such call.
  const answer = await call('alarms').catch(() => undefined)
  const { standing: raised = [] } = (answer ?? {}) as { standing?: readonly Alarm[] }
  alarms.value = raised
}

socket.on('hello', (said: Hello) => {
  hello = said
  node.value = said.node
  clockOffset.value = said.time - Date.now()
  readings.value = new Map()
  beginSealed({ ...said, nonce: undefined })
  bye = ''
})
socket.on('rights', (rights: { sensors: readonly Sensor[]; commands: readonly string[] }) => {
  sensors.value = rights.sensors
  learnChannels(rights.sensors)
  commands.value = rights.commands
})
socket.on('event', (sensor: string, type: string, ...values: unknown[]) => {
  const tell = (said: readonly unknown[]): void => {
    const [type, ...rest] = said
    readings.value = new Map(readings.value).set(sensor, readingOf(String(type), rest))
  }
  if (type === 'sealed') void hearSealed(sensor, values, tell)
  // Of a sealed sensor nobody but the holders of its passphrase can say a value.
  else if (!isSealed(sensor)) tell([type, ...values])
})
socket.on('connect', () => {
  standing.value = { is: 'outside' }
  void enter(name.value)
})
socket.on('listed', () => void enter(name.value))
socket.on('bye', ({ text }: { text: string }) => {
  bye = text
})
socket.on('disconnect', reason => {
  lose(bye === '' ? 'the node is out of reach' : bye)
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), RETRY_MS)
})
socket.on('connect_error', error => {
  const { data } = error as { data?: { text: string } }
  lose(data?.text ?? 'the node is out of reach')
  if (!socket.active) setTimeout(() => socket.connect(), RETRY_MS)
})
setInterval(() => void loadAlarms(), ALARMS_MS)

/** What was last heard holds no more. */
function lose(why: string): void {
  standing.value = { is: 'lost', why }
  readings.value = new Map()
  alarms.value = []
}

function readingOf(type: string, [first, unit, at]: readonly unknown[]): Reading {
  switch (type) {
    case 'reading':
      return { type, value: Number(first), unit: String(unit), at: Number(at) }
    case 'open':
    case 'close':
      return { type, at: Number(first) }
    default:
      return { type: 'unavailable', reason: String(first) }
  }
}
