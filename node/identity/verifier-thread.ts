import type { KeyObject } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { signatureHolds, type SignatureContext } from './signature.ts'

/**
 * One check as it is sent to a thread: which of the keys it has been sent, what is signed, and
 * the key itself where it takes that place from now on.
 */
export type ThreadCheck = readonly [
  place: number,
  context: SignatureContext,
  text: string,
  signature: string,
  key?: KeyObject,
]

/** What a thread answers to a list of checks: 1 where the signature holds, else 0. */
export type ThreadAnswer = Uint8Array

// What a thread of `ThreadedVerifier` runs: a list of checks comes in, and its answer goes out.
const keys = new Map<number, KeyObject>()

function holds([place, context, text, signature, sent]: ThreadCheck): boolean {
  if (sent !== undefined) keys.set(place, sent)
  const key = keys.get(place)
  return key !== undefined && signatureHolds(key, context, text, signature)
}

parentPort?.on('message', (checks: readonly ThreadCheck[]) => {
  const answer: ThreadAnswer = Uint8Array.from(checks, check => Number(holds(check)))
  parentPort?.postMessage(answer)
})
