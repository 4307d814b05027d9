import type { Archiving } from '../gossip/archiving.ts'
import { awaitConfirmations } from '../gossip/confirmations.ts'
import type { Members } from '../gossip/members.ts'
import type { Replica } from '../gossip/replica.ts'
import { WHOLE_LIST, type KeyId, type Name } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import {
  isReason,
  isWish,
  readHeads,
  type Checkpoint,
  type CheckpointRequest,
} from '../whitelist/change.ts'
import type { StatedList } from '../whitelist/stated-list.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { malformed } from './malformed.ts'

/** Whether it is time for another checkpoint, as one node sees it. */
export interface CheckpointReport {
  /** The newest of those that stand. */
  readonly newest: { readonly operator: Name; readonly at: number } | null
  /** How many changes there are that it has not seen. */
  readonly behind: number
  /** The keys of the former authorities that no checkpoint which stands calls so. */
  readonly former: readonly KeyId[]
}

/** What `archive` answers. */
export interface Archived {
  /** How many changes have left the log. */
  readonly changes: number
}

export interface CheckpointMethodsOptions {
  readonly replica: Pick<Replica, 'checks' | 'confirmations' | 'settled' | 'whitelist'>
  readonly archiving: Pick<Archiving, 'checkpoint' | 'run'>
  readonly members: Pick<Members, 'isLive' | 'live' | 'unreachable' | 'left' | 'subscribe'>
  readonly signers: Pick<Signers, 'formerAuthorities'>
  readonly clock: Clock
}

/** How long `archive` waits for nodes to say that they hold the checkpoint, in milliseconds. */
const WAIT_MS = 5_000

/**
 * The methods by which operators learn whether a checkpoint is due, and let a node archive what is
 * behind one (PROTOCOL.md, "Operators").
 */
export function checkpointMethods(options: CheckpointMethodsOptions): [string, RpcMethod][] {
  return [
    ['checkpoint', async () => reportOf(options)],
    [
      'stateAt',
      async ([value]): Promise<StatedList | null> => {
        const heads = readHeads(value)
        if (heads === undefined) throw malformed('stateAt')
        return (await options.replica.checks.stateAt(heads)) ?? null
      },
    ],
    ['archive', async (_none, _progress, signal) => archive(options, signal)],
  ]
}

/**
 * A node that lacks what is behind the checkpoint may ask for it at any time: so all have to hold it,
 * and have taken it for their own.
 */
async function archive(
  { replica, archiving, members, clock }: CheckpointMethodsOptions,
  signal: AbortSignal,
): Promise<Archived> {
  await replica.settled()
  const checkpoint = archiving.checkpoint()
  const { source, sequence } = checkpoint
  const { silent, unreachable, left } = await awaitConfirmations(
    { source, sequence },
    {
      confirmations: replica.confirmations,
      members,
      clock,
      timeoutMs: WAIT_MS,
      committedAt: clock.monotonic(),
      onConfirmed: () => {},
      signal,
    },
  )
  const lacking = [...silent, ...unreachable, ...left]
  if (lacking.length === 0) return archiving.run(checkpoint)
  const fix = 'start them, or say that they will not come back: fridge node forget NAME'
  throw new FridgeError(
    'ERR_REFUSED',
    `cannot archive: ${lacking.join(', ')} may not hold the checkpoint; ${fix}`,
  )
}

function reportOf({ replica, signers }: CheckpointMethodsOptions): CheckpointReport {
  const { whitelist } = replica
  const standing = whitelist.standingCheckpoints
  const called = new Set(standing.flatMap(({ former }) => former))
  const former = signers.formerAuthorities().filter(authority => !called.has(authority))
  const newest = standing.reduce<Checkpoint | undefined>(
    (last, one) => (last !== undefined && last.at >= one.at ? last : one),
    undefined,
  )
  const heads = newest?.heads.values() ?? []
  const covered = [...heads].reduce((sum, { sequence }) => sum + sequence, 0)
  return {
    newest: newest === undefined ? null : { operator: newest.operator, at: newest.at },
    behind: Math.max(whitelist.changes - covered, 0),
    former,
  }
}

/** A request for a checkpoint, from outside. @returns undefined where it is one for something else */
export function readCheckpointRequest(
  value: unknown,
  operator: Name,
): CheckpointRequest | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, subject, wish, reason, ...rest } = value as Record<string, unknown>
  if (kind !== 'checkpoint') return undefined
  const isWellFormed =
    Object.keys(rest).length === 0 &&
    subject === WHOLE_LIST &&
    isWish(wish) &&
    (reason === undefined || isReason(reason))
  if (!isWellFormed) throw malformed('propose')
  return { kind, operator, wish, ...(reason !== undefined && { reason }) }
}
