import type { KeyObject } from 'node:crypto'
import { signatureHolds, type SignatureContext } from './signature.ts'

/** Checks signatures, here or elsewhere. */
export interface Verifier extends AsyncDisposable {
  /** Whether a signature under a text is by a key. Never throws, and always answers. */
  verify(
    key: KeyObject,
    context: SignatureContext,
    text: string,
    signature: string,
  ): Promise<boolean>
}

/** Checks each signature in the thread that asks, which does nothing else meanwhile. */
export const localVerifier: Verifier = {
  verify: async (...signed) => signatureHolds(...signed),
  [Symbol.asyncDispose]: async () => {},
}
