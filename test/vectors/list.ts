import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { parseName, parseSubject, type Source } from '../../node/identity/names.ts'
import type { Change } from '../../node/whitelist/change.ts'
import type { Entry } from '../../node/whitelist/entry.ts'
import { Signers, type CertificateStore, type Signer } from '../../node/identity/signers.ts'
import { chain, NOON, testSource } from '../support/replica-changes.ts'

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const TRUST_DOMAIN = 'fridge.example'

/** A signer as PROTOCOL.md prints it. */
interface PrintedSigner {
  /** The seed of an Ed25519 key (RFC 8032), in hexadecimal. */
  readonly key: string
  /** DER in base64. */
  readonly certificate: string
  readonly fingerprint: string
}

/** The vector `signatures`. */
export interface PrintedSignatures {
  readonly authority: string
  readonly operator: PrintedSigner
  readonly node: PrintedSigner
  readonly entries: readonly { hash: string; signatures: [operator: string, node: string] }[]
  readonly stray: string
}

export interface VectorSigner {
  readonly signer: Signer
  readonly key: KeyObject
}

export function signersOf({ authority }: PrintedSignatures, store: CertificateStore): Signers {
  const authorities = [new X509Certificate(Buffer.from(authority, 'base64'))]
  return new Signers({ store, authorities: () => authorities, trustDomain: TRUST_DOMAIN })
}

/** A signer, with the private key that is printed beside its certificate. */
export function signerOf(printed: PrintedSigner, signers: Signers): VectorSigner {
  const signer = signers.learn([printed.certificate])
  if (typeof signer === 'string') throw new Error(signer)
  const der = Buffer.concat([PKCS8_ED25519, Buffer.from(printed.key, 'hex')])
  return { signer, key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) }
}

/** The words of the vector `merging` as changes of the source `name`, linked. */
export function entriesOf(name: string, words: readonly string[]): Entry[] {
  return chain(words.map((text, index) => changeOf(name, index + 1, text.split(' '))))
}

/** `A2`: the second place of the source A. */
export function placeName({ source, sequence }: { source: Source; sequence: number }): string {
  return `${source.slice(0, 1)}${sequence}`
}

function changeOf(name: string, sequence: number, words: string[]): Change {
  const kind = words.shift()
  const operator = parseName(words[0] === 'by' ? (words.splice(0, 2)[1] ?? '') : 'admin')
  const subject = parseSubject(words[0]?.includes('/') === true ? (words.shift() ?? '') : 'amber')
  const places = new Map(
    words.map(place => [testSource(place.slice(0, 1)), Number(place.slice(1))] as const),
  )
  const base = { subject, source: testSource(name), sequence, operator, at: NOON }
  if (kind === 'grant') return { kind, ...base, seen: places, terms: {} }
  return { kind: 'revocation', ...base, ...(places.size > 0 && { upTo: places }) }
}

/** Every order of two lists that keeps the order of each. */
export function interleavings<Item>(one: readonly Item[], other: readonly Item[]): Item[][] {
  const [first, ...rest] = one
  const [second, ...others] = other
  if (first === undefined) return [[...other]]
  if (second === undefined) return [[...one]]
  return [
    ...interleavings(rest, other).map(order => [first, ...order]),
    ...interleavings(one, others).map(order => [second, ...order]),
  ]
}
