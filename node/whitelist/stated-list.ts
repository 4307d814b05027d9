import type { Subject } from '../identity/names.ts'
import type { Checkpoint, UpTo } from './change.ts'
import type { CheckpointCut, CheckpointEntry, Cut, SubjectAtHeads } from './cut.ts'
import type { SubjectRow } from './store.ts'
import { StateRoot, type StateLeaf, type StatePath } from './state-root.ts'
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
  return yield* listOf(list.cutAt(heads), list)
}

/** What changes at or below heads have seen that is not there. */
export function* lackingAt(
  heads: UpTo,
  list: Pick<Whitelist, 'cutAt' | 'subjectsBehind'>,
): Generator<undefined, SubjectRow[]> {
  const lacking: SubjectRow[] = []
  for (const one of subjectsAt(heads, list)) {
    if (one === undefined) yield
    else lacking.push(...one.lacking)
  }
  return lacking
}

/** Whether a checkpoint states the list that is made of what is left behind it, slice by slice. */
export function* isStatedBy(
  checkpoint: CheckpointCut,
  list: Pick<Whitelist, 'subjectsBehind'>,
): Generator<undefined, boolean> {
  const { state, subjects } = checkpoint.entry.change
  const made = yield* listOf(checkpoint, list)
  return made.state === state && made.subjects === subjects
}

/** What proves that a checkpoint states a leaf. */
export interface LeafProof extends StatePath {
  readonly leaf: StateLeaf
}

/**
 * What proves what a checkpoint states of a subject, slice by slice.
 * @returns null when it states nothing of it; undefined when what led there is not here
 */
export function* proofOf(
  subject: Subject,
  checkpoint: CheckpointCut,
  list: Pick<Whitelist, 'subjectsBehind'>,
): Generator<undefined, LeafProof | null | undefined> {
  const root = new StateRoot(subject)
  let leaf: StateLeaf | undefined
  for (const one of subjectsIn(checkpoint, list)) {
    if (one === undefined) yield
    else if (one.leaf !== undefined) {
      root.add(one.leaf)
      if (one.leaf.subject === subject) leaf = one.leaf
    }
  }
  if (root.root() !== checkpoint.entry.change.state) return undefined
  const path = root.path()
  return leaf === undefined || path === undefined ? null : { leaf, ...path }
}

function* listOf(
  cut: Cut,
  list: Pick<Whitelist, 'subjectsBehind'>,
): Generator<undefined, StatedList> {
  const root = new StateRoot()
  for (const one of subjectsIn(cut, list)) {
    if (one === undefined) yield
    else if (one.leaf !== undefined) root.add(one.leaf)
  }
  return { state: root.root(), subjects: root.leaves }
}

function subjectsAt(
  heads: UpTo,
  list: Pick<Whitelist, 'cutAt' | 'subjectsBehind'>,
): Generator<SubjectAtHeads | undefined, void> {
  return subjectsIn(list.cutAt(heads), list)
}

function* subjectsIn(
  cut: Cut,
  list: Pick<Whitelist, 'subjectsBehind'>,
): Generator<SubjectAtHeads | undefined, void> {
  for (let last: string | undefined = ''; last !== undefined;) {
    const page = list.subjectsBehind(last, SLICE, cut.part)
    for (const subject of page) yield cut.lookAt(subject)
    last = page.at(-1)
    yield
  }
}

/**
 * What the list was at heads that are held, slice by slice.
 * @returns undefined where changes there have seen what is not there: no checkpoint of it is true
 */
export function* closedListAt(
  heads: UpTo,
  list: Pick<Whitelist, 'cutAt' | 'subjectsBehind'>,
): Generator<undefined, StatedList | undefined> {
  const root = new StateRoot()
  for (const one of subjectsAt(heads, list)) {
    if (one === undefined) yield
    else if (one.lacking.length > 0) return undefined
    else if (one.leaf !== undefined) root.add(one.leaf)
  }
  return { state: root.root(), subjects: root.leaves }
}

function* isTrueIn(
  { heads, state, subjects }: Checkpoint,
  list: Whitelist,
): Generator<undefined, boolean> {
  const made = yield* closedListAt(heads, list)
  return made !== undefined && made.state === state && made.subjects === subjects
}

/**
 * Find out of each checkpoint that is not judged whether it is true, in the order in which they
 * came: one is judged by those that it has seen.
 */
export function* judgeCheckpoints(
  list: Whitelist,
): Generator<{ readonly judged: CheckpointEntry; readonly isTrue: boolean } | undefined, void> {
  for (let [judged] = list.openCheckpoints; judged !== undefined; [judged] = list.openCheckpoints) {
    const isTrue = yield* isTrueIn(judged.change, list)
    list.judge(judged, isTrue)
    yield { judged, isTrue }
  }
}
