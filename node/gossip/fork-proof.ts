import { nodeOf, sourceOf, type Name } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import { conflicts, isStray, type Entry } from '../whitelist/entry.ts'
import { openEntry } from '../whitelist/open.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import type { ReadableWhitelist } from '../whitelist/readable-whitelist.ts'
import { asUpdate, carriedBy, problemOfValue } from './update.ts'

/** Two entries that cannot stand in one chain, both signed by one node. */
export type Fork = readonly [Entry, Entry]

/** What a node is shown that has forked: two entries of it, and who signed them (PROTOCOL.md, "Equivocation"). */
export interface ForkProof {
  /** As updates of the list carry them. */
  readonly forked: readonly unknown[]
  /** The certificates of their operators and of the node, each with its intermediates, DER in base64. */
  readonly signers: readonly (readonly string[])[]
}

/** An operator and the node of each of the two, where no certificate is the same. */
const MAX_SIGNERS = 4

/** Two entries of a node that has forked, out of the log; undefined where it has not. */
export function findFork(
  node: Name,
  whitelist: Pick<ReadableWhitelist, 'hasEquivocated' | 'clock'>,
  store: Pick<ChangeStore, 'after'>,
): Fork | undefined {
  if (!whitelist.hasEquivocated(node)) return undefined
  // What a reader lacks that has heard all but the strays of this node.
  const before = whitelist.clock()
  for (const source of before.keys()) if (nodeOf(source) === node) before.delete(source)
  for (const one of store.after(before)) {
    if (!isStray(one) || nodeOf(one.entry.change.source) !== node) continue
    const { entry, against } = one
    if (against !== undefined && conflicts(entry, against)) return [entry, against]
  }
  return undefined
}

/** @returns the proof; undefined where this node does not know its signers */
export function makeForkProof(fork: Fork, signers: Signers): ForkProof | undefined {
  const fingerprints = new Set(
    fork.flatMap(({ signatures }) => [signatures.operatorCertificate, signatures.nodeCertificate]),
  )
  const known = Array.from(fingerprints, fingerprint => signers.get(fingerprint))
  const chains = known.map(signer => signer?.chain).filter(chain => chain !== undefined)
  if (chains.length < fingerprints.size) return undefined
  return { forked: fork.map(entry => asUpdate(entry)[0]), signers: chains }
}

/** Whether what a peer shows is to prove a fork, and not a removal. */
export function isForkProof(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'forked' in value
}

/**
 * Check what a peer shows to a node as the proof that the node has forked.
 * @returns why it proves nothing
 */
export async function openForkProof(
  value: object,
  node: Name,
  signers: Signers,
): Promise<string | undefined> {
  const { forked, signers: chains, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a proof has unknown fields'
  if (!Array.isArray(forked) || forked.length !== 2) return 'a proof has not two entries'
  if (!Array.isArray(chains) || chains.length > MAX_SIGNERS) return 'a proof has too many signers'
  for (const chain of chains) {
    const signer = signers.learn(chain)
    if (typeof signer === 'string') return signer
  }
  const opened: Entry[] = []
  for (const one of forked) {
    const entry = await openShown(one, node, signers)
    if (typeof entry === 'string') return entry
    opened.push(entry)
  }
  const [one, other] = opened
  const isFork = one !== undefined && other !== undefined && conflicts(one, other)
  return isFork ? undefined : 'a proof shows two entries of one chain'
}

async function openShown(value: unknown, node: Name, signers: Signers): Promise<Entry | string> {
  const problem = problemOfValue(value)
  if (problem !== undefined) return problem
  // Where an entry stands does not matter here: what it says of its place does.
  const carried = carriedBy([value, 1, sourceOf(node, '')])
  if (isStray(carried)) return 'a proof carries a stray'
  const entry = await openEntry(carried, signers)
  if (typeof entry === 'string') return entry
  return nodeOf(entry.change.source) === node ? entry : `a proof is about another node than ${node}`
}
