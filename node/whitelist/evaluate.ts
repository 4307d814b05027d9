import { hash } from 'node:crypto'
import { nodeOf, subjectOf, WHOLE_LIST, type Source, type Subject } from '../identity/names.ts'
import {
  idOf,
  type ChangeId,
  type Checkpoint,
  type Place,
  type Revocation,
  type UpTo,
} from './change.ts'
import { isStray, straySource, type Entry, type Stray } from './entry.ts'
import type { Vouchers } from './vouchers.ts'
import type { Whitelist } from './whitelist.ts'

/** What decides about one subject. */
export interface Evaluated {
  readonly grants: ReadonlySet<ChangeId>
  readonly revocations: ReadonlySet<ChangeId>
  /** The revocations that no other has seen. */
  readonly newest: ReadonlySet<ChangeId>
}

/** The whitelist by its definition, with what became of each checkpoint. */
export interface EvaluatedLog {
  readonly subjects: ReadonlyMap<Subject, Evaluated>
  /** The hashes of the checkpoints that stand. */
  readonly checkpoints: ReadonlySet<string>
}

/**
 * The whitelist by its definition (PROTOCOL.md, "Merging" and "Checkpoints"), from a whole log at
 * once and in no order, to check by it the list that nodes merge change by change. The two have
 * nothing in common but what a change is called.
 */
export function evaluateLog(log: Iterable<Entry | Stray>, vouchers: Vouchers): EvaluatedLog {
  const list = new Evaluation([...log], vouchers).list()
  return {
    subjects: list.evaluated(),
    checkpoints: new Set(list.standing.map(({ hash: standing }) => standing)),
  }
}

type Entries = ReadonlyMap<string, Entry>

interface Chains {
  /** The hashes of an entry and of all that it links to, as far as that is in the log. */
  readonly chainTo: (last: string) => ReadonlySet<string>
  /** The first sequence of each source of which there is a stray. */
  readonly forks: ReadonlyMap<Source, number>
}

type CheckpointOf = Entry & { readonly change: Checkpoint }

/** A whole log, of which lists are made: that of all, and those at checkpoints. */
class Evaluation {
  readonly entries: readonly Entry[]
  readonly #chains: Chains
  readonly #vouchers: Vouchers
  readonly #stated = new Map<string, EvaluatedList>()
  readonly #true = new Map<string, boolean>()

  constructor(all: readonly (Entry | Stray)[], vouchers: Vouchers) {
    const byHash = new Map(
      all.map(one => (isStray(one) ? one.entry : one)).map(one => [one.hash, one]),
    )
    const forks = new Map<Source, number>()
    for (const one of all) {
      if (!isStray(one)) continue
      const { source, sequence } = one.entry.change
      forks.set(source, Math.min(forks.get(source) ?? Infinity, sequence))
    }
    this.entries = [...byHash.values()]
    this.#chains = { chainTo: chainsOf(byHash), forks }
    this.#vouchers = vouchers
  }

  /** The list that the whole log makes, with the authorities of now. */
  list(): EvaluatedList {
    return new EvaluatedList(this.entries, this, { trust: this.#vouchers })
  }

  /** The list at the heads of a checkpoint. */
  listAt({ change: { heads }, hash: of }: CheckpointOf): EvaluatedList {
    const known = this.#stated.get(of)
    if (known !== undefined) return known
    const covered = this.entries.filter(entry => this.isWithin(entry, heads))
    const list = new EvaluatedList(covered, this, { heads })
    this.#stated.set(of, list)
    return list
  }

  /** Whether a checkpoint states the list at its heads, and has left out nothing that this has seen. */
  isTrue(checkpoint: CheckpointOf): boolean {
    const isTrue = this.#true.get(checkpoint.hash) ?? this.#isTrue(checkpoint)
    this.#true.set(checkpoint.hash, isTrue)
    return isTrue
  }

  #isTrue(checkpoint: CheckpointOf): boolean {
    const list = this.listAt(checkpoint)
    const ids = new Set(list.entries.map(idOf))
    const isClosed = list.entries.every(({ change }) => change.seen.every(id => ids.has(id)))
    return isClosed && list.states(checkpoint.change)
  }

  /** Whether a checkpoint, and all that it covers, is on the chains that end with these. */
  isAllWithin(checkpoint: CheckpointOf, last: UpTo): boolean {
    const { heads } = checkpoint.change
    const areHeadsWithin = heads
      .entries()
      .every(([source, { sequence, hash: of }]) =>
        this.isWithin({ change: { source, sequence }, hash: of }, last),
      )
    return areHeadsWithin && this.isWithin(checkpoint, last)
  }

  /** Whether an entry is on one of the chains that end with these, or a stray that is one of them. */
  isWithin(
    { change, hash: of }: { readonly change: Place; readonly hash: string },
    last: UpTo,
  ): boolean {
    const { chainTo, forks } = this.#chains
    if (last.get(straySource(change.source, of))?.hash === of) return true
    const head = last.get(change.source)
    if (head === undefined || change.sequence > head.sequence) return false
    // Before its first stray a source has one branch, to which all others link in the end.
    if (change.sequence < (forks.get(change.source) ?? Infinity)) return true
    return chainTo(head.hash).has(of)
  }

  /** Whether an entry comes by a certificate that does not count behind a checkpoint any more. */
  isFormer({ signatures }: Entry, { change: { former, at } }: CheckpointOf): boolean {
    return this.#vouchersOf(signatures).some(
      voucher =>
        voucher?.authority === undefined ||
        former.includes(voucher.authority) ||
        voucher.endsAt < at,
    )
  }

