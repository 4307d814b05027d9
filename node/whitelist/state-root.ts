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

/** Where a leaf is in the tree, and the roots beside its way up, lowest first, in base64url. */
export interface StatePath {
  readonly index: number
  readonly path: readonly string[]
}

/** A full tree. */
interface Tree {
  readonly size: number
  readonly root: Buffer
  /** Whether the leaf is in it whose path is asked for. */
  readonly isOnWay: boolean
}

/**
 * The root of a Merkle tree over leaves that come in the order of their subjects, as RFC 6962,
 * section 2.1, builds it: that one name stood as it did can be proven without the others.
 */
export class StateRoot {
  /** The largest first. */
  readonly #trees: Tree[] = []
  readonly #subject: Subject | undefined
  readonly #path: Buffer[] = []
  #index: number | undefined
  #leaves = 0

  /** @param subject that of the leaf whose path is asked for. Default: none is */
  constructor(subject?: Subject) {
    this.#subject = subject
  }

  /** How many leaves there are. */
  get leaves(): number {
    return this.#leaves
  }

  add(leaf: StateLeaf): void {
    const isOnWay = leaf.subject === this.#subject
    if (isOnWay) this.#index = this.#leaves
    this.#leaves += 1
    let tree: Tree = { size: 1, root: leafDigest(leaf), isOnWay }
    for (let last = this.#trees.at(-1); last?.size === tree.size; last = this.#trees.at(-1)) {
      this.#trees.pop()
      this.#path.push(...besideWay(last, tree))
      tree = joined(last, tree)
    }
    this.#trees.push(tree)
  }

  /** The root over all leaves so far: 43 characters of base64url. */
  root(): string {
    const tree = this.#fold(() => {})
    return (tree?.root ?? hash('sha256', '', 'buffer')).toString('base64url')
  }

  /** The way from the leaf that is asked for to the root over all leaves so far; undefined without that leaf. */
  path(): StatePath | undefined {
    if (this.#index === undefined) return undefined
    const path = [...this.#path]
    this.#fold((left, right) => path.push(...besideWay(left, right)))
    return { index: this.#index, path: path.map(root => root.toString('base64url')) }
  }

  #fold(onJoin: (left: Tree, right: Tree) => void): Tree | undefined {
    return this.#trees.reduceRight<Tree | undefined>((right, left) => {
      if (right === undefined) return left
      onJoin(left, right)
      return joined(left, right)
    }, undefined)
  }
}

/**
 * The root of the tree with so many leaves in which a leaf is at the end of a path (RFC 9162, section
 * 2.1.3.2). @returns undefined when the path is none of such a tree
 */
export function rootOfPath(
  leaf: StateLeaf,
  { index, path }: StatePath,
  leaves: number,
): string | undefined {
  if (index >= leaves) return undefined
  let [at, last] = [index, leaves - 1]
  let root = leafDigest(leaf)
  for (const text of path) {
    if (last === 0) return undefined
    const beside = Buffer.from(text, 'base64url')
    if (at % 2 === 1 || at === last) {
      root = digest(1, beside, root)
      // A tree at the right edge has no neighbour on the levels between.
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)]
    } else root = digest(1, root, beside)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return last === 0 ? root.toString('base64url') : undefined
}

/** What a leaf is as a text. */
export function leafText({
  subject,
  revocations,
  grants,
  withdrawals,
  checkpoints,
}: StateLeaf): string {
  return JSON.stringify({ subject, revocations, grants, withdrawals, checkpoints })
}

function leafDigest(leaf: StateLeaf): Buffer {
  return digest(0, Buffer.from(leafText(leaf)))
}

function joined(left: Tree, right: Tree): Tree {
  const size = left.size + right.size
  return { size, root: digest(1, left.root, right.root), isOnWay: left.isOnWay || right.isOnWay }
}

/** Of two trees that become one the root of that in which the leaf is not, if it is in the other. */
function besideWay(left: Tree, right: Tree): Buffer[] {
  if (left.isOnWay) return [right.root]
  return right.isOnWay ? [left.root] : []
}

/** Leaves and inner nodes begin differently, so that neither can be taken for the other. */
function digest(kind: 0 | 1, ...parts: readonly Buffer[]): Buffer {
  return hash('sha256', Buffer.concat([Buffer.of(kind), ...parts]), 'buffer')
}
