import { parseJson } from '../wire/json.ts'
import type { WireLimits } from '../wire/limits.ts'
import { Refusal } from '../wire/refusal.ts'

/** The path of Socket.IO, as its clients have it by default. */
export const SOCKET_PATH = '/socket.io/'

/** What a page may send (PROTOCOL.md, "Pages"). */
export type PagePacket =
  /** It joins, with what it says of itself; the library answers. */
  | { readonly kind: 'connect' }
  /** It leaves; the library answers. */
  | { readonly kind: 'disconnect' }
  | {
      readonly kind: 'event'
      readonly event: string
      readonly values: readonly unknown[]
      /** How the page numbered it, if it waits for an answer. */
      readonly id: number | undefined
    }

/** The events that a page may emit. */
const EVENTS: ReadonlySet<string> = new Set(['call', 'nonce', 'sealed', 'sign-in', 'invited'])

/** Digits of the number of a call: a page counts from 0. */
const EVENT = /^2(\d{1,15})?(?=\[)/

const CONNECT = '0'
const DISCONNECT = '1'

/**
 * Read one Socket.IO packet of a page, before the library sees it: no namespaces, no binary
 * attachments, no answers to what nobody asked, no event that is not expected.
 */
export function parsePacket(
  data: unknown,
  limits: Pick<WireLimits, 'maxLineBytes' | 'maxDepth' | 'maxArguments'>,
): PagePacket | Refusal {
  if (typeof data !== 'string') return new Refusal('page', 'binary data')
  if (Buffer.byteLength(data) > limits.maxLineBytes) return new Refusal('page', 'too long')
  if (data === CONNECT || data === DISCONNECT) {
    return { kind: data === CONNECT ? 'connect' : 'disconnect' }
  }
  if (data.startsWith(`${CONNECT}{`)) {
    const said = parseJson(data.slice(1), limits.maxDepth)
    return said instanceof Refusal ? said : { kind: 'connect' }
  }
  const [head, id] = EVENT.exec(data) ?? []
  if (head === undefined) return new Refusal('page', 'a packet of an unexpected kind')
  const value = parseJson(data.slice(head.length), limits.maxDepth)
  if (value instanceof Refusal) return value
  if (!Array.isArray(value)) return new Refusal('page', 'an event is not an array')
  const [event, ...values] = value as unknown[]
  if (typeof event !== 'string' || !EVENTS.has(event)) {
    return new Refusal('page', 'an event of an unexpected kind')
  }
  if (values.length > limits.maxArguments) return new Refusal('page', 'too many values')
  return { kind: 'event', event, values, id: id === undefined ? undefined : Number(id) }
}
