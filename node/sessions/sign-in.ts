import { createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto'
import { keyIdOf } from '../identity/identity.ts'
import { isKeyId, isName, type KeyId, type Name, type Source } from '../identity/names.ts'

/** What a browser signs, so that it holds for one page, on one connection to one node, once. */
export interface SignInText {
  readonly node: Name
  /** This run of the node. */
  readonly run: Source
  /** Where the page has dialed the node: a stolen node cannot hand it on to another one. */
  readonly at: string
  /** Where the page comes from. */
  readonly origin: string
  /** Whom the browser says it is. */
  readonly name: Name
  readonly key: KeyId
  /** What the node has drawn for this. */
  readonly nonce: string
}

/** What a page sends to sign in. */
export interface SignIn {
  readonly name: Name
  readonly at: string
  readonly key: KeyObject
  readonly keyId: KeyId
  readonly signature: Buffer
}

/** What a browser has signed, as a node shows it to another one that is to believe it. */
export interface SignInProof {
  readonly name: Name
  readonly at: string
  /** In base64url, as `signature`. */
  readonly key: string
  readonly signature: string
  readonly nonce: string
}

/** What stands before everything that is signed here: no signature of another kind begins like it. */
const LABEL = 'fridge page sign-in 1\n'

/** A SubjectPublicKeyInfo of P-256 in DER, and a signature of its curve as WebCrypto makes it. */
const KEY_BYTES = 91
const SIGNATURE_BYTES = 64
const NONCE_BYTES = 16

/** Of `https://HOST:PORT`, in characters. */
const MAX_AT = 300

/** 128 bits that nobody can foresee, in base64url. */
export function drawNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64url')
}

/** The bytes that are signed. */
export function signInText({ node, run, at, origin, name, key, nonce }: SignInText): string {
  return `${LABEL}${JSON.stringify({ node, run, at, origin, name, key, nonce })}`
}

/** Read what a page sends to sign in. @returns undefined when it is malformed */
export function parseSignIn(value: unknown): SignIn | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { name, at, key, signature, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0 || !isName(name)) return undefined
  if (typeof at !== 'string' || at.length > MAX_AT || !URL.canParse(at)) return undefined
  const der = bytesOf(key, KEY_BYTES)
  const signed = bytesOf(signature, SIGNATURE_BYTES)
  if (der === undefined || signed === undefined) return undefined
  const parsed = parseKey(der)
  return parsed && { name, at, key: parsed, keyId: keyIdOf(parsed), signature: signed }
}

/** What proves to another node that a browser has signed in here. */
export function proofOf({ name, at, key, signature }: SignIn, nonce: string): SignInProof {
  return {
    name,
    at,
    key: key.export({ type: 'spki', format: 'der' }).toString('base64url'),
    signature: signature.toString('base64url'),
    nonce,
  }
}

/** Read what a node shows of a browser that has signed in there. @returns undefined when it is malformed */
export function parseProof(value: unknown): (SignIn & Pick<SignInProof, 'nonce'>) | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { nonce, ...rest } = value as Record<string, unknown>
  const signIn = parseSignIn(rest)
  return signIn && bytesOf(nonce, NONCE_BYTES) && { ...signIn, nonce: String(nonce) }
}

/** Whether a browser has signed this with its key. */
export function isSignedBy({ key, signature }: SignIn, text: SignInText): boolean {
  return verify(
    'sha256',
    Buffer.from(signInText(text)),
    { key, dsaEncoding: 'ieee-p1363' },
    signature,
  )
}

/** What a page sends that has an invitation. */
export interface Invited {
  /** Which one: it says nothing of its secret. */
  readonly id: string
  readonly key: KeyId
  readonly proof: string
}

/** An id of 128 bits and a proof of 256, in base64url. */
const INVITATION_ID = /^[A-Za-z0-9_-]{22}$/
const PROOF = /^[A-Za-z0-9_-]{43}$/

/** Read what a page sends that has an invitation. @returns undefined when it is malformed */
export function parseInvited(value: unknown): Invited | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { id, key, proof, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0 || !isKeyId(key)) return undefined
  if (typeof id !== 'string' || !INVITATION_ID.test(id)) return undefined
  if (typeof proof !== 'string' || !PROOF.test(proof)) return undefined
  return { id, key, proof }
}

function parseKey(der: Buffer): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}

function bytesOf(value: unknown, length: number): Buffer | undefined {
  if (typeof value !== 'string' || value.length > 2 * length) return undefined
  const bytes = Buffer.from(value, 'base64url')
  return bytes.length === length && bytes.toString('base64url') === value ? bytes : undefined
}
