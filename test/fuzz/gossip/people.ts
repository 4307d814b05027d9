import {
  createPrivateKey,
  createPublicKey,
  hash,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import type { Authority } from '../../../node/authority/authority.ts'
import { signCertificate } from '../../../node/authority/issue.ts'
import { signingKeyOf } from '../../../node/authority/key-type.ts'
import { DAY_MS, serialNumber, validity } from '../../../node/authority/validity.ts'
import { parseCertificates } from '../../../node/identity/certificate-chain.ts'
import { parseName, type Role } from '../../../node/identity/names.ts'
import { chainOf, Signers, type CertificateStore } from '../../../node/identity/signers.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '../../../node/identity/x509.ts'
import { NOON } from '../../support/replica-changes.ts'
import type { Person } from '../../support/replica-people.ts'

/**
 * Nodes, an operator and their authority, the same in every run to the last byte: Ed25519 draws
 * nothing, and their keys follow from their names. So an input that carries their signatures can
 * be kept in a file and run again.
 */

const TRUST_DOMAIN = 'fuzz.fridge'
const ISSUED = NOON - 365 * DAY_MS
const DAYS = 3_650

/** The sessions of the corpus have certificates with serial numbers of so many octets. */
const SERIAL_OCTETS = 20

/** The frame of an Ed25519 private key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_PREFIX = '302e020100300506032b657004220420'

export interface FuzzPeople {
  readonly victim: Person
  readonly honest: Person
  readonly hostile: Person
  readonly operator: Person
  /** The operator, with another certificate of its key. */
  readonly renewed: Person
  /** One of another authority. */
  readonly stranger: Person
  readonly signers: (store: CertificateStore) => Signers
}

export async function makeFuzzPeople(): Promise<FuzzPeople> {
  const authority = await authorityOf('ours')
  const signers = (store: CertificateStore): Signers =>
    new Signers({
      store,
      authorities: () => [authority.certificate],
      trustDomain: TRUST_DOMAIN,
    })
  const foreign = await authorityOf('theirs')
  const everyone = new Signers({
    store: new MemoryStore(),
    authorities: () => [authority.certificate, foreign.certificate],
    trustDomain: TRUST_DOMAIN,
  })
  const issue = async (
    role: Role,
    name: string,
    { by = authority, now = ISSUED } = {},
  ): Promise<Person> => {
    const key = keyOf(`${role}/${name}`)
    const certificate = await signCertificate({
      authority: by,
      role,
      name: parseName(name),
      publicKey: createPublicKey(key),
      hosts: role === 'node' ? [name] : [],
      days: DAYS,
      now,
      random: () => bytesOf(`${role}/${name}`, SERIAL_OCTETS),
    })
    const signer = everyone.learn(chainOf(parseCertificates(certificate, name)))
    if (typeof signer === 'string') throw new Error(signer)
    return { signer, key }
  }
  return {
    victim: await issue('node', 'alpha'),
    honest: await issue('node', 'beta'),
    hostile: await issue('node', 'mallory'),
    operator: await issue('operator', 'olga'),
    renewed: await issue('operator', 'olga', { now: ISSUED + DAY_MS }),
    stranger: await issue('operator', 'olga', { by: foreign }),
    signers,
  }
}

function bytesOf(name: string, size: number): Buffer {
  return Buffer.from(hash('sha256', name, 'hex'), 'hex').subarray(0, size)
}

function keyOf(name: string): KeyObject {
  const key = Buffer.concat([Buffer.from(PKCS8_PREFIX, 'hex'), bytesOf(name, 32)])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

async function authorityOf(name: string): Promise<Authority> {
  const privateKey = keyOf(`authority/${name}`)
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const signer = signingKeyOf(privateKey)
  const subject = [{ CN: [name] }]
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: subject,
    serialNumber: serialNumber(() => bytesOf(name, SERIAL_OCTETS)),
    ...validity({ now: ISSUED, durationMs: 2 * DAYS * DAY_MS }),
    publicKey: spki,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(spki),
      new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${TRUST_DOMAIN}` }]),
    ],
  })
  return {
    privateKey,
    certificate: new X509Certificate(Buffer.from(certificate.rawData)),
    intermediates: [],
    trustDomain: TRUST_DOMAIN,
  }
}

export function certificateOf({ signer }: Person): object {
  return { certificate: signer.chain }
}
