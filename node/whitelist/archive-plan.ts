import { WHOLE_LIST, type Subject } from '../identity/names.ts'
import type { Place } from './change.ts'
import type { CheckpointCut } from './cut.ts'
import type { Base, ChangeLog, SubjectRow } from './store.ts'
import type { Whitelist } from './whitelist.ts'

/** Subjects looked up in the log between two looks at everything else: some milliseconds. */
const SLICE = 100

/** What of some subjects decides nothing any more behind a true checkpoint, and what has to stay. */
export interface SpentSlice {
  /** Where the entries stand that may leave the log. */
  readonly moved: readonly Place[]
  /** The hashes of those that have to stay. */
  readonly left: readonly string[]
  /** The hashes of those that it states and that are filed as strays. */
  readonly strays: readonly string[]
}

/**
 * What of the log decides nothing any more behind a true checkpoint, slice by slice. What later
 * changes name, or are going to, stays: who holds no more than what is left can take them.
 */
export function* spentBehind(
  checkpoint: CheckpointCut,
  list: Pick<Whitelist, 'forkOf' | 'subjectsBehind'>,
): Generator<SpentSlice, void> {
  const named = checkpoint.namedBehind()
  const lasts = new LastGrants()
  for (let last: Subject | '' | undefined = ''; last !== undefined;) {
    const page: readonly Subject[] = list.subjectsBehind(last, SLICE, checkpoint.part)
    const rows = page.flatMap(subject => rowsOf(subject, checkpoint, named))
    const isMovable = ({ row: { change, isStray }, isStated, isNamed }: CoveredRow): boolean =>
      !isStated &&
      !isNamed &&
      !isStray &&
      !('upTo' in change) &&
      change.sequence < list.forkOf(change.source)
    const stated = rows.filter(({ isStated }) => isStated).map(({ row }) => row)
    yield {
      moved: [
        ...rows.filter(one => isMovable(one) && one.row.change.kind !== 'grant').map(placeIn),
        ...rows.flatMap(one => lasts.take(one.row, isMovable(one))),
      ],
      left: rows.filter(one => !one.isStated && !isMovable(one)).map(({ row }) => row.hash),
      strays: stated.filter(({ isStray }) => isStray).map(({ hash }) => hash),
    }
    last = page.at(-1)
  }
  yield { moved: [], left: lasts.held(), strays: [] }
}

interface CoveredRow {
  readonly row: SubjectRow
  /** Whether the checkpoint states it. */
  readonly isStated: boolean
  /** Whether a later change names it. */
  readonly isNamed: boolean
}

function placeIn({ row }: CoveredRow): Place {
  return row.change
}

/** The last grant of each operator in each source, and of each source: who is removed counts up to there. */
class LastGrants {
  readonly #last = new Map<string, SubjectRow>()
  readonly #movable = new Set<SubjectRow>()

  /** @returns where those stand that are the last of nobody any more, and may leave the log */
  take(row: SubjectRow, isMovable: boolean): Place[] {
    const { change } = row
    if (change.kind !== 'grant' || row.isStray) return []
    if (isMovable) this.#movable.add(row)
    const displaced = new Set([row])
    for (const key of keysOf(row)) {
      const last = this.#last.get(key)
      if (last !== undefined && last.change.sequence > change.sequence) continue
      if (last !== undefined) displaced.add(last)
      this.#last.set(key, row)
    }
    return [...displaced].filter(one => this.#letGo(one)).map(one => one.change)
  }

  /** The hashes of those that could have left the log if they were not the last. */
  held(): string[] {
    return [...this.#movable].map(({ hash }) => hash)
  }

  /** @returns whether a row may leave the log */
  #letGo(row: SubjectRow): boolean {
    if (keysOf(row).some(key => this.#last.get(key) === row)) return false
    return this.#movable.delete(row)
  }
}

function keysOf({ change: { source, operator } }: SubjectRow): string[] {
  return [source, `${source} ${operator}`]
}

/** What is left of a subject that a checkpoint covers. */
function rowsOf(
  subject: Subject,
  checkpoint: CheckpointCut,
  named: ReadonlySet<string>,
): CoveredRow[] {
  if (subject === WHOLE_LIST) return []
  const history = checkpoint.historyOf(subject)
  const { grants, revocations } = checkpoint.stateIn(history)
  const stated = new Set([...revocations, ...grants.map(({ id }) => id)])
  const seen = new Set(
    history.entries.filter(row => !checkpoint.covers(row)).flatMap(({ change }) => change.seen),
  )
  return history.entries
    .filter(row => !row.isArchived && checkpoint.covers(row))
    .map(row => ({
      row,
      isStated: stated.has(row.id),
      isNamed: named.has(row.hash) || seen.has(row.id),
    }))
}

/**
 * The checkpoint behind which a log may be archived: the newest that is true and covers all others,
 * as far as they are known.
 */
export function baseOf(
  list: Pick<Whitelist, 'cutOf'>,
  log: Pick<ChangeLog, 'ofSubject'>,
): Pick<Base, 'checkpoint' | 'true'> | undefined {
  const checkpoints = [...log.ofSubject(WHOLE_LIST)]
  const cutsOf = (rows: readonly SubjectRow[]): CheckpointCut[] =>
    rows.map(({ hash }) => list.cutOf(hash)).filter(cut => cut !== undefined)
  const newest = cutsOf(checkpoints.filter(({ isStray }) => !isStray)).find(cut =>
    checkpoints.every(one => one.hash === cut.entry.hash || cut.covers(one)),
  )
  if (newest === undefined) return undefined
  const others = cutsOf(checkpoints).filter(cut => cut !== newest)
  if (!others.every(cut => newest.holds(cut))) return undefined
  return {
    checkpoint: newest.entry.hash,
    true: new Set(others.map(({ entry }) => entry.hash)),
  }
}
