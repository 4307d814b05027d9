/**
 * What a sealed thing looks like (PROTOCOL.md, "Sealed sensors"): the texts that keys are derived
 * from, nonces, padding and base64url. Nodes and browsers run this file alike, so that it uses
 * nothing that only one of them has.
 */

/** Stands in all that is derived and authenticated: nothing of another kind is the same bytes. */
export const SEAL = 'fridge-seal/1'

/** Rounds of PBKDF2 with SHA-256 (OWASP, 2023): 0.15 s of a computer, for a guess as well. */
export const ROUNDS = 600_000

/** Bytes of keys, and of the name of an epoch. */
export const KEY_BYTES = 32
export const EPOCH_BYTES = 8

/** Bytes of the tag of AES-GCM. */
export const TAG_BYTES = 16

/** What is sealed has a multiple of so many bytes: its length does not say what it is. */
export const PADDING_BYTES = 64

/** The longest box of an event, in characters: a reason of 200 characters, as JSON, in base64url. */
export const MAX_EVENT_BOX = 2_048

/** The longest box of a command of a page, in characters. */
export const MAX_COMMAND_BOX = 4_096

/** What is sealed: each has keys of its own, so that none can stand in the place of another. */
export type SealedKind = 'event' | 'history' | 'command' | 'answer'

/** A channel as everybody may know it. */
export interface ChannelInfo {
  readonly channel: string
  /** The trust domain of its nodes: the same words make another key elsewhere. */
  readonly domain: string
  /** Names the passphrase that is in use, and does not tell it. */
  readonly epoch: string
}

/** Where something is sealed: what keys are derived for. */
export interface SealPlace extends Pick<ChannelInfo, 'channel' | 'epoch'> {
  readonly kind: SealedKind
  readonly node: string
  readonly run: string
  /** Of an event its sensor; of a page of a history what was asked for; of calls their sign-in. */
  readonly about: string
}

/** Something sealed, with what a holder of the passphrase needs to open it. */
export interface Sealed {
  readonly epoch: string
  /** Ciphertext and tag, in base64url. */
  readonly box: string
}

const CHANNEL = /^[a-z][a-z0-9-]{0,31}$/
const EPOCH = /^[A-Za-z0-9_-]{11}$/
const BASE64URL = /^[A-Za-z0-9_-]*$/

export function isChannelName(value: unknown): value is string {
  return typeof value === 'string' && CHANNEL.test(value)
}

export function isEpoch(value: unknown): value is string {
  return typeof value === 'string' && EPOCH.test(value)
}

/** Whether a value can be a box of at most so many characters. */
export function isBox(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength && BASE64URL.test(value)
}

/** Check what a node says of the channel of a sensor. @returns undefined for what is none */
export function parseChannelInfo(value: unknown): ChannelInfo | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { channel, domain, epoch } = value as Record<string, unknown>
  if (!isChannelName(channel) || !isEpoch(epoch)) return undefined
  if (typeof domain !== 'string' || domain.length > 255) return undefined
  return { channel, domain, epoch }
}

/** A passphrase as it counts: however it was spaced, and whichever way its letters are encoded. */
export function normalPassphrase(text: string): string {
  return text.normalize('NFKC').trim().replaceAll(/\s+/g, ' ')
}

export function saltText({ channel, domain }: Pick<ChannelInfo, 'channel' | 'domain'>): string {
  return JSON.stringify([SEAL, domain, channel])
}

export function epochText({ channel, domain }: Pick<ChannelInfo, 'channel' | 'domain'>): string {
  return JSON.stringify([SEAL, 'epoch', domain, channel])
}

/** What the key of a place is derived from. */
export function keyText({ kind, channel, epoch, node, run, about }: SealPlace): string {
  return JSON.stringify([SEAL, kind, channel, epoch, node, run, about])
}

/** What is authenticated with each box of a place. */
export function boundText(place: SealPlace, sequence: number): string {
  return `${keyText(place)}${sequence}`
}

/** What is asked for of a history. */
export interface AskedPage {
  readonly sensor: string
  readonly table: string
  readonly from: number
  readonly to: number
  readonly after: number | null
}

/** What a sealed page of a history is bound to: nobody can hand it out for another question. */
export function historyPlace({ sensor, table, from, to, after }: AskedPage, salt: string): string {
  return JSON.stringify([sensor, table, from, to, after, salt])
}

/** The nonce of a box: its number, which no other box under the same key has. */
export function nonceOf(sequence: number): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, BigInt(sequence))
  return nonce
}

/** Values as they are sealed: JSON, and spaces behind it. */
export function paddedText(values: unknown): string {
  const json = JSON.stringify(values)
  const bytes = byteLength(json)
  const left = (PADDING_BYTES - (bytes % PADDING_BYTES)) % PADDING_BYTES
  return json + ' '.repeat(left)
}

/** Read what was opened. @returns undefined where it is no list: values of events are one */
export function parseOpened(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? (value as unknown[]) : undefined
  } catch {
    return undefined
  }
}

function byteLength(text: string): number {
  // Nearly all of it is ASCII, which needs no encoder.
  return /^[\0-\x7f]*$/.test(text) ? text.length : new TextEncoder().encode(text).length
}