  /** Whether all who vouch for an entry are trusted now. */
  isTrusted({ signatures }: Entry): boolean {
    return this.#vouchersOf(signatures).every(
      voucher => voucher?.authority !== undefined && this.#vouchers.isTrusted(voucher.authority),
    )
  }

  #vouchersOf({ operatorCertificate, nodeCertificate }: Entry['signatures']) {
    return [operatorCertificate, nodeCertificate].map(one => this.#vouchers.voucherOf(one))
  }
}

/** The list that some entries make. */
class EvaluatedList {
  /** The checkpoints that count among these entries. */
  readonly standing: readonly CheckpointOf[]
  readonly entries: readonly Entry[]
  readonly #evaluation: Evaluation
  readonly #withdrawals: readonly Revocation[]
  /** The true checkpoints that cover nothing which is not in here. */
  readonly #settling: readonly CheckpointOf[]
  #evaluated: ReadonlyMap<Subject, Evaluated> | undefined

  constructor(
    entries: readonly Entry[],
    evaluation: Evaluation,
    { heads, trust }: { readonly heads?: UpTo; readonly trust?: Vouchers },
  ) {
    this.entries = entries
    this.#evaluation = evaluation
    this.#withdrawals = entries
      .map(({ change }) => change)
      .filter(change => change.kind === 'revocation')
    const all = entries
      .filter((entry): entry is CheckpointOf => entry.change.kind === 'checkpoint')
      .filter(one => evaluation.isTrue(one))
    this.#settling = all.filter(one => heads === undefined || evaluation.isAllWithin(one, heads))
    const counted = all
      .filter(one => !this.#isWithdrawn(one))
      .filter(
        one =>
          trust === undefined ||
          !one.change.former.some(authority => trust.isTrusted(authority)) ||
          evaluation.isTrusted(one),
      )
    this.standing = counted.filter(
      one =>
        !counted.some(
          other =>
            other !== one &&
            !evaluation.isWithin(one, other.change.heads) &&
            evaluation.isFormer(one, other),
        ),
    )
  }

  /** What decides about each subject. */
  evaluated(): ReadonlyMap<Subject, Evaluated> {
    return (this.#evaluated ??= this.#evaluateAll())
  }

  #evaluateAll(): Map<Subject, Evaluated> {
    const changes = this.entries.filter(({ change }) => change.kind !== 'checkpoint')
    const bySubject = Map.groupBy(changes, ({ change }) => change.subject)
    return new Map(
      Array.from(bySubject, ([subject, about]) => [subject, this.#evaluate(subject, about)]),
    )
  }

  #evaluate(subject: Subject, about: readonly Entry[]): Evaluated {
    const isVoid = (entry: Entry): boolean => this.#isVoid(entry)
    const settled = new Set<Entry>()
    const stated = new Map<ChangeId, ReadonlySet<ChangeId>>()
    for (const checkpoint of this.#settling) {
      const then = this.#evaluation.listAt(checkpoint).evaluated().get(subject)
      for (const entry of about) {
        if (!this.#evaluation.isWithin(entry, checkpoint.change.heads)) continue
        const id = idOf(entry)
        if (then?.grants.has(id) !== true && then?.newest.has(id) !== true) settled.add(entry)
      }
      for (const id of then?.grants ?? []) {
        stated.set(id, then?.newest.union(stated.get(id) ?? new Set()) ?? new Set())
      }
    }
    return evaluate(
      about.filter(entry => !settled.has(entry)),
      { isVoid, stated },
    )
  }

  /** Whether this is the list that a checkpoint states. */
  states({ state, subjects }: Checkpoint): boolean {
    const leaves = this.#leaves()
    return subjects === leaves.length && state === treeOf(leaves).toString('base64url')
  }

  #leaves(): string[] {
    const leaves = new Map<Subject, object>()
    for (const [subject, { newest, grants }] of this.evaluated()) {
      if (newest.size + grants.size === 0) continue
      const withdrawals = this.entries
        .filter(({ change }) => change.subject === subject && 'upTo' in change)
        .map(entry => entry.hash)
      const state = { subject, revocations: [...newest].sort(), grants: [...grants].sort() }
      const isOut = withdrawals.length > 0
      leaves.set(subject, isOut ? { ...state, withdrawals: withdrawals.sort() } : state)
    }
    const checkpoints = this.standing.map(one => one.hash).sort()
    if (checkpoints.length > 0) leaves.set(WHOLE_LIST, { subject: WHOLE_LIST, checkpoints })
    const subjects = [...leaves.keys()].sort()
    return subjects.map(subject => JSON.stringify(leaves.get(subject)))
  }

  #isVoid(entry: Entry): boolean {
    return this.#isWithdrawn(entry) || this.standing.some(one => this.#isLate(entry, one))
  }

  /** Whether the operator of an entry, or its node, was revoked by somebody who had not seen it. */
  #isWithdrawn(entry: Entry): boolean {
    const { operator, source } = entry.change
    const authors = [subjectOf('operator', operator), subjectOf('node', nodeOf(source))]
    return this.#withdrawals.some(
      ({ subject, upTo }) =>
        authors.includes(subject) && !this.#evaluation.isWithin(entry, upTo ?? new Map()),
    )
  }

  /** Whether a grant comes by a certificate that does not count behind a checkpoint any more. */
  #isLate(entry: Entry, checkpoint: CheckpointOf): boolean {
    if (this.#evaluation.isWithin(entry, checkpoint.change.heads)) return false
    return this.#evaluation.isFormer(entry, checkpoint)
  }
}

