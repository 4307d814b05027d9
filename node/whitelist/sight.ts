import type { ChangeId } from './change.ts'
import type { IdentifiedChange, SubjectState, WeighedChange } from './merge.ts'
import { standingWith } from './standing-grants.ts'

/** Revocations that are told apart: no change can name more of them at once. */
const MAX_REVOCATIONS = 1_024

/**
 * Which of the newest revocations of a subject each of its changes has seen, itself or by way of what
 * it names. With it a change that names what stands no longer is merged without a look at the log:
 * somebody with stolen keys makes thousands of them, each of which would have all others read again.
 * A change that it does not know was there before its first.
 */
export class Sight {
  /** For each change a bit for each revocation that it has seen. */
  readonly #seenBy = new Map<ChangeId, bigint>()
  /** The bits of the newest revocations, and all of them together. */
  readonly #bits = new Map<ChangeId, bigint>()
  #newest = 0n
  /** What changes name and is not there, or has no effect any more. */
  readonly #absent = new Set<ChangeId>()
  /** Void grants that have seen all newest revocations: what they replace, another may let stand. */
  readonly #void = new Set<ChangeId>()
  #drawn = 0

  /**
   * What the changes of a subject have seen.
   * @param newest the revocations that no other has seen
   * @param logged all of them, those that have no effect any more included
   * @returns undefined where they are too many
   */
  static of(
    changes: readonly WeighedChange[],
    newest: Iterable<ChangeId>,
    logged: Iterable<{ readonly id: ChangeId }>,
  ): Sight | undefined {
    const sight = new Sight()
    for (const id of newest) if (!sight.#draw(id)) return undefined
    const all = new Map(changes.map(change => [change.id, change]))
    for (const { id } of logged) if (!all.has(id)) sight.#absent.add(id)
    for (const change of all.values()) sight.#look(change, all)
    for (const { id, isVoid } of all.values()) {
      if (isVoid && sight.#hasSeenAll(sight.#seenBy.get(id) ?? 0n)) sight.#void.add(id)
    }
    return sight
  }

  /**
   * Merge a change that is there once, and take note of it.
   * @returns undefined when the log has to tell: then this is of no use any more
   */
  merge(state: SubjectState, { id, change }: IdentifiedChange): SubjectState | undefined {
    const seen = this.#seenIn(change.seen)
    if (seen === undefined || this.#absent.has(id)) return undefined
    if (change.kind === 'revocation') return this.#replaceRevocations(id, seen)
    if (change.kind === 'checkpoint') return state
    const hasSeenAll = this.#hasSeenAll(seen)
    // Which grants a void one has seen that stand, only the log can tell.
    if (hasSeenAll && change.seen.some(one => this.#void.has(one))) return undefined
    this.#seenBy.set(id, seen)
    // It has missed a revocation for good, and so has whatever it has seen.
    if (!hasSeenAll) return state
    return { grants: standingWith(state.grants, { id, change }), revocations: state.revocations }
  }

  /**
   * Take note of a grant that is void, or of a revocation that is there already.
   * @returns undefined when the log has to tell: then this is of no use any more
   */
  pass(state: SubjectState, { id, change }: IdentifiedChange): SubjectState | undefined {
    // What was spent, and comes again, has its effect anew.
    if (change.kind === 'revocation') return this.#seenBy.has(id) ? state : undefined
    const seen = this.#seenIn(change.seen)
    if (seen === undefined || this.#absent.has(id)) return undefined
    this.#seenBy.set(id, seen)
    if (this.#hasSeenAll(seen)) this.#void.add(id)
    return state
  }

  #replaceRevocations(id: ChangeId, seen: bigint): SubjectState | undefined {
    for (const [newest, bit] of this.#bits) if ((seen & bit) !== 0n) this.#bits.delete(newest)
    this.#newest &= ~seen
    if (!this.#draw(id)) return undefined
    this.#seenBy.set(id, seen | (this.#bits.get(id) ?? 0n))
    this.#void.clear()
    return { grants: [], revocations: new Set(this.#bits.keys()) }
  }

  /** @returns the revocations that whoever names these has seen; undefined where one is not known */
  #seenIn(named: readonly ChangeId[]): bigint | undefined {
    let seen = 0n
    for (const id of named) {
      const more = this.#seenBy.get(id)
      if (more === undefined && !this.#absent.has(id)) return undefined
      seen |= more ?? 0n
    }
    return seen
  }

  #hasSeenAll(seen: bigint): boolean {
    return (seen & this.#newest) === this.#newest
  }

  /** Let a revocation be told apart. @returns whether there is room */
  #draw(id: ChangeId): boolean {
    if (this.#drawn >= MAX_REVOCATIONS) return false
    const bit = 1n << BigInt(this.#drawn)
    this.#bits.set(id, bit)
    this.#newest |= bit
    this.#drawn += 1
    return true
  }

  /** Find out what a change has seen, behind all that it names. */
  #look(first: WeighedChange, all: ReadonlyMap<ChangeId, WeighedChange>): void {
    const open = [first]
    for (let next = open.at(-1); next !== undefined; next = open.at(-1)) {
      const named = next.seen.map(id => all.get(id)).filter(one => one !== undefined)
      const unknown = named.filter(({ id }) => !this.#seenBy.has(id))
      open.push(...unknown)
      if (unknown.length > 0) continue
      open.pop()
      for (const id of next.seen) if (!all.has(id)) this.#absent.add(id)
      let seen = this.#bits.get(next.id) ?? 0n
      for (const { id } of named) seen |= this.#seenBy.get(id) ?? 0n
      this.#seenBy.set(next.id, seen)
    }
  }
}
