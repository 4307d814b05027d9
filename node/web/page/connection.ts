import { signal } from '@preact/signals'
import { io } from 'socket.io-client'
import { alarms, hearAlarm } from './alarm-list.ts'
import { loadBrowserKey, signIn, type BrowserKey } from './browser-key.ts'
import {
  beginSealed,
  hearSealed,
  isSealed,
  learnChannels,
  openAnswer,
  sealCall,
  type FarPlace,
} from './sealed.ts'

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

/** What the node says first. */
interface Hello {
  readonly node: string
  readonly run: string
  readonly time: number
}

/** What the page may, as the node says it. */
interface Rights {
  readonly sensors: readonly Sensor[]
  readonly commands: readonly string[]
  readonly views: readonly string[]
}

/** Whether this is the page of an operator's console: nodes serve theirs over HTTPS alone. */
export const isConsole = location.protocol === 'http:'

const NAME_KEY = 'name'
/** What shows the console that this page is the operator's, when it comes again. */
const PASS_KEY = 'pass'
const CONSOLE_LINK = /^#console=([A-Za-z0-9_-]{22})$/
const RETRY_MS = 2_000

export const standing = signal<Standing>({ is: 'connecting' })
export const node = signal('')
export const rights = signal<Rights>({ sensors: [], commands: [], views: [] })
/** The newest word of each sensor; none where the node has said nothing since the page connected. */
export const readings = signal<ReadonlyMap<string, Reading>>(new Map())
/** Whom the browser says it is. */
export const name = signal(localStorage.getItem(NAME_KEY) ?? '')
/** The time of the node less that of this machine, in milliseconds. */
export const clockOffset = signal(0)

/** Hears all that comes: what a console tells of a change on its way, and what other nodes say. */
export function onNews(listener: (event: string, ...values: unknown[]) => void): void {
  socket.onAny(listener)
}

const socket = io({ transports: ['websocket'] })
let hello: Hello | undefined
let key: Promise<BrowserKey> | undefined
let bye = ''

/** Ask the node. @throws Error with the words of the node */
export async function call(method: string, ...values: unknown[]): Promise<unknown> {
  return openAnswer(values, await sealCall([method, ...values], ask))
}

/** Ask another node for a page of a history, through this one. @throws Error with the words of one of them */
export async function historyOf(at: FarPlace, request: object): Promise<unknown> {
  const answer = await sealCall(['historyOf', at.node, request], ask)
  return openAnswer([request], answer, at)
}

/** The key of this browser: made when it is first needed. */
export async function ownKey(): Promise<BrowserKey> {
  return (key ??= loadBrowserKey())
}

/** Emit an event that the node answers. @throws Error with the words of the node */
export async function ask(event: string, ...values: unknown[]): Promise<unknown> {
  const { value, error } = (await socket.emitWithAck(event, ...values)) as Answer
  if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code })
  return value
}

/** Sign in under a name. */
export async function enter(wanted: string): Promise<void> {
  name.value = wanted
  localStorage.setItem(NAME_KEY, wanted)
  if (hello === undefined || wanted === '') return
  const { node: at, run } = hello
  const own = await ownKey()
  try {
    const nonce = String(await ask('nonce'))
    await ask('sign-in', await signIn(own, { node: at, run, name: wanted, nonce }))
    beginSealed({ node: at, run, nonce })
    standing.value = { is: 'inside', name: wanted }
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string }
    const command = `fridge whitelist add ${wanted} --key ${own.id}`
    standing.value = {
      is: 'outside',
      why: message,
      ...(code === 'ERR_NOT_LISTED' && { command }),
    }
  }
}

/** Show the console that this page is the operator's. */
async function open(): Promise<void> {
  const [, secret] = CONSOLE_LINK.exec(location.hash) ?? []
  if (secret !== undefined) history.replaceState(null, '', location.pathname)
  try {
    const pass = await ask('call', 'open', secret ?? sessionStorage.getItem(PASS_KEY) ?? '')
    sessionStorage.setItem(PASS_KEY, String(pass))
    standing.value = { is: 'inside', name: 'operator' }
  } catch (error) {
    standing.value = { is: 'outside', why: (error as Error).message }
  }
}

socket.on('hello', (said: Hello) => {
  hello = said
  node.value = said.node
  clockOffset.value = said.time - Date.now()
  readings.value = new Map()
  beginSealed({ ...said, nonce: undefined })
  bye = ''
})
socket.on('rights', (said: Rights) => {
  rights.value = said
  learnChannels(said.sensors)
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
socket.on('alarms', hearAlarm)
socket.on('connect', () => {
  standing.value = { is: 'outside' }
  void (isConsole ? open() : enter(name.value))
})
socket.on('listed', () => void enter(name.value))
socket.on('bye', ({ text }: { text: string }) => {
  bye = text
})
socket.on('disconnect', reason => {
  lose(bye === '' ? OUT_OF_REACH : bye)
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), RETRY_MS)
})
socket.on('connect_error', error => {
  const { data } = error as { data?: { text: string } }
  lose(data?.text ?? OUT_OF_REACH)
  if (!socket.active) setTimeout(() => socket.connect(), RETRY_MS)
})

/** The nodes may be well when the program of a console was ended. */
const OUT_OF_REACH = isConsole
  ? 'fridge console does not run any more; start it again, and open its new link'
  : 'the node is out of reach'

/** What was last heard holds no more. */
function lose(why: string): void {
  standing.value = { is: 'lost', why }
  rights.value = { sensors: [], commands: [], views: [] }
  readings.value = new Map()
  alarms.value = []
}

/** What a node says of a sensor. @param type the event, and its values as in `fridge/1` */
export function readingOf(type: string, [first, unit, at]: readonly unknown[]): Reading {
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
