import {
  parseSealedEvent,
  parseSensorEvent,
  parseSensorInfo,
  type SensorInfo,
} from '../events/told-sensor.ts'
import {
  isName,
  isOrigin,
  isRun,
  isSource,
  nodeOf,
  type Name,
  type Origin,
  type Source,
} from '../identity/names.ts'
import { isRecord } from '../lib/record.ts'
import { MAX_SENSORS } from '../sensors/config.ts'
import { MAX_TIME, type SensorEvent } from '../sensors/kinds.ts'
import { parseProof, type SignInProof } from '../sessions/sign-in.ts'
import type { Hello } from '../wire/control.ts'
import { CLIENT_LIMITS, PEER_LIMITS, type WireLimits } from '../wire/limits.ts'

/** What goes over a connection on which one node reads for pages (PROTOCOL.md, "Relays"). */

/** Audiences of one connection at once: each is a session at the far node. */
export const MAX_AUDIENCES = 64

/** What a far node accepts of a relaying one: one that asks, and sends nothing else. */
export const ASKING_LIMITS: WireLimits = {
  ...CLIENT_LIMITS,
  // Beside them `rpc`.
  maxStreams: MAX_AUDIENCES + 1,
  maxBufferedBytes: PEER_LIMITS.maxBufferedBytes,
  maxFramesPerSecond: 250,
}

/** What a relaying node accepts of a far one: it reads no faster than pages are worth telling. */
export const TELLING_LIMITS: WireLimits = {
  ...PEER_LIMITS,
  // Those of an audience that has just ended may not be closed yet.
  maxStreams: 2 * MAX_AUDIENCES * (MAX_SENSORS + 1),
  maxFramesPerSecond: 2_000,
}

/** For whom a relaying node asks. */
export interface Ask {
  readonly origin: Origin
  /** Absent where nobody has signed in on their pages. */
  readonly signIn?: SignInProof
}

/** An ask as it was checked; whether the browser has signed it is still to be looked at. */
export interface CheckedAsk {
  readonly origin: Origin
  readonly signIn: ReturnType<typeof parseProof>
}

/** What a far node says first. */
export interface FarHello {
  readonly node: Name
  readonly run: Source
  readonly version: string
  /** What its clock says, in milliseconds since 1970. */
  readonly time: number
}

const AUDIENCE = /^audience\/([1-9]\d{0,14})$/
const PART = /^([1-9]\d{0,14})\/([a-z][a-z0-9-]{0,31})$/
const MAX_VERSION = 64

/** The name of the stream on which an audience is asked for. */
export function audienceStream(number: number): string {
  return `audience/${number}`
}

/** @returns undefined for a stream of another kind */
export function parseAudienceStream(name: string): number | undefined {
  const [, digits] = AUDIENCE.exec(name) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** The name of the stream of a sensor, or of alarms, of an audience. */
export function partStream(number: number, part: string): string {
  return `${number}/${part}`
}

/** @returns undefined for a stream of another kind */
export function parsePartStream(
  name: string,
): { readonly number: number; readonly part: string } | undefined {
  const [, digits, part] = PART.exec(name) ?? []
  return part === undefined ? undefined : { number: Number(digits), part }
}

/** Check for whom a relaying node asks. @returns why it is refused */
export function parseAsk(values: readonly unknown[]): CheckedAsk | string {
  const [value, ...more] = values
  if (more.length > 0 || !isRecord(value)) return 'an ask is malformed'
  const { origin, signIn, ...rest } = value
  if (Object.keys(rest).length > 0 || !isOrigin(origin)) return 'an ask names no origin'
  if (signIn === undefined) return { origin, signIn: undefined }
  const proof = parseProof(signIn)
  return proof === undefined ? 'an ask has a malformed sign-in' : { origin, signIn: proof }
}

/** Check what a far node lets an audience read. @returns undefined when it is malformed */
export function parseToldSensors(values: readonly unknown[]): SensorInfo[] | undefined {
  const [value, ...more] = values
  if (more.length > 0 || !isRecord(value) || !Array.isArray(value['sensors'])) return undefined
  if (value['sensors'].length > MAX_SENSORS) return undefined
  const infos = value['sensors'].map(parseSensorInfo).filter(info => info !== undefined)
  const names = new Set(infos.map(({ name }) => name))
  return names.size === value['sensors'].length ? infos : undefined
}

/** Check the hello of a relaying node. @returns its run, or why it is refused */
export function parseAskingHello({ source }: Hello, peer: Name): { run: Source } | string {
  if (!isSource(source) || !isRun(source)) return 'a hello names no run'
  return nodeOf(source) === peer ? { run: source } : 'a hello is of another node'
}

/** Check the hello of a far node. @returns why it is refused */
export function parseFarHello({ node, run, version, time }: Hello, peer: Name): FarHello | string {
  if (!isName(node) || node !== peer) return 'a hello is of another node'
  if (!isSource(run) || nodeOf(run) !== peer) return 'a hello names no run'
  if (typeof version !== 'string' || version.length > MAX_VERSION) return 'a hello names no version'
  if (typeof time !== 'number' || !(Math.abs(time) <= MAX_TIME)) return 'a hello tells no time'
  return { node, run, version, time }
}

/**
 * Check what a far node says of a sensor, which is handed on as it is.
 * @returns its number, or undefined when it is malformed
 */
export function parseRelayedEvent(
  { kind, sealed }: SensorInfo,
  type: string,
  values: readonly unknown[],
): number | undefined {
  // Of a sealed sensor a value in clear is not its node's word.
  if ((type === SEALED) !== (sealed !== undefined)) return undefined
  if (type === SEALED) return values.length === 3 ? parseSealedEvent(values)?.sequence : undefined
  const numbered = parseSensorEvent(kind, type, values)
  if (numbered === undefined || values.length !== lengthOf(numbered.event)) return undefined
  const { event, sequence } = numbered
  // One that is longer than is kept would not be handed on as it is.
  const isWhole = event.type !== 'unavailable' || event.reason === values[0]
  return isWhole ? sequence : undefined
}

/** How many values an event has, its time and its number included. */
function lengthOf({ type }: SensorEvent): number {
  switch (type) {
    case 'reading':
      return 4
    case 'unavailable':
      return 3
    default:
      return 2
  }
}

/** The event of a sealed sensor. */
export const SEALED = 'sealed'

/** Check the last words of an audience. @returns undefined when they are malformed */
export function parseFarewell(
  values: readonly unknown[],
): { readonly reason: string; readonly text: string } | undefined {
  const [reason, text, ...more] = values
  if (typeof reason !== 'string' || typeof text !== 'string' || more.length > 0) return undefined
  return { reason: reason.slice(0, MAX_REASON), text: text.slice(0, MAX_TEXT) }
}

/** Of a farewell, in characters: it is shown to people. */
const MAX_REASON = 64
const MAX_TEXT = 1_024
