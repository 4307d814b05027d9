/** A value of DER (X.690): its whole, and what is in it. */
interface Value {
  readonly tag: number
  readonly whole: Uint8Array<ArrayBuffer>
  readonly inner: Uint8Array<ArrayBuffer>
}

const SEQUENCE = 0x30
const VERSION = 0xa0

/** The kinds of keys that sign changes, by the object identifiers with which their key begins. */
const ALGORITHMS: readonly (readonly [string, ImportParams, VerifyParams])[] = [
  ['06032b6570', { name: 'Ed25519' }, { name: 'Ed25519' }],
  [
    '06072a8648ce3d020106082a8648ce3d030107',
    { name: 'ECDSA', namedCurve: 'P-256' },
    { name: 'ECDSA', hash: 'SHA-256' },
  ],
  [
    '06072a8648ce3d020106052b81040022',
    { name: 'ECDSA', namedCurve: 'P-384' },
    { name: 'ECDSA', hash: 'SHA-256' },
  ],
  [
    '06092a864886f70d010101',
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    { name: 'RSASSA-PKCS1-v1_5' },
  ],
]

type ImportParams = AlgorithmIdentifier | EcKeyImportParams | RsaHashedImportParams
type VerifyParams = AlgorithmIdentifier | EcdsaParams

/** A key that has signed, with how its signatures are checked. */
export interface SignersKey {
  readonly key: CryptoKey
  readonly params: VerifyParams
  /** Bytes of each half of a signature of an elliptic curve; 0 for other keys. */
  readonly halfBytes: number
}

/**
 * The key in a certificate. Who has signed the certificate is not looked at: this browser knows no
 * authority of the cluster.
 * @throws Error when it cannot be read, or is of a kind that the browser does not know
 */
export async function keyIn(certificate: Uint8Array<ArrayBuffer>): Promise<SignersKey> {
  const spki = spkiIn(certificate)
  const [algorithm] = valuesIn(spki.inner)
  const kind = hexOf(algorithm?.inner ?? new Uint8Array())
  const found = ALGORITHMS.find(([prefix]) => kind.startsWith(prefix))
  if (found === undefined) throw new Error('its key is of an unknown kind')
  const [, how, params] = found
  const key = await crypto.subtle.importKey('spki', spki.whole, how, false, ['verify'])
  const curve = typeof how === 'object' && 'namedCurve' in how ? how.namedCurve : undefined
  return { key, params, halfBytes: curve === undefined ? 0 : curve === 'P-256' ? 32 : 48 }
}

/** Check a signature as nodes write them: that of an elliptic curve is in DER (RFC 3279, 2.2.3). */
export async function isSignedBy(
  { key, params, halfBytes }: SignersKey,
  text: string,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const raw = halfBytes === 0 ? signature : halvesOf(signature, halfBytes)
  return crypto.subtle.verify(params, key, raw, new TextEncoder().encode(text))
}

/** The SubjectPublicKeyInfo of a certificate (RFC 5280, 4.1): behind the subject. */
function spkiIn(certificate: Uint8Array<ArrayBuffer>): Value {
  const [whole] = valuesIn(certificate)
  const [signed] = valuesIn(whole?.inner ?? new Uint8Array())
  const fields = valuesIn(signed?.inner ?? new Uint8Array())
  const spki = fields[fields[0]?.tag === VERSION ? 6 : 5]
  if (spki?.tag !== SEQUENCE) throw new Error('a certificate cannot be read')
  return spki
}

/** Two integers in DER as two halves of one length. */
function halvesOf(signature: Uint8Array<ArrayBuffer>, halfBytes: number): Uint8Array<ArrayBuffer> {
  const halves = valuesIn(valuesIn(signature)[0]?.inner ?? new Uint8Array())
  const raw = new Uint8Array(2 * halfBytes)
  for (const [index, { inner }] of halves.slice(0, 2).entries()) {
    const bytes = inner.subarray(Math.max(0, inner.length - halfBytes))
    raw.set(bytes, (index + 1) * halfBytes - bytes.length)
  }
  return raw
}

function valuesIn(bytes: Uint8Array<ArrayBuffer>): Value[] {
  const values: Value[] = []
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0
    let length = bytes[at + 1] ?? 0
    let begin = at + 2
    if (length > 0x80) {
      const more = length - 0x80
      length = bytes.subarray(begin, begin + more).reduce((sum, byte) => sum * 256 + byte, 0)
      begin += more
    }
    const end = begin + length
    if (end > bytes.length) throw new Error('a certificate cannot be read')
    values.push({ tag, whole: bytes.slice(at, end), inner: bytes.slice(begin, end) })
    at = end
  }
  return values
}

/** Bytes in hexadecimal. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}
