import { hash } from 'node:crypto'
import type { Subject } from '../identity/names.ts'

/** What a leaf says of one subject; of the whole list, which checkpoints stood. */
export interface StateLeaf {
  readonly subject: Subject
  /** The ids of the revocations that no other had seen, sorted. */
  readonly revocations?: readonly string[]
  /** The hashes of the grants that stood, sorted. */
  readonly grants?: readonly string[]
  /** Of an operator or a node the hashes of all its revocations, sorted: each says up to where it counts. */
  readonly withdrawals?: readonly string[]
  /** The hashes of the checkpoints that stood, sorted. */
  readonly checkpoints?: readonly string[]
}

/**
 * The root of a Merkle tree over leaves that come in the order of their subjects, as RFC 6962,
 * section 2.1, builds it: that one name stood as it did can be proven without the others.
 */
export class StateRoot {
  /** The roots of full trees, the largest first, each with how many leaves it is over. */
  readonly #trees: { readonly size: number; readonly root: Buffer }[] = []
  #leaves = 0

  /** How many leaves there are. */
  get leaves(): number {
    return this.#leaves
  }

  add(leaf: StateLeaf): void {
    const { subject, revocations, grants, withdrawals, checkpoints } = leaf
    const text = JSON.stringify({ subject, revocations, grants, withdrawals, checkpoints })
    this.#leaves += 1
    let tree = { size: 1, root: digest(0, Buffer.from(text)) }
    for (let last = this.#trees.at(-1); last?.size === tree.size; last = this.#trees.at(-1)) {
      this.#trees.pop()
      tree = { size: 2 * tree.size, root: digest(1, last.root, tree.root) }
    }
    this.#trees.push(tree)
  }

  /** The root over all leaves so far: 43 characters of base64url. */
  root(): string {
    const roots = this.#trees.map(({ root }) => root)
    const root = roots.reduceRight<Buffer | undefined>(
      (right, left) => (right === undefined ? left : digest(1, left, right)),
      undefined,
    )
    return (root ?? hash('sha256', '', 'buffer')).toString('base64url')
  }
}

/** Leaves and inner nodes begin differently, so that neither can be taken for the other. */
function digest(kind: 0 | 1, ...parts: readonly Buffer[]): Buffer {
  return hash('sha256', Buffer.concat([Buffer.of(kind), ...parts]), 'buffer')
}
