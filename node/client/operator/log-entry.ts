import { signingAuthorities, type Credentials } from '../../identity/credentials.ts'
import type { ShownChange, ChangePage } from '../../operators/changes.ts'
import {
  parseChange,
  type Change,
  type Checkpoint,
  type Place,
  type UpTo,
} from '../../whitelist/change.ts'
import type { Source } from '../../identity/names.ts'
import { entryHash, strayPlace } from '../../whitelist/entry.ts'
import { EFFECTS } from '../../whitelist/effect.ts'
import { Signers } from '../../identity/signers.ts'
import { unreadable } from './answers.ts'
import { openEntry, readEntry } from '../../whitelist/open.ts'

/** A change of the log as this machine has checked it. */
export interface CheckedEntry {
  /** What the node sent. */
  readonly sent: ShownChange
  /** The change that was sent, if it can be read at all. */
  readonly change: Change | undefined
  /** Where it is filed. */
  readonly place: Place | undefined
  /** Links the next entry of its source to it. */
  readonly hash: string
  /** Why it is not verified; undefined where both signatures hold. */
  readonly problem: string | undefined
}

/**
 * Checks what a node shows of the log against this machine's own authorities, because the node
 * might be stolen. What it leaves out, and what it says that a change does now, it alone knows.
 */
export class LogChecker {
  readonly #signers: Signers
  /** Why a certificate was not taken, by the fingerprint that the node gave it. */
  readonly #refused = new Map<string, string>()

  constructor(credentials: Pick<Credentials, 'ca' | 'former' | 'files' | 'identity'>) {
    const authorities = signingAuthorities(credentials)
    this.#signers = new Signers({
      store: { certificates: () => [], keepCertificate: () => {} },
      authorities: () => authorities,
      trustDomain: credentials.identity.trustDomain,
    })
  }

  /** @returns the entries of a page in its order, each checked */
  async check({ entries, certificates }: ChangePage): Promise<CheckedEntry[]> {
    for (const [fingerprint, chain] of Object.entries(certificates)) {
      if (this.#signers.get(fingerprint) !== undefined) continue
      const signer = this.#signers.learn(chain)
      if (typeof signer === 'string') this.#refused.set(fingerprint, signer)
    }
    return Promise.all(entries.map(async entry => this.#checkEntry(entry)))
  }

  async #checkEntry(sent: ShownChange): Promise<CheckedEntry> {
    const { text, isStray } = sent
    const hash = entryHash(text, sent)
    const parsed = parseChange(text)
    if (!parsed.ok) {
      return { sent, change: undefined, place: undefined, hash, problem: parsed.why }
    }
    const { change } = parsed
    const place = isStray ? strayPlace({ change, hash }) : change
    return { sent, change, place, hash, problem: await this.#problemOf(sent) }
  }

  async #problemOf(sent: ShownChange): Promise<string | undefined> {
    const unchecked = readEntry(sent)
    if (typeof unchecked === 'string') return unchecked
    const { operatorCertificate, nodeCertificate } = unchecked.signatures
    const refused = this.#refused.get(operatorCertificate) ?? this.#refused.get(nodeCertificate)
    if (refused !== undefined) return refused
    const opened = await openEntry(unchecked, this.#signers)
    return typeof opened === 'string' ? opened : undefined
  }
}

/** Changes on one page: a node sends 200. */
const MAX_ENTRIES = 1_000

/** A page as a node sent it. @throws FridgeError `ERR_PROTOCOL` */
export function readPage(value: unknown, node: string): ChangePage {
  if (
    typeof value === 'object' &&
    value !== null &&
    'entries' in value &&
    'certificates' in value
  ) {
    const { entries, certificates } = value
    if (
      Array.isArray(entries) &&
      entries.every(isShownChange) &&
      entries.length <= MAX_ENTRIES &&
      typeof certificates === 'object' &&
      certificates !== null &&
      // An operator's certificate and a node's, each once.
      Object.keys(certificates).length <= 2 * MAX_ENTRIES
    ) {
      return { entries, certificates: certificates as ChangePage['certificates'] }
    }
  }
  throw unreadable(node, 'log', 'it is no page of changes')
}

const TEXTS = [
  'text',
  'operatorCertificate',
  'operatorSignature',
  'nodeCertificate',
  'nodeSignature',
] as const

function isShownChange(value: unknown): value is ShownChange {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Record<string, unknown>
  return (
    TEXTS.every(key => typeof fields[key] === 'string') &&
    typeof fields['isStray'] === 'boolean' &&
    EFFECTS.has(fields['effect'])
  )
}

/**
 * The checkpoint at which a log begins, newest first, of which older changes are not there: the
 * newest that a node says to be in effect, with both signatures checked here.
 */
export function beginningIn(
  entries: readonly CheckedEntry[],
): (CheckedEntry & { readonly change: Checkpoint }) | undefined {
  return entries.find(
    (entry): entry is CheckedEntry & { readonly change: Checkpoint } =>
      entry.change?.kind === 'checkpoint' &&
      entry.problem === undefined &&
      entry.sent.effect === 'in effect',
  )
}

/**
 * What is missing in a whole log, newest first: the entries of each source must go down to 1 and
 * link to each other.
 * @param begins leave out what is at or below these heads
 * @returns a sentence for each hole
 */
export function holesIn(entries: readonly CheckedEntry[], begins: UpTo = new Map()): string[] {
  const holes: string[] = []
  const lowest = new Map<Source, CheckedEntry & { readonly place: Place }>()
  const missing = (source: Source, first: number, to: number): void => {
    const from = Math.max(first, (begins.get(source)?.sequence ?? 0) + 1)
    if (from === to) holes.push(`change ${from} of ${source} was left out`)
    else if (from < to) holes.push(`changes ${from} to ${to} of ${source} were left out`)
  }
  for (const entry of entries) {
    const { place, hash } = entry
    if (place === undefined || entry.sent.isStray) continue
    const { source, sequence } = place
    const above = lowest.get(source)
    if (above !== undefined) {
      missing(source, sequence + 1, above.place.sequence - 1)
      if (sequence === above.place.sequence - 1 && above.change?.previous !== hash) {
        holes.push(`change ${above.place.sequence} of ${source} does not link to the one before`)
      }
    }
    lowest.set(source, { ...entry, place })
  }
  for (const [source, { place }] of lowest) missing(source, 1, place.sequence - 1)
  return holes
}
