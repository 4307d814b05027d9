import { createPublicKey, randomBytes, type KeyObject, type X509Certificate } from 'node:crypto'
import { createAuthority, openAuthority } from '../../node/authority/authority.ts'
import { signCertificate } from '../../node/authority/issue.ts'
import { generateKeys, type KeyType } from '../../node/authority/key-type.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { parseName, type Role } from '../../node/identity/names.ts'
import { encodeChange, type Change, type ChangeRequest } from '../../node/whitelist/change.ts'
import { MemoryStore } from './memory-store.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import type { Replica } from '../../node/gossip/replica.ts'
import { signText } from '../../node/identity/signature.ts'
import {
  chainOf,
  Signers,
  type CertificateStore,
  type Signer,
} from '../../node/identity/signers.ts'
import { NOON, OPERATOR } from './replica-changes.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const TRUST_DOMAIN = 'test.fridge'

/** Somebody with a certificate and its private key. */
export interface Person {
  readonly signer: Signer
  readonly key: KeyObject
}

export interface PeopleOptions {
  readonly nodes: readonly string[]
  /** Default: `olga`, whom the changes of `replica-changes.ts` name. */
  readonly operators?: readonly string[]
  /** When everything was issued. Default: a year before noon. */
  readonly now?: number
  /** Default: ten years. */
  readonly days?: number
  readonly keyType?: KeyType
}

export interface IssueOptions {
  readonly now?: number
  readonly days?: number
  /** By an authority whose word counts for changes of before alone. Default false. */
  readonly byFormer?: boolean
  /** The key to certify. Default: a new one. */
  readonly key?: KeyObject
}

/** An authority and those whom it vouches for, and a former one, without a file. */
export interface People {
  /** Who vouches for all of them. */
  readonly trust: { readonly authorities: readonly X509Certificate[]; readonly trustDomain: string }
  node(name: string): Person
  operator(name?: string): Person
  /** What a node with this store knows of signers. */
  signers(store: CertificateStore): Signers
  issue(role: Role, name: string, options?: IssueOptions): Promise<Person>
}

export async function makePeople(options: PeopleOptions): Promise<People> {
  const { nodes, operators = [OPERATOR] } = options
  const { now = NOON - 365 * DAY_MS, days = 3_650, keyType = 'ecdsa' } = options
  const making = { trustDomain: TRUST_DOMAIN, now, days: 36_500, random: randomBytes, keyType }
  const [pair, formerPair] = [await createAuthority(making), await createAuthority(making)]
  const [authority, former] = [openAuthority(pair, 'ca'), openAuthority(formerPair, 'ca')]
  const trusted = parseCertificates(pair.certificate, 'ca')
  const authorities = [...trusted, ...parseCertificates(formerPair.certificate, 'former')]
  const signers = (store: CertificateStore): Signers =>
    new Signers({
      store,
      authorities: () => authorities,
      trusted: () => trusted,
      trustDomain: TRUST_DOMAIN,
    })
  const everyone = signers(new MemoryStore())
  const issue: People['issue'] = async (role, name, { byFormer = false, key, ...period } = {}) => {
    const issuer = { authority: byFormer ? former : authority, random: randomBytes }
    const named = { ...issuer, role, name: parseName(name), now, days, ...period }
    const privateKey = key ?? (await generateKeys(keyType)).privateKey
    const publicKey = createPublicKey(privateKey)
    const certificate = await signCertificate({ ...named, publicKey })
    const signer = everyone.learn(chainOf(parseCertificates(certificate, name)))
    if (typeof signer === 'string') throw new Error(signer)
    return { signer, key: privateKey }
  }
  const people = new Map<string, Person>()
  await Promise.all([
    ...nodes.map(async name => people.set(`node/${name}`, await issue('node', name))),
    ...operators.map(async name => people.set(`operator/${name}`, await issue('operator', name))),
  ])
  const find = (subject: string): Person => {
    const person = people.get(subject)
    if (person === undefined) throw new Error(`no certificate of ${subject} was made`)
    return person
  }
  return {
    trust: { authorities, trustDomain: TRUST_DOMAIN },
    node: name => find(`node/${name}`),
    operator: (name = OPERATOR) => find(`operator/${name}`),
    signers,
    issue,
  }
}

/** Sign a proposed change, as its operator's machine does, and commit it. */
export async function commitChange(
  replica: Replica,
  change: Change,
  { signer, key }: Person,
  signers: Signers,
): Promise<Commit> {
  // The node has learned the certificate when the operator connected.
  const known = signers.learn(signer.chain)
  if (typeof known === 'string') throw new FridgeError('ERR_DATABASE', known)
  const text = encodeChange(change)
  return replica.commit(text, known, signText(key, 'change', text))
}

/** Propose and commit at once. */
export async function commitRequest(
  replica: Replica,
  request: ChangeRequest,
  operator: Person,
  signers: Signers,
): Promise<Commit> {
  return commitChange(replica, replica.propose(request), operator, signers)
}
