import { isRun } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import type { UpTo } from '../whitelist/change.ts'
import type { CheckpointCut } from '../whitelist/cut.ts'
import { isStray } from '../whitelist/entry.ts'
import type { Base, ChangeStore } from '../whitelist/store.ts'
import { isTrustedNow, type Vouchers } from '../whitelist/vouchers.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import { MAX_SPENT, stateEnd, stateFrame, statePages, type StateRow } from './state-frames.ts'
import type { Beginning } from './outgoing.ts'
import type { Update } from './document-frames.ts'
import { asUpdate } from './update.ts'

/** Changes that have left a log, from which on a peer that holds nothing is sent what is left instead. */
const MIN_ARCHIVED = 1_000

/** Rows read of the log at a time. */
const AT_ONCE = 256

export interface StateSendingOptions {
  readonly list: () => Whitelist
  readonly store: Pick<ChangeStore, 'base' | 'find' | 'isComplete' | 'leftBehind'>
  readonly vouchers: Vouchers
  /** Changes that have left the log, from which on a peer that holds nothing is sent a state. Default 1,000. */
  readonly minArchived?: number | undefined
  /** The frames that have to come before those of an update. */
  readonly attachmentsOf: (update: Update) => Iterable<object>
}

/**
 * What a peer that holds nothing is sent of a log that begins at a checkpoint; undefined where it is
 * to have the whole log. A fork of which the checkpoint covers nothing comes behind it, as anything
 * does; of what it covers behind a fork nothing has left the log, so that there is less to gain.
 */
export function beginningOf(options: StateSendingOptions): Beginning | undefined {
  const { store, minArchived = MIN_ARCHIVED } = options
  const base = store.base()
  if (base === undefined || (store.isComplete && base.archived < minArchived)) return undefined
  // No peer takes more of them.
  if (base.spent.size > MAX_SPENT) return undefined
  const cut = servedCut(base, options)
  if (cut === undefined) return undefined
  const { heads, source, sequence } = cut.entry.change
  return {
    frames: framesOf(base, heads, options),
    heads: [
      ...heads.entries().map(([of, head]) => [of, head.sequence] as const),
      [source, sequence],
    ],
  }
}

/** The checkpoint at which a log begins, if a peer will take it: it stands by those who are trusted now. */
function servedCut(
  base: Base,
  { list, store, vouchers }: StateSendingOptions,
): CheckpointCut | undefined {
  const cut = list().cutOf(base.checkpoint)
  if (cut === undefined) return undefined
  const { source, sequence, heads } = cut.entry.change
  const isForked = heads
    .entries()
    .some(([of, head]) => !isRun(of) || list().forkOf(of) <= head.sequence)
  if (isForked || list().forkOf(source) <= sequence) return undefined
  const signatures = store.find(cut.entry.change, cut.entry.hash)?.signatures
  if (signatures === undefined || !isTrustedNow(signatures, vouchers)) return undefined
  // What stands between would have to come before it, and may have seen what comes behind it.
  if (sequence !== (heads.get(source)?.sequence ?? 0) + 1) return undefined
  return list().checkpointEffect(cut.entry) === 'in effect' ? cut : undefined
}

function* framesOf(base: Base, heads: UpTo, options: StateSendingOptions): Iterable<object> {
  for (const page of statePages(rowsOf(base, heads, options))) {
    for (const { entry } of page) yield* options.attachmentsOf(asUpdate(entry))
    yield stateFrame(page)
  }
  yield stateEnd(base)
}

/** @throws FridgeError `ERR_ARCHIVE` when the log begins elsewhere by now */
function* rowsOf(base: Base, heads: UpTo, options: StateSendingOptions): Iterable<StateRow> {
  const { store } = options
  for (let last: number | undefined = 0; last !== undefined;) {
    if (store.base()?.checkpoint !== base.checkpoint || servedCut(base, options) === undefined) {
      throw new FridgeError('ERR_ARCHIVE', 'its list begins at another checkpoint by now')
    }
    const page = store.leftBehind(last, AT_ONCE)
    for (const { entry } of page) {
      if (isStray(entry)) continue
      const { change, hash } = entry
      const isCovered = change.sequence <= (heads.get(change.source)?.sequence ?? 0)
      if (isCovered || hash === base.checkpoint) yield { entry, isSpent: base.spent.has(hash) }
    }
    last = page.at(-1)?.position
  }
}
