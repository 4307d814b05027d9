import { createHash, createPublicKey, verify } from 'node:crypto'
import { isStray, type Entry, type Stray } from '../../../node/whitelist/entry.ts'
import type { Person } from '../../support/replica-people.ts'
import { isObject } from '../models/lines.ts'
import type { ModelUpdate } from '../models/link.ts'
import { VICTIM } from './names.ts'

/**
 * Whether what a replica holds is true, checked once more from PROTOCOL.md, with nothing but the
 * keys: it asks neither the code that took it in nor what that was told.
 */

/** Whose keys count, by subject: `node/alpha`, `operator/olga`. */
export type Keys = ReadonlyMap<string, Person>

/** What a log must not hold. @param log all of it, oldest first */
export function problemOfLog(log: readonly (Entry | Stray)[], keys: Keys): string | undefined {
  const heads = new Map<string, { sequence: number; hash: string }>()
  /** The ids of the changes before, each behind its subject. */
  const ids = new Set<string>()
  const hashes = new Set<string>()
  for (const one of log) {
    const entry = isStray(one) ? one.entry : one
    const problem = problemOfEntry(entry, keys)
    if (problem !== undefined) return `${problem}: ${entry.text}`
    const { source, sequence, previous, subject, seen, upTo } = fieldsOf(entry.text)
    const last = Object.values(upTo ?? {})
    if (
      seen.some(id => !ids.has(`${subject} ${id}`)) ||
      last.some(([, hash]) => !hashes.has(hash))
    ) {
      return `it has seen what is not there: ${entry.text}`
    }
    ids.add(`${subject} ${idIn(entry)}`)
    hashes.add(entry.hash)
    if (isStray(one)) continue
    if (source === VICTIM) return `a change in the name of its holder: ${entry.text}`
    const head = heads.get(source) ?? { sequence: 0, hash: '' }
    if (sequence !== head.sequence + 1) return `a hole before ${entry.text}`
    if (previous !== head.hash) return `not linked to the one before: ${entry.text}`
    heads.set(source, { sequence, hash: entry.hash })
  }
  return undefined
}

function idIn({ text, hash }: Entry): string {
  const { kind, subject, operator, wish, seen } = fieldsOf(text)
  if (kind === 'grant') return hash
  const said = `revocation\n${JSON.stringify({ subject, operator, wish, seen })}`
  return createHash('sha256').update(said).digest('base64url')
}

/** A stray needs another entry of its source that it cannot stand beside. */
export function problemOfStrays(log: readonly (Entry | Stray)[]): string | undefined {
  const strays = log.filter(isStray)
  const unproven = strays.find(
    ({ entry }) =>
      !strays.some(
        other =>
          other.against !== undefined &&
          other.entry.change.source === entry.change.source &&
          other.entry.hash !== other.against.hash,
      ),
  )
  return unproven === undefined ? undefined : `a stray without proof: ${unproven.entry.text}`
}

interface Fields {
  readonly source: string
  readonly sequence: number
  readonly operator: string
  readonly kind: string
  readonly subject: string
  readonly previous: string
  readonly wish: string
  readonly seen: readonly string[]
  readonly upTo?: Readonly<Record<string, readonly [sequence: number, hash: string]>>
}

function fieldsOf(text: string): Fields {
  return JSON.parse(text) as Fields
}

const ORDER =
  'fridge kind subject source sequence previous operator at wish reason seen upTo sensors commands keys expiresAt'.split(
    ' ',
  )

const HASH = /^[\w-]{43}$/

function problemOfEntry(entry: Entry, keys: Keys): string | undefined {
  const { text, signatures } = entry
  const fields = fieldsOf(text)
  const { source, sequence, previous, operator, wish, seen, upTo, kind, subject } = fields
  if (JSON.stringify(fields) !== text) return 'it is not canonical'
  const order = Object.keys(fields).map(key => ORDER.indexOf(key))
  if (order.some((at, index) => at <= (order[index - 1] ?? -1))) return 'its keys are out of order'
  if (entry.change.source !== source || entry.change.sequence !== sequence) {
    return 'it does not stand where it says'
  }
  if ((sequence === 1) !== (previous === '')) return 'it links to nothing'
  if (typeof wish !== 'string' || !/^[\w-]{22}$/.test(wish)) return 'it is nobody\u2019s wish'
  if (seen.some((id, index) => !HASH.test(id) || (seen[index - 1] ?? '') >= id)) {
    return 'it has seen what is no change'
  }
  const last = Object.values(upTo ?? {})
  if (last.some(([at, hash]) => !Number.isSafeInteger(at) || at < 1 || !HASH.test(hash))) {
    return 'it counts up to no place'
  }
  if (kind === 'grant' && !subject.startsWith('client/')) return 'it grants something to no client'
  const { operatorCertificate, nodeCertificate } = signatures
  const hash = createHash('sha256')
    .update(`entry\n${operatorCertificate}\n${nodeCertificate}\n${text}`)
    .digest('base64url')
  if (entry.hash !== hash) return 'it has another hash'
  const node = source.slice(0, source.indexOf('#'))
  const isOperators = isSigned(
    keys.get(`operator/${operator}`),
    'change',
    text,
    signatures.operatorSignature,
  )
  const isNodes = isSigned(keys.get(`node/${node}`), 'entry', hash, signatures.nodeSignature)
  return isOperators && isNodes ? undefined : 'it is not signed'
}

/** What nobody may have been told of a member. */
export function problemOfMember(
  [value, sequence, place]: ModelUpdate,
  keys: Keys,
): string | undefined {
  if (!isObject(value)) return 'a member that is no object'
  const text = String(value['member'])
  const node = keys.get(`node/${place.slice(0, place.indexOf('#'))}`)
  if (!isSigned(node, 'member', `${place} ${sequence}\n${text}`, String(value['signature']))) {
    return `a member that its node has not signed there: ${place} ${text}`
  }
  return undefined
}

/** What nobody may have been asked. */
export function problemOfQuestion(ask: unknown, keys: Keys): string | undefined {
  const [text = '', , signature = ''] = ask as readonly string[]
  const { by } = JSON.parse(text) as { readonly by: string }
  const node = keys.get(`node/${by.slice(0, by.indexOf('#'))}`)
  return isSigned(node, 'question', text, signature) ? undefined : `a question of another: ${text}`
}

/** Most inputs carry the same signatures; a few thousand answers are worth keeping. */
const MAX_ANSWERS = 4_096
const answers = new Map<string, boolean>()

function isSigned(
  person: Person | undefined,
  context: string,
  text: string,
  signature: string,
): boolean {
  if (person === undefined) return false
  const question = `${person.signer.identity.subject} ${context} ${signature} ${text}`
  const known = answers.get(question)
  if (known !== undefined) return known
  const bytes = Buffer.from(`fridge/1 ${context}\n${text}`)
  const key = createPublicKey(person.key)
  const holds = verify(null, bytes, key, Buffer.from(signature, 'base64url'))
  if (answers.size >= MAX_ANSWERS) answers.clear()
  answers.set(question, holds)
  return holds
}
