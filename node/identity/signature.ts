import { sign, verify, type KeyObject } from 'node:crypto'

/** What a signature is over, so that no signature can be taken for one of another kind. */
export type SignatureContext =
  | 'change'
  | 'entry'
  | 'member'
  | 'confirmation'
  | 'question'
  | 'forgetting'
  | 'hour'
  | 'succession'

/** The two signatures under a change, each with the fingerprint of its signer's certificate. */
export interface EntrySignatures {
  readonly operatorCertificate: string
  /** The operator's, over the text of the change. */
  readonly operatorSignature: string
  readonly nodeCertificate: string
  /** The accepting node's, over the hash of the entry. */
  readonly nodeSignature: string
}

/** The signatures out of a form that has them among other fields: what is sent, or a row. */
export function signaturesOf(flat: EntrySignatures): EntrySignatures {
  const { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = flat
  return { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature }
}

/** Longest signature, base64url: RSA with 8192 bits. */
const MAX_SIGNATURE = 1_366
const BASE64URL = /^[A-Za-z0-9_-]+$/

/** Whether a value has the form of a signature. */
export function isSignature(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_SIGNATURE && BASE64URL.test(value)
}

/**
 * Sign a text (PROTOCOL.md, "Signatures"): ECDSA with SHA-256 in DER (RFC 3279,
 * section 2.2.3), RSA PKCS #1 v1.5 with SHA-256, or Ed25519 (RFC 8032), by the type of the key.
 */
export function signText(key: KeyObject, context: SignatureContext, text: string): string {
  return sign(digestOf(key), bytesOf(context, text), key).toString('base64url')
}

/** Check a signature here and now: 50 µs on P-256, twenty times that on P-384. Never throws. */
export function signatureHolds(
  key: KeyObject,
  context: SignatureContext,
  text: string,
  signature: string,
): boolean {
  try {
    const bytes = Buffer.from(signature, 'base64url')
    return verify(digestOf(key), bytesOf(context, text), key, bytes)
  } catch {
    return false
  }
}

function digestOf(key: KeyObject): string | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
}

function bytesOf(context: SignatureContext, text: string): Buffer {
  return Buffer.from(`fridge/1 ${context}\n${text}`, 'utf8')
}
