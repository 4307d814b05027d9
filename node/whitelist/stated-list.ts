import type { Checkpoint, UpTo } from './change.ts'
import type { CheckpointEntry } from './cut.ts'
import { StateRoot } from './state-root.ts'
import type { Whitelist } from './whitelist.ts'

/** Subjects looked up in the log between two looks at everything else: some milliseconds. */
const SLICE = 100

/** What a checkpoint says of the list at its heads. */
export type StatedList = Pick<Checkpoint, 'state' | 'subjects'>

/**
 * What the list was at heads that are held, by the log: subject by subject, and it stops to let
 * others have their turn.
 */
export function* listAt(
  heads: UpTo,
  list: Pick<Whitelist, 'cutAt' | 'subjectsBehind'>,
): Generator<undefined, StatedList> {
  const cut = list.cutAt(heads)
  const root = new StateRoot()
  let last = ''
  for (;;) {
    const page = list.subjectsBehind(last, SLICE)
    for (const subject of page) {
      const leaf = cut.leafOf(subject)
      if (leaf !== undefined) root.add(leaf)
    }
    last = page.at(-1) ?? last
    if (page.length === 0) return { state: root.root(), subjects: root.leaves }
    yield
  }
}

/**
 * Find out of each checkpoint that is not judged whether it is true, in the order in which they
 * came: one is judged by those that it has seen.
 */
export function* judgeCheckpoints(
  list: Whitelist,
): Generator<{ readonly judged: CheckpointEntry; readonly isTrue: boolean } | undefined, void> {
  for (let [judged] = list.openCheckpoints; judged !== undefined; [judged] = list.openCheckpoints) {
    const { heads, state, subjects } = judged.change
    const stated = yield* listAt(heads, list)
    const isTrue = stated.state === state && stated.subjects === subjects
    list.judge(judged, isTrue)
    yield { judged, isTrue }
  }
}
