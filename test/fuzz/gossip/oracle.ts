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
  const forked = new Set(log.filter(isStray).map(({ entry }) => entry.change.source))
  for (const one of log) {
    const entry = isStray(one) ? one.entry : one
    const problem = problemOfEntry(entry, keys)
    if (problem !== undefined) return `${problem}: ${entry.text}`
    if (isStray(one)) continue
    const { source, sequence, seen, upTo } = fieldsOf(entry.text)
    if (source === VICTIM) return `a change in the name of its holder: ${entry.text}`
    const head = heads.get(source) ?? { sequence: 0, hash: '' }
    if (sequence !== head.sequence + 1) return `a hole before ${entry.text}`
    if (entry.previous !== head.hash) return `not linked to the one before: ${entry.text}`
    // A revocation names its own place, a grant only what was before it.
    if (upTo !== undefined) heads.set(source, { sequence, hash: entry.hash })
    for (const [of, at] of Object.entries(seen ?? upTo ?? {})) {
      const isHeld = (heads.get(of)?.sequence ?? 0) >= at || forked.has(of as typeof VICTIM)
      if (!isHeld) return `it has seen what is not there: ${entry.text}`
    }
    heads.set(source, { sequence, hash: entry.hash })
  }
  return undefined
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
  readonly seen?: Record<string, number>
  readonly upTo?: Record<string, number>
}

function fieldsOf(text: string): Fields {
  return JSON.parse(text) as Fields
}

const ORDER =
  'fridge kind subject source sequence operator at reason seen upTo sensors commands keys expiresAt'.split(
    ' ',
  )

function problemOfEntry(entry: Entry, keys: Keys): string | undefined {
  const { text, previous, signatures } = entry
  const fields = fieldsOf(text)
  const { source, sequence, operator, seen, upTo, kind, subject } = fields
  if (JSON.stringify(fields) !== text) return 'it is not canonical'
  const order = Object.keys(fields).map(key => ORDER.indexOf(key))
  if (order.some((at, index) => at <= (order[index - 1] ?? -1))) return 'its keys are out of order'
  if (entry.change.source !== source || entry.change.sequence !== sequence) {
    return 'it does not stand where it says'
  }
  const places = Object.entries(seen ?? upTo ?? {})
  if (places.some(([, at]) => !Number.isSafeInteger(at) || at < 1)) return 'it has seen no place'
  if (kind === 'grant' && !subject.startsWith('client/')) return 'it grants something to no client'
  const hash = createHash('sha256').update(`${previous}\n${text}`).digest('base64url')
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
  [value, sequence, source]: ModelUpdate,
  keys: Keys,
): string | undefined {
  if (!isObject(value)) return 'a member that is no object'
  const text = String(value['member'])
  const node = keys.get(`node/${source.slice(0, source.indexOf('#'))}`)
  if (!isSigned(node, 'member', `${sequence}\n${text}`, String(value['signature']))) {
    return `a member that its node has not signed: ${text}`
  }
  return fieldsOf(text).source === source ? undefined : `a member that speaks for another: ${text}`
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
