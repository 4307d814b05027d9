import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { parseName, parseSubject, roleOf, type Source } from '../../node/identity/names.ts'
import { idOf, type Change, type Head } from '../../node/whitelist/change.ts'
import type { Entry } from '../../node/whitelist/entry.ts'
import type { EntryCertificates } from '../../node/whitelist/vouchers.ts'
import { Signers, type CertificateStore, type Signer } from '../../node/identity/signers.ts'
import { chain, NOON, testSource, wishOf } from '../support/replica-changes.ts'

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
  readonly entries: readonly {
    hash: string
    id: string
    signatures: [operator: string, node: string]
  }[]
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

/** Under what certificates the entries of the page come. */
export function certificatesOf({ operator, node }: PrintedSignatures): EntryCertificates {
  return { operatorCertificate: operator.fingerprint, nodeCertificate: node.fingerprint }
}

/** Two sources of the vector `merging`, each with the words of its changes. */
export type Words = Readonly<Record<'A' | 'B', readonly string[]>>

/** The words of the vector `merging` as changes of their sources, linked, with what they have seen. */
export class WordedChanges {
  readonly #words: Words
  readonly #entries = new Map<string, Entry>()

  constructor(words: Words) {
    this.#words = words
  }

  /** The entries of one source, in their order. */
  of(source: 'A' | 'B'): Entry[] {
    return this.#words[source].map((_, index) => this.#at(`${source}${index + 1}`))
  }

  /** The names of places under their ids: of a wish that was signed twice that of the first. */
  names(): Map<string, string> {
    const all = (['B', 'A'] as const).flatMap(source => this.of(source).toReversed())
    return new Map(all.map(entry => [idOf(entry), placeName(entry.change)]))
  }

  /** The entry at a place such as `A2`: made once all that it names is made. */
  #at(place: string): Entry {
    const known = this.#entries.get(place)
    if (known !== undefined) return known
    const source = place.startsWith('A') ? 'A' : 'B'
    const sequence = Number(place.slice(1))
    const words = this.#words[source][sequence - 1]?.split(' ') ?? []
    const previous = sequence === 1 ? '' : this.#at(`${source}${sequence - 1}`).hash
    const [entry] = chain([this.#change(testSource(source), sequence, words)], previous)
    if (entry === undefined) throw new Error('there is one change')
    this.#entries.set(place, entry)
    return entry
  }

  #change(source: Source, sequence: number, words: readonly string[]): Change {
    const [kind, ...rest] = words
    const after = (word: string): string | undefined => {
      const at = rest.indexOf(word)
      return at === -1 ? undefined : rest.splice(at, 2)[1]
    }
    const operator = parseName(after('by') ?? 'admin')
    const wish = wishOf(after('as') ?? `${source} ${sequence}`)
    const until = rest.indexOf('upTo')
    const upTo = until === -1 ? [] : rest.splice(until).slice(1)
    const subject = parseSubject(rest[0]?.includes('/') === true ? (rest.shift() ?? '') : 'amber')
    const seen = rest.map(place => idOf(this.#at(place))).sort()
    const previous = ''
    const base = { subject, source, sequence, previous, operator, at: NOON, wish, seen }
    if (kind === 'grant') return { kind, ...base, terms: {} }
    if (roleOf(subject) === 'client') return { kind: 'revocation', ...base }
    const last = upTo.map(place => this.#at(place))
    const heads = last.map(({ change, hash }): [Source, Head] => [
      change.source,
      { sequence: change.sequence, hash },
    ])
    return { kind: 'revocation', ...base, upTo: new Map(heads) }
  }
}

/** `A2`: the second place of the source A. */
export function placeName({ source, sequence }: { source: Source; sequence: number }): string {
  return `${source.slice(0, 1)}${sequence}`
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
