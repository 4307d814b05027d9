import type { Fridge } from '../../node/client/fridge.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectClient, targetNodes, type TargetOptions } from '../target.ts'

/**
 * Ask the nodes that are named, one after the other, until one says `enough`: each has alarms of its
 * own. What is wrong with one of several is said, and keeps no other from being asked.
 * @returns 0 when all were asked, or one said `enough`; 1 when some could not be
 * @throws FridgeError when none could be asked
 */
export async function askEachNode(
  options: TargetOptions,
  io: CommandIo,
  ask: (fridge: Fridge) => Promise<'next' | 'enough'>,
): Promise<ExitStatus> {
  const failures: FridgeError[] = []
  const nodes = targetNodes(options, io).map(formatAddress)
  for (const node of nodes) {
    try {
      await using fridge = await connectClient({ ...options, node: [node] }, io)
      if ((await ask(fridge)) === 'enough') return EXIT.done
    } catch (error) {
      if (!(error instanceof FridgeError)) throw error
      failures.push(error)
      if (failures.length === nodes.length) throw error
      io.err(`${node}: ${foreignText(error.message)}`)
    }
  }
  return failures.length === 0 ? EXIT.done : EXIT.notDone
}
