import { createHash } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { PACKING_DICTIONARY } from '../../../node/gossip/packing-dictionary.ts'
import { bytesOfZ85, readDense } from './dense-text.ts'
import { isObject, valueOf } from './lines.ts'
import { modelMux } from './mux.ts'
import { isTreeFrame } from './tree.ts'

/**
 * PROTOCOL.md, "Nodes" and "Gossip": what a link must be ended for by its form alone. Whether what
 * is said is also true is not for this model but for what is left in the documents.
 */

/** An update of good form. */
export type ModelUpdate = readonly [value: unknown, sequence: number, source: string]

export interface LinkModel {
  readonly refused: boolean
  /** What was sent of good form, up to the first frame that must be refused. */
  readonly updates: { readonly whitelist: ModelUpdate[]; readonly members: ModelUpdate[] }
  /** Whether it has told its heads: they may show a fork, whose root the two ends then look for. */
  readonly hasCompared: boolean
}

export interface LinkRules {
  /** The id of the stream `control`. */
  readonly control: string
  /** The node that the certificate names. */
  readonly peer: string
  /** Where the victim's own entry in *members* stands. */
  readonly victim: string
  /** Sources of which the victim holds entries from the start. */
  readonly held: ReadonlySet<string>
  /** Certificates that an authority has signed, DER. */
  readonly trusted: readonly Buffer[]
}

type DocumentName = keyof LinkModel['updates']

interface DocumentState {
  readonly name: DocumentName
  readonly shown: Set<string>
  /** Sources of which something may be held: what is known already is not looked at. */
  readonly heard: Set<string>
  /** Sources whose heads were told. */
  readonly compared: Set<string>
  hasBuckets: boolean
  isDigested: boolean
  isSynced: boolean
}

