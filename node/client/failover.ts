import { formatAddress, type Address } from '../lib/address.ts'
import { FridgeError } from '../lib/errors.ts'
import {
  openNodeConnection,
  type NodeConnection,
  type NodeConnectionOptions,
} from './node-connection.ts'

/** Refusals that another node would give as well: the cluster shares one list. */
const FINAL = new Set(['ERR_REVOKED', 'ERR_NOT_LISTED', 'ERR_EXPIRED'])

/**
 * Connect to the first node that answers.
 * @param nodes tried in this order; at least one
 * @throws FridgeError what a node refuses with, or why none could be reached
 */
export async function connectAny(
  nodes: readonly Address[],
  options: Omit<NodeConnectionOptions, 'address'>,
): Promise<NodeConnection> {
  const failures: FridgeError[] = []
  for (const address of nodes) {
    try {
      return await openNodeConnection({ ...options, address })
    } catch (error) {
      if (!(error instanceof FridgeError) || FINAL.has(error.code)) throw error
      failures.push(error)
    }
  }
  const [only, ...others] = failures
  if (only !== undefined && others.length === 0) throw only
  const refusal = failures.find(({ code }) => code !== 'ERR_UNREACHABLE' && code !== 'ERR_TIMEOUT')
  throw new FridgeError(
    refusal?.code ?? 'ERR_UNREACHABLE',
    `none of ${nodes.map(formatAddress).join(', ')} could be used:\n${failures.map(({ message }) => `  - ${message}`).join('\n')}`,
    {
      cause: failures,
      fix: refusal?.fix ?? only?.fix ?? 'give the address of a node with --node HOST:PORT',
    },
  )
}
