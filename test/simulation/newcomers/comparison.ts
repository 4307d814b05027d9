import type { NodeConnection } from '../../../node/client/node-connection.ts'
import { differenceOf } from '../../../node/client/operator/second-node.ts'
import { nodeOf } from '../../../node/identity/names.ts'
import { headFields, readHeads, type Checkpoint } from '../../../node/whitelist/change.ts'
import { StateRoot } from '../../../node/whitelist/state-root.ts'
import type { Machine } from './machine.ts'

/** How an operator reaches a machine, to compare with it what another one proposes. */
function connectionTo({ replica }: Machine): Pick<NodeConnection, 'call' | 'methods'> {
  const call = async (method: string, [value]: readonly unknown[]): Promise<unknown> => {
    if (method === 'clock') return Object.fromEntries(replica.whitelist.clock())
    const heads = method === 'stateAt' ? readHeads(value) : undefined
    return heads && ((await replica.checks.stateAt(heads)) ?? null)
  }
  return { call, methods: new Set(['clock', 'stateAt']) }
}

/**
 * Compare a checkpoint that a machine proposes with what others say, as its operator does: once as it is,
 * and once as a thief of the machine would have it.
 * @returns what is wrong about what the operator finds
 */
export async function wrongBy(
  machines: readonly Machine[],
  proposed: Checkpoint,
): Promise<string[]> {
  const wrong: string[] = []
  for (const second of machines) {
    if (!second.isOpen || second.name === nodeOf(proposed.source)) continue
    const what = await compareWith(second, proposed)
    if (what !== undefined) wrong.push(what)
  }
  return wrong
}

async function compareWith(second: Machine, proposed: Checkpoint): Promise<string | undefined> {
  const find = async (one: Checkpoint): ReturnType<typeof differenceOf> =>
    differenceOf(one, connectionTo(second), { sleep: async () => {} })
  if ((await find(proposed)) === 'state') {
    return `${second.name} says that the list at ${JSON.stringify(headFields(proposed.heads))} was another one`
  }
  const lie = { ...proposed, state: new StateRoot().root(), subjects: 0 }
  const isLie = lie.state !== proposed.state
  return isLie && (await find(lie)) === undefined
    ? `${second.name} has an operator sign a list that never was`
    : undefined
}
