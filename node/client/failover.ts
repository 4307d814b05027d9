import { formatAddress, type Address } from '../lib/address.ts'
import { FridgeError } from '../lib/errors.ts'
import { areEnough, isLastWord } from './last-words.ts'
import {
  openNodeConnection,
  type NodeConnection,
  type NodeConnectionOptions,
} from './node-connection.ts'

/**
 * Connect to the first node that answers. One that refuses for good is believed when a second one
 * does so too, or when no other is left to be asked.
 * @param nodes tried in this order; at least one
 * @param heard what nodes have said before, that are not asked again
 * @throws FridgeError what they refuse with, or why none could be reached; of several failures the
 *   `cause` holds each
 */
export async function connectAny(
  nodes: readonly Address[],
  options: Omit<NodeConnectionOptions, 'address'>,
  heard: readonly FridgeError[] = [],
): Promise<NodeConnection> {
  const failures = [...heard]
  for (const address of nodes) {
    try {
      return await openNodeConnection({ ...options, address })
    } catch (error) {
      if (!(error instanceof FridgeError)) throw error
      failures.push(error)
      if (areEnough(failures)) break
    }
  }
  throw sumUp(failures, nodes)
}

function sumUp(failures: readonly FridgeError[], nodes: readonly Address[]): FridgeError {
  const [first, ...others] = failures
  if (first !== undefined && others.length === 0) return first
  const refusal =
    failures.find(isLastWord) ??
    failures.find(({ code }) => code !== 'ERR_UNREACHABLE' && code !== 'ERR_TIMEOUT')
  const fix = refusal?.fix ?? first?.fix ?? 'give the address of a node with --node HOST:PORT'
  const all = failures.map(({ message }) => `  - ${message}`).join('\n')
  const message = failures.every(isLastWord)
    ? refusal?.message
    : `none of ${nodes.map(formatAddress).join(', ')} could be used:\n${all}`
  return new FridgeError(refusal?.code ?? 'ERR_UNREACHABLE', message ?? all, {
    cause: failures,
    fix,
  })
}
