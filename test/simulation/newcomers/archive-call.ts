import { checkpointMethods } from '../../../node/operators/checkpoints.ts'
import type { Checkpoint } from '../../../node/whitelist/change.ts'
import type { Machine } from './machine.ts'

/**
 * An operator asks a node to archive, all others of which are live.
 * @param run what archives up to the checkpoint that the node finds
 * @throws what the node answers if it refuses
 */
export async function callArchive(
  { replica, archiving, signers, clock }: Machine,
  others: readonly Machine[],
  run: (checkpoint: Checkpoint) => Promise<{ changes: number }>,
): Promise<unknown> {
  const members = {
    isLive: () => true,
    live: () => new Map(others.map(({ name, source }) => [source, { name, source }])),
    unreachable: () => new Map(),
    left: () => new Map(),
    subscribe: () => ({ [Symbol.dispose]: () => {} }),
  } as never
  const methods = new Map(
    checkpointMethods({
      replica,
      archiving: { checkpoint: () => archiving.checkpoint(), run },
      members,
      signers,
      clock,
    }),
  )
  return methods.get('archive')?.([], () => {}, new AbortController().signal)
}
