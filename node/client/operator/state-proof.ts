import { isSubject, type Subject } from '../../identity/names.ts'
import type { Signers } from '../../identity/signers.ts'
import type { StateProof } from '../../operators/proofs.ts'
import { isHash, parseChange, type Checkpoint } from '../../whitelist/change.ts'
import { openEntry, readEntry } from '../../whitelist/open.ts'
import { rootOfPath, type StateLeaf } from '../../whitelist/state-root.ts'
import { readPage } from './log-entry.ts'

/** More leaves than this no list has: the path up to the root is not longer. */
const MAX_PATH = 48

/** Hashes of one kind that a leaf has at most. */
const MAX_HASHES = 100_000

/** What a checkpoint is proven to state of a subject. */
export interface ProvenState {
  readonly checkpoint: Checkpoint
  readonly leaf: StateLeaf
}

/** A proof as a node sent it, or as it stands in a file. @returns it, or why it is none */
export function parseStateProof(value: unknown, from: string): StateProof | string {
  if (typeof value !== 'object' || value === null) return 'it is no proof'
  const { checkpoint, leaf, index, path } = value as Record<string, unknown>
  const read = parseLeaf(leaf)
  if (read === undefined) return 'it has no leaf'
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0)
    return 'it does not say which leaf it is'
  if (!Array.isArray(path) || path.length > MAX_PATH || !path.every(isHash)) return 'it has no path'
  return { checkpoint: readPage(checkpoint, from), leaf: read, index, path }
}

function parseLeaf(value: unknown): StateLeaf | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { subject, revocations, grants, withdrawals, ...rest } = value as Record<string, unknown>
  if (!isSubject(subject) || Object.keys(rest).length > 0) return undefined
  if (!isHashes(revocations) || !isHashes(grants)) return undefined
  if (withdrawals === undefined) return { subject, revocations, grants }
  return isHashes(withdrawals) ? { subject, revocations, grants, withdrawals } : undefined
}

function isHashes(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_HASHES && value.every(isHash)
}

/**
 * Check a proof against authorities of this machine: that both signatures of the checkpoint hold, and
 * that its root is over the leaf. Whether the checkpoint is true its operator has signed.
 * @returns what is proven of the subject, or why nothing is
 */
export async function checkStateProof(
  { checkpoint: page, leaf, index, path }: StateProof,
  subject: Subject,
  signers: Signers,
): Promise<ProvenState | string> {
  const [sent] = page.entries
  if (sent === undefined || page.entries.length > 1) return 'it has no checkpoint'
  for (const chain of Object.values(page.certificates)) {
    const signer = signers.learn(chain)
    if (typeof signer === 'string') return signer
  }
  const unchecked = readEntry(sent)
  if (typeof unchecked === 'string') return unchecked
  const opened = await openEntry(unchecked, signers)
  if (typeof opened === 'string') return opened
  const parsed = parseChange(sent.text)
  if (!parsed.ok || parsed.change.kind !== 'checkpoint') return 'it has no checkpoint'
  if (leaf.subject !== subject) return `it is about ${leaf.subject}`
  const { change } = parsed
  if (rootOfPath(leaf, { index, path }, change.subjects) !== change.state) {
    return 'the checkpoint does not state what it says'
  }
  return { checkpoint: change, leaf }
}
