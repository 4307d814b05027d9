import type { Address } from '../../lib/address.ts'
import { formatAddress } from '../../lib/address.ts'
import { FridgeError } from '../../lib/errors.ts'
import { connectAny } from '../failover.ts'
import {
  openNodeConnection,
  type NodeConnection,
  type NodeConnectionOptions,
} from '../node-connection.ts'

/** What is to be said when a node refuses an operator for good that it had let in. */
export type Doubt = (lastWord: FridgeError) => Promise<FridgeError>

type DialOptions = Omit<NodeConnectionOptions, 'address'>

/** The addresses among some at which a connection did not end. */
function addressesBeside(
  { address }: Pick<NodeConnection, 'address'>,
  nodes: readonly Address[],
): Address[] {
  return nodes.filter(one => formatAddress(one) !== address)
}

/**
 * A stolen node may say anything: what the node of a connection says is believed unless another
 * node lets the operator in.
 */
export function doubtOf(
  connection: Pick<NodeConnection, 'node' | 'address'>,
  nodes: readonly Address[],
  options: DialOptions,
): Doubt {
  const others = addressesBeside(connection, nodes)
  return async lastWord => {
    if (others.length === 0) return lastWord
    try {
      await using other = await connectAny(others, options, [lastWord])
      return new FridgeError(
        'ERR_CLOSED',
        `${connection.node} says: ${lastWord.message}; ${other.node} lets you in`,
        {
          cause: lastWord,
          fix: `go on with --node ${other.address}, and look into ${connection.node}`,
        },
      )
    } catch (error) {
      return error instanceof FridgeError ? error : lastWord
    }
  }
}

/** Connect to another node than the one of a connection: two addresses may be of one. */
export async function connectOther(
  connection: Pick<NodeConnection, 'node' | 'address'>,
  nodes: readonly Address[],
  options: DialOptions,
): Promise<NodeConnection | undefined> {
  for (const address of addressesBeside(connection, nodes)) {
    const other = await openNodeConnection({ ...options, address }).catch(() => undefined)
    if (other === undefined) continue
    if (other.node !== connection.node) return other
    await other[Symbol.asyncDispose]()
  }
  return undefined
}
