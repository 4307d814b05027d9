import { atOnce } from './at-once.ts'
import { isStray, type Stray } from './entry.ts'
import { WHOLE_LIST } from '../identity/names.ts'
import type { BuiltLog } from './store.ts'
import type { Vouchers } from './vouchers.ts'
import { Whitelist } from './whitelist.ts'

/** Changes merged, and subjects looked up in the log, between two looks at everything else. */
const SLICE = { changes: 500, subjects: 100 }

/**
 * The list that a log of changes makes, in one pass: what voids grants is known before, and the
 * subjects that cannot be merged change by change are looked up behind it, each once.
 */
export function buildWhitelist(log: BuiltLog, vouchers: Vouchers): Whitelist {
  return atOnce(buildingOf(log, vouchers))
}

/** Build it slice by slice, of a log in which nothing changes meanwhile. */
export function* buildingOf(log: BuiltLog, vouchers: Vouchers): Generator<undefined, Whitelist> {
  const whitelist = new Whitelist(log, vouchers)
  const { loader } = whitelist
  for (const { change } of log.withdrawals()) loader.withdraw(change)
  for (const fork of log.forks()) loader.noteFork(fork)
  const base = log.base()
  for (const row of log.ofSubject(WHOLE_LIST)) {
    const { change, hash } = row
    const isBase = !row.isStray && hash === base?.checkpoint
    if (isBase && change.kind === 'checkpoint') loader.beginAt({ change, hash }, base)
  }
  for (const { change, hash } of log.ofSubject(WHOLE_LIST)) {
    if (change.kind === 'checkpoint') loader.presume({ change, hash })
  }
  whitelist.reviewCheckpoints()
  let loaded = 0
  for (const row of log.logged()) {
    if (isStray(row)) loader.loadStray(row)
    else loader.load(row)
    loaded += 1
    if (loaded % SLICE.changes === 0) yield
  }
  while (whitelist.unsettled > 0) {
    whitelist.settleSome(SLICE.subjects)
    yield
  }
  return whitelist
}

/** Whether one stray proves a fork at or before the place of another. */
export function proves(proof: Stray, { entry }: Stray): boolean {
  const { source, sequence } = proof.entry.change
  return source === entry.change.source && sequence <= entry.change.sequence
}