const SOURCE = /^(?!\.{1,2}#)[\w.-]{1,64}#([0-9a-f]{16}|[0-9a-f]{32})$/
/** Where the parts stand of what a run says of itself, its profile in the place of the run. */
const PART = /^(?!\.{1,2}#)[\w.-]{1,64}#[0-9a-f]{16}(?:\.(state|vitals))?$/

/** How many buckets an end may say. */
const COUNTS = new Set([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024])

export function modelLink(bytes: Buffer, rules: LinkRules): LinkModel {
  const updates: LinkModel['updates'] = { whitelist: [], members: [] }
  const mux = modelMux(bytes, {
    maxLineBytes: 2 ** 21,
    own: [rules.control],
    isOffered: isDocument,
  })
  const documents = new Map<string, DocumentState>()
  const rest = new Map<string, string>()
  const link = { hasHeld: false }
  const hasCompared = (): boolean =>
    [...documents.values()].some(({ compared }) => compared.size > 0)
  let source: string | undefined
  const takeLine = (id: string, text: string): boolean => {
    const value = valueOf(text, 32)
    if (value === undefined) return false
    const document = documents.get(id)
    if (document !== undefined) {
      const frames = unpacked(value.value)
      const context = { ...rules, source, updates, link }
      return frames?.every(frame => takeFrame(frame, document, context)) === true
    }
    if (!Array.isArray(value.value)) return false
    const [event, ...values] = value.value as unknown[]
    if (event === 'beat') return values.length === 0
    if (event === 'bye') return isBye(values)
    if (event !== 'hello' || source !== undefined || values.length !== 1) return false
    const [hello] = values
    if (!isObject(hello) || hello['protocol'] !== 1 || !isSource(hello['source'])) return false
    if (hello['whole'] !== undefined && typeof hello['whole'] !== 'boolean') return false
    source = hello['source']
    return source.startsWith(`${rules.peer}#`)
  }
  const refused = () => ({ refused: true, updates, hasCompared: hasCompared() })
  for (const [what, id, text = ''] of mux.events) {
    if (what === 'open') {
      const isOpen = [...documents.values()].some(({ name }) => name === text)
      if (source === undefined || isOpen) return refused()
      documents.set(id, openDocument(text as DocumentName, rules))
    } else if (what === 'close') {
      if (documents.has(id)) return refused()
    } else {
      const lines = ((rest.get(id) ?? '') + text).split('\n')
      rest.set(id, lines.pop() ?? '')
      for (const line of lines) {
        if (!/^\s{0,16}$/.test(line) && !takeLine(id, line)) return refused()
      }
    }
  }
  return { refused: mux.refused, updates, hasCompared: hasCompared() }
}

/** @returns the frames that one holds, itself where it is not packed, or undefined when it is refused */
function unpacked(frame: unknown): readonly unknown[] | undefined {
  if (!isObject(frame) || !('packed' in frame)) return [frame]
  const { packed, ...others } = frame
  if (typeof packed !== 'string' || Object.keys(others).length > 0) return undefined
  const whole = bytesOfZ85(packed)
  if (whole === undefined) return undefined
  try {
    const end = 3 + whole.readUIntBE(0, 3)
    const dense = inflateRawSync(whole.subarray(3, end), {
      dictionary: PACKING_DICTIONARY,
      maxOutputLength: 2 ** 24,
    })
    const bytes = readDense(dense, whole.subarray(end), packed.length / 128)
    if (bytes === undefined || bytes.length > Math.min(2 ** 18, 16 * packed.length))
      return undefined
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const frames = valueOf(text, 32)?.value
    const isWhole = Array.isArray(frames) && frames.every(isPackable)
    return isWhole ? (frames as unknown[]) : undefined
  } catch {
    return undefined
  }
}

function isPackable(frame: unknown): boolean {
  return typeof frame === 'object' && !(isObject(frame) && 'packed' in frame)
}

function isDocument(name: string): name is DocumentName {
  return name === 'whitelist' || name === 'members'
}

function openDocument(name: DocumentName, { victim }: LinkRules): DocumentState {
  const sets = { shown: new Set<string>(), heard: new Set([victim]), compared: new Set<string>() }
  return { name, ...sets, hasBuckets: false, isDigested: false, isSynced: false }
}

interface Context extends LinkRules {
  readonly source: string | undefined
  readonly updates: LinkModel['updates']
  /** What was said on any of its streams. */
  readonly link: { hasHeld: boolean }
}

/** @returns whether a frame may be taken, by its form */
function takeFrame(frame: unknown, document: DocumentState, context: Context): boolean {
  if (frame === 'SYNC') {
    if (!document.isDigested || document.isSynced) return false
    document.isSynced = true
    return true
  }
  if (Array.isArray(frame)) return takeUpdate(frame, document, context)
  if (!isObject(frame)) return false
  if (document.name === 'whitelist' && 'confirmed' in frame) return isConfirmed(frame)
  if (document.name === 'whitelist' && 'ask' in frame) return isQuestion(frame)
  if (document.name === 'whitelist' && 'tallied' in frame) return isTallied(frame)
  if (document.name === 'whitelist' && 'heads' in frame) {
    return takeHeads(frame, document, context)
  }
  const { isDigested } = document
  const isGood = isTreeFrame(frame, document.name, { isDigested, ...context.link })
  if ('holds' in frame) context.link.hasHeld = true
  if (isGood !== undefined) return isGood
  if ('certificate' in frame) return takeCertificate(frame, document, context)
  if ('buckets' in frame) return takeBuckets(frame, document)
  const { id, clock, ...others } = frame
  if (document.isDigested || Object.keys(others).length > 0 || !isObject(clock)) return false
  const isClock = Object.entries(clock).every(([one, at]) => isPlace(one) && isSequence(at))
  document.isDigested = true
  return isClock && id === context.source
}

/** The victim holds too little to say buckets itself, so that no digest may compare with these. */
function takeBuckets(
  { buckets, ...others }: Record<string, unknown>,
  document: DocumentState,
): boolean {
  if (document.name !== 'members' || document.isDigested || document.hasBuckets) return false
  document.hasBuckets = true
  const isText = typeof buckets === 'string' && /^[\w-]+$/.test(buckets) && !buckets.endsWith('\n')
  const count = isText ? buckets.length / 16 : 0
  return Object.keys(others).length === 0 && COUNTS.has(count)
}

function takeUpdate(frame: unknown[], document: DocumentState, { updates }: Context): boolean {
  const [value, sequence, source, ...others] = frame
  if (frame.length > 4 || !isSequence(sequence) || !isPlace(source)) return false
  if (!document.isDigested) return false
  const { name, heard } = document
  const isGood =
    others.length === 0 && (name === 'whitelist' ? isListValue(value) : isMember(value, source))
  if (!isGood && !(name === 'members' && heard.has(source))) return false
  heard.add(source)
  if (isGood) updates[name].push([value, sequence, source])
  return true
}

function takeCertificate(
  frame: Record<string, unknown>,
  { shown }: DocumentState,
  { trusted }: Context,
): boolean {
  const chain = frame['certificate']
  if (Object.keys(frame).length > 1 || !Array.isArray(chain) || chain.length > 4) return false
  const [leaf] = chain as unknown[]
  if (chain.some(one => typeof one !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(one)))
    return false
  const bytes = Buffer.from(String(leaf), 'base64')
  const known = trusted.find(der => der.equals(bytes.subarray(0, der.length)))
  if (known === undefined) return false
  const fingerprint = createHash('sha256').update(known).digest('hex')
  if (shown.has(fingerprint)) return false
  shown.add(fingerprint)
  return true
}

function isSource(value: unknown): value is string {
  return typeof value === 'string' && SOURCE.test(value)
}

/** Whether something of either document may stand there. */
function isPlace(value: unknown): value is string {
  return isSource(value) || (typeof value === 'string' && PART.test(value))
}

function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Heads come in pages. A source may come twice where the victim holds nothing: it keeps no note. */
function takeHeads(
  { heads, ...others }: Record<string, unknown>,
  { compared }: DocumentState,
  { held }: Context,
): boolean {
  if (Object.keys(others).length > 0 || !isObject(heads)) return false
  const entries = Object.entries(heads)
  const isGood = entries.every(([source, head]) => isSource(source) && isHead(head))
  if (!isGood || entries.length === 0) return false
  const isAgain = entries.some(([source]) => held.has(source) && compared.has(source))
  for (const [source] of entries) compared.add(source)
  return !isAgain
}

function isHead(head: unknown): boolean {
  if (!Array.isArray(head) || head.length !== 2) return false
  const [sequence, hash] = head as unknown[]
  return isSequence(sequence) && typeof hash === 'string' && hash.length <= 64
}

function isListValue(value: unknown): boolean {
  if (!isObject(value)) return false
  if (!('stray' in value)) return isEntry(value)
  const { stray, against, ...others } = value
  return Object.keys(others).length === 0 && [stray, against ?? stray].every(one => isEntry(one))
}

const FIELDS: Readonly<Record<string, RegExp>> = {
  change: /^/,
  operatorCertificate: /^[0-9a-f]{64}$/,
  operatorSignature: /^[\w-]{1,1366}$/,
  nodeCertificate: /^[0-9a-f]{64}$/,
  nodeSignature: /^[\w-]{1,1366}$/,
}

function isEntry(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length !== Object.keys(FIELDS).length) return false
  return Object.entries(FIELDS).every(([field, form]) => {
    const text = Object.hasOwn(value, field) ? value[field] : undefined
    return typeof text === 'string' && form.test(text) && !text.endsWith('\n')
  })
}

function isMember(value: unknown, place: string): boolean {
  const found = PART.exec(place)
  const part = found === null ? 'none' : (found[1] ?? 'profile')
  if (!isObject(value) || Object.keys(value).length !== 3) return false
  const { member: text, certificate, signature } = value
  if (typeof text !== 'string' || typeof certificate !== 'string') return false
  if (typeof signature !== 'string' || !/^[\w-]{1,1366}$/.test(signature)) return false
  let member: unknown
  try {
    member = JSON.parse(text)
  } catch {
    return false
  }
  if (!isObject(member)) return false
  switch (part) {
    case 'profile':
      return isProfile(member)
    case 'state':
      return isState(member)
    default:
      return part === 'vitals' && Buffer.byteLength(text) <= 1_024
  }
}

function isProfile(profile: Record<string, unknown>): boolean {
  const { addresses, version, startedAt, tallyKey } = profile
  const isKey = typeof tallyKey === 'string' && /^[\w-]{43}$/.test(tallyKey)
  if (tallyKey !== undefined && !isKey) return false
  if (typeof version !== 'string' || version.length > 64) return false
  return isCount(startedAt) && isListOf(addresses, 8, one => typeof one === 'string')
}

function isState({ saidAt, links }: Record<string, unknown>): boolean {
  return isCount(saidAt) && isListOf(links, 1_024, isSource)
}

function isCount(value: unknown): boolean {
  return isSequence(value) || value === 0
}

function isListOf(value: unknown, max: number, is: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= max && value.every(is)
}

function isConfirmed({ confirmed, ...others }: Record<string, unknown>): boolean {
  return Object.keys(others).length === 0 && isListOf(confirmed, 128, isConfirmation)
}

function isConfirmation(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [text, certificate, signature] = value as unknown[]
  if (typeof text !== 'string' || text.length > 4_096 || typeof certificate !== 'string') {
    return false
  }
  if (typeof signature !== 'string' || !/^[\w-]{1,1366}$/.test(signature)) return false
  const confirmation = objectIn(text)
  if (confirmation === undefined) return false
  const { node, to, applied, changes, answer } = confirmation
  if (!isSource(node) || !isSource(to)) return false
  if (answer !== undefined) return isAnswer(answer)
  return isSequence(applied) && isListOf(changes, 32, isAppliedChange)
}

function isQuestion({ ask, ...others }: Record<string, unknown>): boolean {
  if (Object.keys(others).length > 0 || !Array.isArray(ask) || ask.length !== 3) return false
  const [text, certificate, signature] = ask as unknown[]
  if (typeof text !== 'string' || text.length > 512 || typeof certificate !== 'string') return false
  if (typeof signature !== 'string' || !/^[\w-]{1,1366}$/.test(signature)) return false
  const { by, number, about } = objectIn(text) ?? {}
  return isSource(by) && isSequence(number) && (about === undefined || isSource(about))
}

function isTallied({ tallied, ...others }: Record<string, unknown>): boolean {
  return Object.keys(others).length === 0 && isListOf(tallied, 128, isTally)
}

function isTally(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 4) return false
  const [to, applied, marks, tag] = value as unknown[]
  if (!isSource(to) || !isSequence(applied)) return false
  if (typeof marks !== 'string' || marks.length > 24_576 || !/^([\w-]{6})+$/.test(marks))
    return false
  if (typeof tag !== 'string' || !/^[\w-]{22}$/.test(tag)) return false
  const named = marks.match(/.{6}/g) ?? []
  return new Set(named).size === named.length
}

function isAnswer(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false
  const { number, about, changes, clients, applied } = answer as Record<string, unknown>
  if (!isSequence(number) || !isCount(changes) || !isCount(clients)) return false
  return (about === undefined || isSource(about)) && (applied === undefined || isCount(applied))
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isAppliedChange(value: unknown): boolean {
  if (!isObject(value)) return false
  const { sequence, tookMs, cut } = value
  const isTime = typeof tookMs === 'number' && Number.isFinite(tookMs) && tookMs >= 0
  return isTime && isSequence(sequence) && (isSequence(cut) || cut === 0)
}

/** A reason and a text; to a node that was removed, the proof of that as well. */
function isBye([reason, text, proof, ...rest]: readonly unknown[]): boolean {
  if (typeof reason !== 'string' || typeof text !== 'string' || rest.length > 0) return false
  if (proof === undefined) return true
  return reason === 'revoked' && isObject(proof)
}
