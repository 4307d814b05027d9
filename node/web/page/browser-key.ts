import { toBase64url } from './base64.ts'
import { hexOf } from './certificate.ts'

/** The key of this browser: made here, kept here, and handed to nobody. */
export interface BrowserKey {
  readonly pair: CryptoKeyPair
  /** SubjectPublicKeyInfo. */
  readonly spki: ArrayBuffer
  /** The SHA-256 of that, in hexadecimal. */
  readonly id: string
}

/** What stands before everything that is signed here (PROTOCOL.md, "Pages"). */
const LABEL = 'fridge page sign-in 1\n'

const DATABASE = 'fridge'
const STORE = 'keys'
const OWN = 'own'

/**
 * The key that this browser keeps for this page. No script can read it, this one included; whoever
 * clears the data of the site makes a new one.
 */
export async function loadBrowserKey(): Promise<BrowserKey> {
  const kept: CryptoKeyPair | undefined = await inStore('readonly', store => store.get(OWN))
  const pair = kept ?? (await makeKey())
  const spki = await crypto.subtle.exportKey('spki', pair.publicKey)
  const id = hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', spki)))
  return { pair, spki, id }
}

/** Sign what a node wants to see signed. @returns what the node is sent */
export async function signIn(
  { pair, spki, id }: BrowserKey,
  said: {
    readonly node: string
    readonly run: string
    readonly name: string
    readonly nonce: string
  },
): Promise<Record<'name' | 'at' | 'key' | 'signature', string>> {
  const { node, run, name, nonce } = said
  const { origin } = location
  const signed = JSON.stringify({ node, run, at: origin, origin, name, key: id, nonce })
  const signature = await crypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    pair.privateKey,
    new TextEncoder().encode(LABEL + signed),
  )
  return { name, at: origin, key: toBase64url(spki), signature: toBase64url(signature) }
}

async function makeKey(): Promise<CryptoKeyPair> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const pair = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])
  await inStore('readwrite', store => store.put(pair, OWN))
  return pair
}

async function inStore<T>(
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1)
  opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore(STORE))
  const database = await resultOf(opening)
  return resultOf(ask(database.transaction(STORE, mode).objectStore(STORE)))
}

async function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
}
