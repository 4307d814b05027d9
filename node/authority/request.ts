import { createPublicKey, type KeyObject } from 'node:crypto'
import { FridgeError } from '../lib/errors.ts'
import { assertKeyAllowed, spiffeUri } from '../identity/identity.ts'
import { isName, isRole, type Name, type Role } from '../identity/names.ts'
import {
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '../identity/x509.ts'
import { pkcs8 } from '../identity/private-key.ts'
import { DEFAULT_TRUST_DOMAIN, hostNames } from './issue.ts'
import { generateKeys, signingKeyOf, type KeyType } from './key-type.ts'

/** Who asks for a certificate, as which role, and for which hosts. */
export interface Requested {
  readonly role: Role
  readonly name: Name
  /** Of a node. */
  readonly hosts: readonly string[]
}

/** What somebody asks for who has shown that the key is its own. */
export interface CheckedRequest extends Requested {
  readonly publicKey: KeyObject
}

/** The longest request that is read, in characters. */
export const MAX_REQUEST_SIZE = 16_384

const CLAIM = /^spiffe:\/\/[^/]*\/([^/]*)\/([^/]*)$/

/**
 * Make a key and a request for a certificate (PKCS #10, RFC 2986). The key need not leave the
 * machine on which it is made.
 * @param passphrase locks the key on disk
 * @throws FridgeError `ERR_USAGE` for hosts that are none
 */
export async function createRequest(
  asked: Requested,
  keyType: KeyType = 'ecdsa',
  passphrase?: string,
): Promise<{ readonly key: string; readonly request: string }> {
  const { privateKey, publicKey } = await generateKeys(keyType)
  return {
    key: pkcs8(privateKey, passphrase),
    request: await requestFor(asked, { privateKey, publicKey }),
  }
}

/** A request for a key that is there already. */
export async function requestFor(
  { role, name, hosts }: Requested,
  { privateKey, publicKey }: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
): Promise<string> {
  const { key, algorithm } = signingKeyOf(privateKey)
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    keys: { privateKey: key, publicKey: publicKey.toCryptoKey(key.algorithm, true, ['verify']) },
    signingAlgorithm: algorithm,
    extensions: [
      new SubjectAlternativeNameExtension([
        // Whoever signs it puts its own trust domain here.
        { type: 'url', value: spiffeUri(DEFAULT_TRUST_DOMAIN, role, name) },
        ...hostNames(role, name, hosts),
      ]),
    ],
  })
  return `${request.toString('pem').trim()}\n`
}

/**
 * Read a request, and check that whoever made it has the key.
 * @param file what to call it in an error
 * @throws FridgeError `ERR_CERTIFICATE`
 */
export async function readRequest(pem: string, file: string): Promise<CheckedRequest> {
  const fail = (why: string, cause?: unknown): FridgeError =>
    new FridgeError('ERR_CERTIFICATE', `${file} is no request for a certificate: ${why}`, {
      cause,
      fix: 'make one where it is to be used: fridge certs request client|node|operator NAME',
    })
  if (pem.length > MAX_REQUEST_SIZE) throw fail('it is too large')
  let request: Pkcs10CertificateRequest
  let publicKey: KeyObject
  let isOwn: boolean
  try {
    request = new Pkcs10CertificateRequest(pem)
    const spki = Buffer.from(request.publicKey.rawData)
    publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    isOwn = await request.verify()
  } catch (cause) {
    throw fail('it holds no request that can be read', cause)
  }
  if (!isOwn) throw fail('it is not signed with its own key')
  assertKeyAllowed(publicKey)
  const [name, ...more] = request.subjectName.getField('CN')
  const names = request.extensions.flatMap(extension =>
    extension instanceof SubjectAlternativeNameExtension ? extension.names.items : [],
  )
  const [uri, ...others] = names.filter(({ type }) => type === 'url').map(({ value }) => value)
  if (!isName(name) || more.length > 0) throw fail('its CN is not the name of somebody')
  const [, role, claimed] = uri === undefined ? ['', 'client', name] : (CLAIM.exec(uri) ?? [])
  if (!isRole(role) || claimed !== name || others.length > 0) {
    throw fail('it does not say for one role and name what it is for')
  }
  const hosts = names.filter(({ type }) => type === 'dns' || type === 'ip')
  return { role, name, hosts: hosts.map(({ value }) => value), publicKey }
}
