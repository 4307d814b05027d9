import { isRun, nodeOf, sourceOf, subjectOf, type Name } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import { isStray, type Entry } from '../whitelist/entry.ts'
import { openEntry } from '../whitelist/open.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import type { ReadableWhitelist } from '../whitelist/readable-whitelist.ts'
import { asUpdate, carriedBy, problemOfValue } from './update.ts'

/** What a removed node is shown: the entry that removed it, and who signed it (PROTOCOL.md, "Removed nodes"). */
export interface RemovalProof {
  /** As an update of the list carries it. */
  readonly entry: unknown
  /** The certificate of the operator, then its intermediates, DER in base64. */
  readonly operator: readonly string[]
  /** Those of the node that accepted the removal. */
  readonly node: readonly string[]
}

/** The removal of a node, as its proof tells it. */
export interface Removal {
  readonly operator: Name
  /** When it was signed, in milliseconds since 1970, by the clock of the accepting node. */
  readonly at: number
  readonly reason?: string
}

/** The entry that removed a node, out of the log; undefined where it was not removed. */
export function findRemoval(
  removed: Name,
  whitelist: Pick<ReadableWhitelist, 'hasRemoved' | 'clock'>,
  store: Pick<ChangeStore, 'ofSubject' | 'ofSource' | 'after'>,
): Entry | undefined {
  if (!whitelist.hasRemoved(removed)) return undefined
  for (const { change, hash, isStray: isFiled } of store.ofSubject(subjectOf('node', removed))) {
    const [placed] = isFiled ? [] : store.ofSource(change.source, change.sequence)
    if (placed?.hash === hash && removalIn(placed, removed) !== undefined) return placed
    const before = whitelist.clock()
    // A stray is told to whoever lacks it, however far its source was heard.
    if (!isFiled) before.set(change.source, change.sequence - 1)
    for (const source of before.keys()) {
      if (!isRun(source) && nodeOf(source) === nodeOf(change.source)) before.delete(source)
    }
    for (const one of store.after(before)) {
      const entry = isStray(one) ? one.entry : one
      if (removalIn(entry, removed) !== undefined) return entry
    }
  }
  return undefined
}

/** @returns the proof; undefined where this node does not know its signers */
export function makeRemovalProof(entry: Entry, signers: Signers): RemovalProof | undefined {
  const operator = signers.get(entry.signatures.operatorCertificate)
  const node = signers.get(entry.signatures.nodeCertificate)
  if (operator === undefined || node === undefined) return undefined
  const [value] = asUpdate(entry)
  return { entry: value, operator: operator.chain, node: node.chain }
}

/**
 * Check what a peer shows to a node as the proof that the node was removed.
 * @returns the removal, or why it is none
 */
export async function openRemovalProof(
  value: unknown,
  removed: Name,
  signers: Signers,
): Promise<Removal | string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'a proof is not an object'
  }
  const { entry, operator, node, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a proof has unknown fields'
  const problem = problemOfValue(entry)
  if (problem !== undefined) return problem
  // Where the entry stands does not matter here: that it is signed does.
  const carried = carriedBy([entry, 1, sourceOf(removed, '')])
  if (isStray(carried)) return 'a proof carries a stray'
  for (const chain of [operator, node]) {
    const signer = signers.learn(chain)
    if (typeof signer === 'string') return signer
  }
  const opened = await openEntry(carried, signers)
  if (typeof opened === 'string') return opened
  return removalIn(opened, removed) ?? `a proof does not remove node/${removed}`
}

/** What an entry says of the removal of a node; undefined if it does not remove it. */
export function removalIn({ change }: Entry, removed: Name): Removal | undefined {
  if (change.kind !== 'revocation' || change.subject !== subjectOf('node', removed))
    return undefined
  const { operator, at, reason } = change
  return { operator, at, ...(reason !== undefined && { reason }) }
}
