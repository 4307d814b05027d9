import type { KeyObject } from 'node:crypto'
import { isSource, nodeOf, type Source } from '../identity/names.ts'
import { isSignature, signText } from '../identity/signature.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import { isSequence } from '../whitelist/change.ts'

/** What a run of a node asks all others: how many changes they hold, and clients (PROTOCOL.md, "Questions"). */
export interface Question {
  /** The run that asks. */
  readonly by: Source
  /** One more for each question of a run: the newest is answered, once. */
  readonly number: number
  /** The source of which it asks how far they have come with it. */
  readonly about?: Source
}

/** A question as it travels: its JSON, the fingerprint of its node's certificate, the signature. */
export type SignedQuestion = readonly [text: string, certificate: string, signature: string]

/** What a node holds when it is asked. */
export interface Held {
  readonly changes: number
  /** Client connections that it serves. */
  readonly clients: number
  /** How far it has come with the source that it was asked about. */
  readonly applied?: number
}

/** What a node says when it is asked. */
export interface Answer extends Held {
  readonly number: number
  readonly about?: Source
}

const MAX_TEXT = 512

export function signQuestion(
  question: Question,
  { signer, key }: { readonly signer: Signer; readonly key: KeyObject },
): SignedQuestion {
  const text = JSON.stringify(question)
  return [text, signer.identity.fingerprint, signText(key, 'question', text)]
}

/** @returns the question, not yet known to be its node's word, or why it is malformed */
export function parseQuestion(value: unknown): Question | string {
  if (!Array.isArray(value) || value.length !== 3) return 'a question has missing fields'
  const [text, certificate, signature] = value as unknown[]
  if (typeof text !== 'string' || text.length > MAX_TEXT) return 'a question is no text'
  if (typeof certificate !== 'string' || !isSignature(signature)) return 'a question is not signed'
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return 'a question is not JSON'
  }
  if (typeof parsed !== 'object' || parsed === null) return 'a question is no object'
  const { by, number, about } = parsed as Record<string, unknown>
  if (!isSource(by) || !isSequence(number)) return 'a question is of nobody'
  if (about !== undefined && !isSource(about)) return 'a question is about nothing'
  return { by, number, ...(about !== undefined && { about }) }
}

/** Whether a question is its node's word; undefined where its certificate is not known here. */
export async function verifyQuestion(
  { by }: Question,
  [text, certificate, signature]: SignedQuestion,
  signers: Signers,
): Promise<boolean | undefined> {
  const signer = signers.get(certificate)
  if (signer === undefined) return undefined
  const { role, name } = signer.identity
  if (role !== 'node' || name !== nodeOf(by)) return false
  return signers.verify(signer, 'question', text, signature)
}

/** @returns the answer, or undefined when the value is none */
export function parseAnswer(value: unknown): Answer | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { number, about, changes, clients, applied } = value as Record<string, unknown>
  if (!isSequence(number) || !isCount(changes) || !isCount(clients)) return undefined
  if (about !== undefined && !isSource(about)) return undefined
  if (applied !== undefined && !isCount(applied)) return undefined
  return {
    number,
    changes,
    clients,
    ...(about !== undefined && { about }),
    ...(applied !== undefined && { applied }),
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
