import { generateKeyPair, type KeyObject, type webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import { FridgeError } from '../lib/errors.ts'

/** What kind of key to make. ECDSA is on P-256, RSA of 2048 bits. */
export type KeyType = 'ecdsa' | 'rsa' | 'ed25519'

export const KEY_TYPES: readonly KeyType[] = ['ecdsa', 'rsa', 'ed25519']

const generate = promisify(generateKeyPair)

export async function generateKeys(
  type: KeyType,
): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  switch (type) {
    case 'rsa':
      return generate('rsa', { modulusLength: 2048 })
    case 'ed25519':
      return generate('ed25519')
    default:
      return generate('ec', { namedCurve: 'P-256' })
  }
}

/** Make keys of the kind and size of another. */
export async function generateKeysLike(
  key: KeyObject,
): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return generate('rsa', { modulusLength: modulusLength ?? 2048 })
    case 'ed25519':
      return generate('ed25519')
    default:
      return generate('ec', { namedCurve: namedCurve ?? 'P-256' })
  }
}

/** How a key signs certificates, in the words of Web Cryptography. */
export interface SigningKey {
  readonly key: webcrypto.CryptoKey
  readonly algorithm: { readonly name: string; readonly hash?: string }
}

/** @throws FridgeError `ERR_CERTIFICATE` when it is of a kind that cannot sign certificates here */
export function signingKeyOf(key: KeyObject): SigningKey {
  const { name, hash, namedCurve } = signatureOf(key)
  const algorithm = hash === undefined ? { name } : { name, hash }
  const parameters = namedCurve === undefined ? algorithm : { ...algorithm, namedCurve }
  return { key: key.toCryptoKey(parameters, false, ['sign']), algorithm }
}

function signatureOf(key: KeyObject): { name: string; hash?: string; namedCurve?: string } {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return ecdsaOn(key.asymmetricKeyDetails?.namedCurve)
    case 'rsa':
      return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    case 'ed25519':
      return { name: 'Ed25519' }
    default:
      throw new FridgeError(
        'ERR_CERTIFICATE',
        `a key of type ${key.asymmetricKeyType ?? 'unknown'} cannot sign certificates`,
      )
  }
}

/** ECDSA with the hash that fits the curve (RFC 5656, section 6.2.1). */
function ecdsaOn(curve: string | undefined): { name: string; hash: string; namedCurve: string } {
  switch (curve) {
    case 'prime256v1':
      return { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' }
    case 'secp384r1':
      return { name: 'ECDSA', hash: 'SHA-384', namedCurve: 'P-384' }
    case 'secp521r1':
      return { name: 'ECDSA', hash: 'SHA-512', namedCurve: 'P-521' }
    default:
      throw new FridgeError('ERR_CERTIFICATE', `the curve ${curve ?? '(unnamed)'} is not accepted`)
  }
}
