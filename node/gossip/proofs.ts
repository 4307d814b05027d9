import type { Name } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import type { Entry } from '../whitelist/entry.ts'
import { findFork, makeForkProof, type ForkProof } from './fork-proof.ts'
import { findRemoval, makeRemovalProof, type RemovalProof } from './removal-proof.ts'

export interface ProofsOptions {
  readonly list: () => Parameters<typeof findRemoval>[1] & Parameters<typeof findFork>[1]
  readonly store: Parameters<typeof findRemoval>[2] & Parameters<typeof findFork>[2]
  readonly signers: Signers
}

/** What nodes are shown that are out: that they were removed, or have forked. */
export class Proofs {
  readonly #options: ProofsOptions
  readonly #forks = new Map<Name, ForkProof>()

  constructor(options: ProofsOptions) {
    this.#options = options
  }

  /** What a node is shown; undefined where there is nothing to show. */
  against(node: Name): RemovalProof | ForkProof | undefined {
    const entry = this.removalOf(node)
    return entry === undefined ? this.forkOf(node) : makeRemovalProof(entry, this.#options.signers)
  }

  /** The entry that removed a node. */
  removalOf(node: Name): Entry | undefined {
    const { list, store } = this.#options
    return findRemoval(node, list(), store)
  }

  /** The two entries that a node signed for one place. */
  forkOf(node: Name): ForkProof | undefined {
    const { list, store, signers } = this.#options
    // It is looked up once: whoever is cut knocks again and again.
    const fork = this.#forks.has(node) ? undefined : findFork(node, list(), store)
    const proof = fork && makeForkProof(fork, signers)
    if (proof !== undefined) this.#forks.set(node, proof)
    return this.#forks.get(node)
  }
}
