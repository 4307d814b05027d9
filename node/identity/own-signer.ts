import { createPrivateKey, type KeyObject } from 'node:crypto'
import { parseCertificates } from './certificate-chain.ts'
import type { Credentials } from './credentials.ts'
import { FridgeError } from '../lib/errors.ts'
import { chainOf, type Signer, type Signers } from './signers.ts'

/** What a node signs with now. */
export class OwnSigner {
  #signer: Signer
  #key: KeyObject

  /** @throws FridgeError `ERR_CERTIFICATE` when its own peers would not take the certificate */
  constructor(credentials: Credentials, signers: Signers) {
    this.#signer = learnOwn(credentials, signers)
    this.#key = createPrivateKey(credentials.key)
  }

  get signer(): Signer {
    return this.#signer
  }

  get key(): KeyObject {
    return this.#key
  }

  /** @throws FridgeError `ERR_CERTIFICATE` with what was before kept */
  replace(credentials: Credentials, signers: Signers): void {
    this.#signer = learnOwn(credentials, signers)
    this.#key = createPrivateKey(credentials.key)
  }
}

function learnOwn({ certificate, files }: Credentials, signers: Signers): Signer {
  const signer = signers.learn(chainOf(parseCertificates(certificate, files.certificateFile)))
  if (typeof signer === 'string') throw new FridgeError('ERR_CERTIFICATE', signer)
  return signer
}
