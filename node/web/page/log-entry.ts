import { fromBase64, toBase64url } from './base64.ts'
import { hexOf, isSignedBy, keyIn, type SignersKey } from './certificate.ts'

/** A change as the node shows it, with both signatures. */
export interface ShownChange {
  readonly text: string
  readonly operatorCertificate: string
  readonly operatorSignature: string
  readonly nodeCertificate: string
  readonly nodeSignature: string
  readonly effect: string
  /** Why it is not verified, where somebody has checked it who knows the authority; null for nothing. */
  readonly problem?: string | null
}

/** A page of the log. */
export interface LogPage {
  readonly entries: readonly ShownChange[]
  /** The certificates of who has signed, each with what leads to its authority, by fingerprint. */
  readonly certificates: Readonly<Record<string, readonly string[]>>
  readonly before: number | null
}

/** Checks the signatures of changes with the keys of the certificates that the node shows. */
export class EntryChecker {
  readonly #keys = new Map<string, Promise<SignersKey>>()

  /** @returns why a change is not verified; an empty text where both signatures hold */
  async problemOf(entry: ShownChange, { certificates }: LogPage): Promise<string> {
    if (entry.problem !== undefined) return entry.problem ?? ''
    const { text, operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = entry
    try {
      const [operator, node] = await Promise.all(
        [operatorCertificate, nodeCertificate].map(async fingerprint =>
          this.#keyOf(fingerprint, certificates[fingerprint]?.[0]),
        ),
      )
      if (operator === undefined || node === undefined) return 'a certificate was not sent'
      const hash = await hashOf(`entry\n${operatorCertificate}\n${nodeCertificate}\n${text}`)
      const [isOperators, isNodes] = await Promise.all([
        isSignedBy(operator, `fridge/1 change\n${text}`, fromBase64(operatorSignature)),
        isSignedBy(node, `fridge/1 entry\n${hash}`, fromBase64(nodeSignature)),
      ])
      if (!isOperators) return 'it is not signed by its operator'
      return isNodes ? '' : 'it is not signed by its node'
    } catch (error) {
      return (error as Error).message
    }
  }

  async #keyOf(fingerprint: string, base64: string | undefined): Promise<SignersKey | undefined> {
    if (base64 === undefined) return undefined
    const known = this.#keys.get(fingerprint) ?? readKey(fingerprint, fromBase64(base64))
    this.#keys.set(fingerprint, known)
    return known
  }
}

/** The key in a certificate, if it is the one with this fingerprint. */
async function readKey(
  fingerprint: string,
  certificate: Uint8Array<ArrayBuffer>,
): Promise<SignersKey> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', certificate))
  if (hexOf(digest) !== fingerprint) throw new Error('another certificate was sent')
  return keyIn(certificate)
}

async function hashOf(text: string): Promise<string> {
  return toBase64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}
