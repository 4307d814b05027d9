import type { KeyObject } from 'node:crypto'
import { signText } from '../identity/signature.ts'
import type { Signer } from '../identity/signers.ts'

/** The certificate under a signature, with its intermediates, DER in base64. */
export interface CertificateChain {
  readonly fingerprint: string
  readonly chain: readonly string[]
}

/** What a node signs with now. */
export interface SigningNode {
  readonly signer: Signer
  readonly key: KeyObject
}

/** Sign the digest of an hour. */
export function signHour(
  { signer, key }: SigningNode,
  digest: string,
): { readonly certificate: CertificateChain; readonly signature: string } {
  const { identity, chain } = signer
  return {
    certificate: { fingerprint: identity.fingerprint, chain },
    signature: signText(key, 'hour', digest),
  }
}
