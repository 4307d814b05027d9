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

/** What of the log decides nothing any more behind a true checkpoint, slice by slice. */
export function* spentBehind(
  checkpoint: CheckpointCut,
  list: Pick<Whitelist, 'forkOf' | 'subjectsBehind'>,
): Generator<SpentSlice, void> {
  for (let last: Subject | '' | undefined = ''; last !== undefined;) {
    const page: readonly Subject[] = list.subjectsBehind(last, SLICE, checkpoint.part)
    const rows = page.flatMap(subject => rowsOf(subject, checkpoint))
    const spent = rows.filter(({ isStated }) => !isStated).map(({ row }) => row)
    const stated = rows.filter(({ isStated }) => isStated).map(({ row }) => row)
    const isMoved = ({ change, isStray }: SubjectRow): boolean =>
      !isStray && !('upTo' in change) && change.sequence < list.forkOf(change.source)
    yield {
      moved: spent.filter(isMoved).map(({ change }) => change),
      left: spent.filter(row => !isMoved(row)).map(({ hash }) => hash),
      strays: stated.filter(({ isStray }) => isStray).map(({ hash }) => hash),
    }
    last = page.at(-1)
  }
}

/** What is left of a subject that a checkpoint covers. */
function rowsOf(
  subject: Subject,
  checkpoint: CheckpointCut,
): { readonly row: SubjectRow; readonly isStated: boolean }[] {
  if (subject === WHOLE_LIST) return []
  const history = checkpoint.historyOf(subject)
  const { grants, revocations } = checkpoint.stateIn(history)
  const stated = new Set([...revocations, ...grants.map(({ id }) => id)])
  return history.entries
    .filter(row => !row.isArchived && checkpoint.covers(row))
    .map(row => ({ row, isStated: stated.has(row.id) }))
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
