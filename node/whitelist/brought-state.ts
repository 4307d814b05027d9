import { buildingOf } from './build.ts'
import { Chains } from './chains.ts'
import type { Checkpoint } from './change.ts'
import type { Entry } from './entry.ts'
import { OpenedLog } from './opened-log.ts'
import { isStatedBy } from './stated-list.ts'
import type { Base } from './store.ts'
import { isTrustedNow, type Vouchers } from './vouchers.ts'
import type { Whitelist } from './whitelist.ts'

/** Entries looked at between two looks at everything else: some milliseconds. */
const SLICE = 500

/** What a peer has of a list behind a checkpoint; of each entry both signatures hold. */
export interface BroughtState extends Pick<Base, 'checkpoint' | 'spent' | 'true'> {
  readonly entries: readonly Entry[]
}

/** Where a log begins, and the list at that. */
export interface Begun {
  readonly base: Base
  /** It reads the entries that were brought. */
  readonly list: Whitelist
}

/**
 * Check that a log may begin with what a peer has brought: that this is what the checkpoint states,
 * no more and no less, and that whoever vouches for the checkpoint is trusted now. Nobody can tell
 * without the changes behind it whether the list was that; its operator has signed that it was. It
 * stops to let others have their turn.
 * @returns where the log begins, or why it must not
 */
export function* baseOfState(
  state: BroughtState,
  vouchers: Vouchers,
): Generator<undefined, Begun | string> {
  const { entries, checkpoint: hash, spent } = state
  const entry = entries.find(one => one.hash === hash)
  if (entry?.change.kind !== 'checkpoint') return 'a state comes without its checkpoint'
  if (!isTrustedNow(entry.signatures, vouchers)) {
    return 'a state is that of a checkpoint which nobody vouches for who is trusted now'
  }
  const problem = yield* problemOf(entries, { ...entry, change: entry.change })
  if (problem !== undefined) return problem
  const sequences = entry.change.heads.values().map(({ sequence }) => sequence)
  const covered = sequences.reduce((sum, sequence) => sum + sequence, 0)
  const base: Base = {
    checkpoint: hash,
    spent,
    strays: new Set(),
    true: state.true,
    archived: covered - (entries.length - 1),
  }
  const log = new OpenedLog([], base)
  for (const [index, one] of entries.entries()) {
    log.add(one)
    if (index % SLICE === 0) yield
  }
  const list = yield* buildingOf(log, vouchers)
  const cut = list.cutOf(hash)
  if (cut === undefined || !(yield* isStatedBy(cut, list))) {
    return 'a state is not what its checkpoint states'
  }
  const isStanding = list.checkpointEffect(entry) === 'in effect'
  return isStanding ? { base, list } : 'a checkpoint does not stand'
}

/** Why entries are not what is left behind a checkpoint; undefined if they may be. */
function* problemOf(
  entries: readonly Entry[],
  checkpoint: Entry & { readonly change: Checkpoint },
): Generator<undefined, string | undefined> {
  const { heads, source } = checkpoint.change
  const missing = new Set(heads.values().map(({ hash }) => hash))
  const chains = new Chains(heads)
  for (const [index, { change, hash }] of entries.entries()) {
    if (index % SLICE === 0) yield
    const { sequence, previous } = change
    const head = heads.get(change.source)
    const isNext = change.source === source && sequence === (head?.sequence ?? 0) + 1
    const isCovered = sequence < (head?.sequence ?? 0) || hash === head?.hash
    // What is behind its heads comes as it always does.
    if (!isCovered && !(isNext && hash === checkpoint.hash)) {
      return 'a state holds what its checkpoint does not cover'
    }
    if (!chains.add(change.source, { sequence, hash }, previous))
      return 'a state has a broken chain'
    missing.delete(hash)
  }
  return missing.size > 0 ? 'a state lacks a head of its checkpoint' : undefined
}
