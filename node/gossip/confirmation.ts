import type { KeyObject } from 'node:crypto'
import { isSource, nodeOf, type Source } from '../identity/names.ts'
import { isSequence } from '../whitelist/change.ts'
import { isSignature, signText } from '../identity/signature.ts'
import { parseAnswer, type Answer } from './question.ts'
import type { Signer, Signers } from '../identity/signers.ts'

/** One change that a node has applied. */
export interface AppliedChange {
  readonly sequence: number
  /** Milliseconds from the change's arrival there until it was durable and its connections cut. */
  readonly tookMs: number
  /** How many live connections it ended. */
  readonly cut: number
}

/**
 * What a run of a node tells the accepting node, whose changes it has applied (PROTOCOL.md,
 * "Confirmations").
 */
export interface Confirmation {
  /** The run of the node that has applied the changes. */
  readonly node: Source
  /** The run of the node that has accepted the changes, and waits. */
  readonly to: Source
  /** All changes of `to` up to this sequence are durable and in effect; 0 in an answer. */
  readonly applied: number
  /** The latest of them one by one, oldest first. */
  readonly changes: readonly AppliedChange[]
  /** What the node says because `to` has asked; absent where it says so by itself. */
  readonly answer?: Answer
}

/** A confirmation as it travels: its JSON, the fingerprint of its node's certificate, the signature. */
export type SignedConfirmation = readonly [text: string, certificate: string, signature: string]

/** Changes that one confirmation tells of one by one. */
export const MAX_APPLIED_CHANGES = 32

const MAX_TEXT = 4_096

export function signConfirmation(
  confirmation: Confirmation,
  { signer, key }: { readonly signer: Signer; readonly key: KeyObject },
): SignedConfirmation {
  const text = JSON.stringify(confirmation)
  return [text, signer.identity.fingerprint, signText(key, 'confirmation', text)]
}

/** @returns the confirmation, not yet known to be its node's word, or why it is malformed */
export function parseConfirmation(value: unknown): Confirmation | string {
  if (!Array.isArray(value) || value.length !== 3) return 'a confirmation has missing fields'
  const [text, certificate, signature] = value as unknown[]
  if (typeof text !== 'string' || text.length > MAX_TEXT) return 'a confirmation is no text'
  if (typeof certificate !== 'string' || !isSignature(signature)) {
    return 'a confirmation is not signed'
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return 'a confirmation is not JSON'
  }
  if (typeof parsed !== 'object' || parsed === null) return 'a confirmation is no object'
  const { node, to, applied, changes, answer } = parsed as Record<string, unknown>
  if (!isSource(node) || !isSource(to)) return 'a confirmation names no places'
  if (answer !== undefined) {
    const read = parseAnswer(answer)
    return read === undefined
      ? 'an answer is malformed'
      : { node, to, applied: 0, changes: [], answer: read }
  }
  if (!isSequence(applied)) return 'a confirmation names no places'
  if (!Array.isArray(changes) || changes.length > MAX_APPLIED_CHANGES) {
    return 'a confirmation has no changes'
  }
  if (!changes.every(isAppliedChange)) return 'a confirmation has a malformed change'
  return { node, to, applied, changes }
}

/**
 * Whether a confirmation is its node's word; undefined where this node does not know the
 * certificate that it is signed with.
 */
export async function verifyConfirmation(
  { node }: Confirmation,
  [text, certificate, signature]: SignedConfirmation,
  signers: Signers,
): Promise<boolean | undefined> {
  const signer = signers.get(certificate)
  if (signer === undefined) return undefined
  const { role, name } = signer.identity
  if (role !== 'node' || name !== nodeOf(node)) return false
  return signers.verify(signer, 'confirmation', text, signature)
}

/** Whether somebody waits for it already, who asked how far all have come with a source. */
export function isSought({ answer }: Confirmation): boolean {
  return answer?.about !== undefined
}

/** What a newer confirmation takes the place of an older one by. */
export function keyOf({ to, node, answer }: Confirmation): string {
  return answer === undefined ? `${to} ${node}` : `${to} ${node} ?`
}

/** Which of two with one key is newer: the greater one. */
export function rankOf({ applied, answer }: Confirmation): number {
  return answer?.number ?? applied
}

function isAppliedChange(value: unknown): value is AppliedChange {
  if (typeof value !== 'object' || value === null) return false
  const { sequence, tookMs, cut } = value as Record<string, unknown>
  return (
    isSequence(sequence) &&
    typeof tookMs === 'number' &&
    Number.isFinite(tookMs) &&
    tookMs >= 0 &&
    Number.isSafeInteger(cut) &&
    (cut as number) >= 0
  )
}
