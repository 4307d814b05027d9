import { isRun, nodeOf, type Source } from '../identity/names.ts'
import { CHANGE_LIMITS, type Head, type UpTo } from './change.ts'
import { straySource } from './entry.ts'
import { lackingAt } from './stated-list.ts'
import type { SubjectRow } from './store.ts'
import type { Whitelist } from './whitelist.ts'

type List = Pick<
  Whitelist,
  'cutAt' | 'everything' | 'forkOf' | 'hasRemoved' | 'subjects' | 'subjectsBehind'
>

/**
 * The heads of a checkpoint of now: the newest entry of each source, and the strays that others have
 * seen. Where these are too many, sources of removed nodes are left out of which no grant stands: what
 * a thief has opened keeps nobody from making one.
 * @returns undefined when they are too many all the same
 */
export function* headsOfNow(list: List): Generator<undefined, UpTo | undefined> {
  const heads = new Map(
    list
      .everything()
      .entries()
      .filter(([source]) => isRun(source)),
  )
  if (heads.size > CHANGE_LIMITS.maxSeen) leaveOutRemoved(heads, list)
  while (heads.size <= CHANGE_LIMITS.maxSeen) {
    const lacking = yield* lackingAt(heads, list)
    if (lacking.length === 0) return heads
    for (const row of lacking) add(row, heads, list)
  }
  return undefined
}

function leaveOutRemoved(heads: Map<Source, Head>, list: List): void {
  const standing = new Set<Source>()
  for (const [, { grants }] of list.subjects()) {
    for (const { change } of grants) standing.add(change.source)
  }
  for (const source of heads.keys()) {
    if (!standing.has(source) && list.hasRemoved(nodeOf(source))) heads.delete(source)
  }
}

/** Cover a change as well: by all that it links to, or alone where it is a stray. */
function add({ change, hash }: SubjectRow, heads: Map<Source, Head>, list: List): void {
  const { source, sequence } = change
  if (sequence >= list.forkOf(source)) {
    heads.set(straySource(source, hash), { sequence: 1, hash })
  } else if (sequence > (heads.get(source)?.sequence ?? 0)) heads.set(source, { sequence, hash })
}