/** The root of a Merkle tree by its definition in RFC 6962, section 2.1. */
function treeOf(leaves: readonly string[]): Buffer {
  const [first, second] = leaves
  if (first === undefined) return hash('sha256', '', 'buffer')
  if (second === undefined) return hash('sha256', `\u0000${first}`, 'buffer')
  const split = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  const halves = [treeOf(leaves.slice(0, split)), treeOf(leaves.slice(split))]
  return hash('sha256', Buffer.concat([Buffer.of(1), ...halves]), 'buffer')
}

/** Each chain is walked once. */
function chainsOf(byHash: Entries): Chains['chainTo'] {
  const chains = new Map<string, Set<string>>()
  return last => {
    const known = chains.get(last)
    if (known !== undefined) return known
    const chain = new Set<string>()
    for (let hash: string | undefined = last; hash !== undefined && hash !== '';) {
      chain.add(hash)
      hash = byHash.get(hash)?.change.previous
    }
    chains.set(last, chain)
    return chain
  }
}

interface Circumstances {
  readonly isVoid: (entry: Entry) => boolean
  /** What grants have seen that stood at a checkpoint, whatever they name. */
  readonly stated: ReadonlyMap<ChangeId, ReadonlySet<ChangeId>>
}

function evaluate(about: readonly Entry[], { isVoid, stated }: Circumstances): Evaluated {
  const byId = new Map(about.map(entry => [idOf(entry), entry]))
  const ancestorsOf = (id: ChangeId): Set<ChangeId> => {
    const found = new Set<ChangeId>()
    const open = [id]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const named = [...(byId.get(next)?.change.seen ?? []), ...(stated.get(next) ?? [])]
      for (const one of named) if (byId.has(one) && !found.has(one)) open.push(one)
      for (const one of named) found.add(one)
    }
    return found
  }
  const revocations = new Set<ChangeId>()
  const complete = new Set<ChangeId>()
  const seenByRevocations = new Set<ChangeId>()
  const seenByGrants = new Set<ChangeId>()
  for (const [id, { change }] of byId) if (change.kind === 'revocation') revocations.add(id)
  for (const [id, entry] of byId) {
    const seen = ancestorsOf(id)
    const isGrant = entry.change.kind === 'grant'
    if (isGrant && isVoid(entry)) continue
    for (const one of seen) (isGrant ? seenByGrants : seenByRevocations).add(one)
    if (isGrant && revocations.isSubsetOf(seen)) complete.add(id)
  }
  return {
    revocations,
    newest: revocations.difference(seenByRevocations),
    grants: complete.difference(seenByGrants),
  }
}

/** The subjects about which a list that was merged and one that was evaluated differ. */
export function differences(
  merged: Pick<Whitelist, 'subjects' | 'state'>,
  { subjects: evaluated }: Pick<EvaluatedLog, 'subjects'>,
): Subject[] {
  const subjects = new Set([
    ...evaluated.keys(),
    ...Array.from(merged.subjects(), ([subject]) => subject),
  ])
  return [...subjects].filter(subject => {
    const { grants, revocations } = merged.state(subject)
    const expected = evaluated.get(subject)
    const none: ReadonlySet<ChangeId> = new Set()
    const standing = new Set(grants.map(({ id }) => id))
    return (
      standing.symmetricDifference(expected?.grants ?? none).size > 0 ||
      !(expected?.revocations ?? none).isSupersetOf(revocations) ||
      !(expected?.newest ?? none).isSubsetOf(revocations)
    )
  })
}
