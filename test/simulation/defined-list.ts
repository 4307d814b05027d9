import { roleOf, type Subject } from '../../node/identity/names.ts'
import type { Signers } from '../../node/identity/signers.ts'
import type { Change, ChangeId } from '../../node/whitelist/change.ts'
import { isStray, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { differences, evaluateLog, type EvaluatedLog } from '../../node/whitelist/evaluate.ts'
import type { ReadableWhitelist } from '../../node/whitelist/readable-whitelist.ts'

export interface DefinedListOptions {
  readonly list: () => ReadableWhitelist
  readonly log: () => readonly (Entry | Stray)[]
  readonly signers: Signers
}

/** The list of one run of a node beside what the definition makes of the changes on its disk. */
export class DefinedList {
  readonly #options: DefinedListOptions
  /** What let each subject in when it was last looked at. */
  #stood = new Map<Subject, ReadonlySet<ChangeId>>()
  /** The checkpoints that stood then. */
  #checkpoints: ReadonlySet<Change> = new Set()
  #settledAt = ''

  constructor(options: DefinedListOptions) {
    this.#options = options
    this.look()
  }

  /**
   * Changes were merged, this moment. What they say of their own subjects is so at once. What
   * follows for others from the removal of an author takes away at once, and gives back soon. Only
   * behind a checkpoint that falls with its author another grant may come back that replaces one:
   * until the log was looked into that one stands as it did before.
   * @returns what is wrong
   */
  merged(changes: readonly Change[]): string[] {
    const list = this.#options.list()
    const { subjects: defined } = this.#evaluate()
    const hasFallen = this.#checkpoints.difference(new Set(list.standingCheckpoints)).size > 0
    const wrong: string[] = []
    for (const { kind, subject } of changes) {
      const isWithdrawal = kind === 'revocation' && roleOf(subject) !== 'client'
      for (const one of isWithdrawal ? defined.keys() : [subject]) {
        const standing = standingIn(list, one)
        const expected = defined.get(one)?.grants ?? new Set()
        const more = standing.difference(expected)
        const stood = hasFallen ? this.#stood.get(one) : undefined
        const excess = stood === undefined ? more : more.difference(stood)
        const isShort = !isWithdrawal && !expected.isSubsetOf(standing)
        if (excess.size === 0 && !isShort) continue
        wrong.push(`lets ${one} in by [${[...standing].join()}], not [${[...expected].join()}]`)
      }
    }
    this.look()
    return wrong
  }

  /** All that there is to be looked up was looked up. @returns what is wrong */
  settled(): string[] {
    const { list, log } = this.#options
    this.look()
    const at = `${log().length} ${list().changes}`
    if (at === this.#settledAt) return []
    this.#settledAt = at
    return differences(list(), this.#evaluate()).map(
      subject => `has another list of ${subject} than the definition makes of its disk`,
    )
  }

  /** Something was looked up. */
  look(): void {
    const list = this.#options.list()
    this.#checkpoints = new Set(list.standingCheckpoints)
    this.#stood = new Map(Array.from(list.subjects(), ([one]) => [one, standingIn(list, one)]))
  }

  #evaluate(): EvaluatedLog {
    const { list, log, signers } = this.#options
    return evaluateLog(
      log().map(one => withoutUnchecked(one, list())),
      signers,
    )
  }
}

function standingIn(list: ReadableWhitelist, subject: Subject): Set<ChangeId> {
  return new Set(list.state(subject).grants.map(({ id }) => id))
}

/** A checkpoint does nothing before it is found out to be true: as one that states another list. */
function withoutUnchecked(one: Entry | Stray, list: ReadableWhitelist): Entry | Stray {
  const entry = isStray(one) ? one.entry : one
  const { change } = entry
  if (change.kind !== 'checkpoint' || list.checkpointEffect(entry) !== 'unchecked') return one
  const untrue = { ...entry, change: { ...change, state: '' } }
  return isStray(one) ? { ...one, entry: untrue } : untrue
}
