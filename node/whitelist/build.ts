import { isStray, type Stray } from './entry.ts'
import { WHOLE_LIST } from '../identity/names.ts'
import type { BuiltLog } from './store.ts'
import type { Vouchers } from './vouchers.ts'
import { Whitelist } from './whitelist.ts'

/**
 * The list that a log of changes makes, in one pass: what voids grants is known before, and the
 * subjects that cannot be merged change by change are looked up behind it, each once.
 */
export function buildWhitelist(log: BuiltLog, vouchers: Vouchers): Whitelist {
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
  for (const row of log.logged()) {
    if (isStray(row)) loader.loadStray(row, row.repeats)
    else loader.load(row, row.repeats)
  }
  whitelist.settleSome(Infinity)
  return whitelist
}

/** Whether one stray proves a fork at or before the place of another. */
export function proves(proof: Stray, { entry }: Stray): boolean {
  const { source, sequence } = proof.entry.change
  return source === entry.change.source && sequence <= entry.change.sequence
}
