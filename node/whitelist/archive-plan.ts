import { WHOLE_LIST, type Subject } from '../identity/names.ts'
import type { Place } from './change.ts'
import type { CheckpointCut } from './cut.ts'
import type { Base, ChangeLog, SubjectRow } from './store.ts'
import type { Whitelist } from './whitelist.ts'

/** Subjects looked up in the log between two looks at everything else: some milliseconds. */
const SLICE = 100

/** What of some subjects decides nothing any more behind a true checkpoint. */
export interface SpentSlice {
  /** Where the entries stand that may leave the log. */
  readonly moved: readonly Place[]
  /** The hashes of those that have to stay. */
  readonly left: readonly string[]
}

/** What of the log decides nothing any more behind a true checkpoint, slice by slice. */
export function* spentBehind(
  checkpoint: CheckpointCut,
  list: Pick<Whitelist, 'forkOf' | 'subjectsBehind'>,
): Generator<SpentSlice, void> {
  for (let last: Subject | '' | undefined = ''; last !== undefined;) {
    const page: readonly Subject[] = list.subjectsBehind(last, SLICE, checkpoint.part)
    const spent = page.flatMap(subject => spentOf(subject, checkpoint))
    const isMoved = ({ change, isStray }: SubjectRow): boolean =>
      !isStray && !('upTo' in change) && change.sequence < list.forkOf(change.source)
    yield {
      moved: spent.filter(isMoved).map(({ change }) => change),
      left: spent.filter(row => !isMoved(row)).map(({ hash }) => hash),
    }
    last = page.at(-1)
  }
}

function spentOf(subject: Subject, checkpoint: CheckpointCut): SubjectRow[] {
  if (subject === WHOLE_LIST) return []
  const history = checkpoint.historyOf(subject)
  const { grants, revocations } = checkpoint.stateIn(history)
  const stated = new Set([...revocations, ...grants.map(({ id }) => id)])
  return history.entries.filter(
    row => !row.isArchived && !stated.has(row.id) && checkpoint.covers(row),
  )
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
