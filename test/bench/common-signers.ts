import { hash } from 'node:crypto'
import { parseName } from '../../node/identity/names.ts'
import type { Signer, Signers } from '../../node/identity/signers.ts'
import type { Verifier } from '../../node/identity/verifier.ts'
import { SharedSigners } from '../simulation/shared-signers.ts'

/** The certificate of a node that accepts nothing. */
export function named(name: string, signer: Signer): Signer {
  const identity = { ...signer.identity, name: parseName(name), fingerprint: hash('sha256', name) }
  return { ...signer, identity }
}

/** A node that knows the certificates of all: what *members* would tell each is looked up in one map. */
export class CommonSigners extends SharedSigners {
  readonly #common: ReadonlyMap<string, Signer>

  constructor(all: Signers, verifier: Verifier, common: ReadonlyMap<string, Signer>) {
    super(all, verifier)
    this.#common = common
  }

  override get(fingerprint: string): Signer | undefined {
    return super.get(fingerprint) ?? this.#common.get(fingerprint)
  }
}
