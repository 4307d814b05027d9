import { parseAlarmLists, type AlarmLists } from '../../node/client/alarm-answers.ts'
import type { Alarm } from '../../node/alarms/alarm.ts'
import { parseAlarm } from '../../node/alarms/parse.ts'
import { holdersIn } from '../../node/authority/rotate.ts'
import type { NodeConnection } from '../../node/client/node-connection.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectAs, targetNodes, type TargetOptions } from '../target.ts'
import { certificateFolder } from './certs-options.ts'

/** A node that is asked for its alarms. */
export interface AlarmNode {
  readonly alarms: () => Promise<AlarmLists>
  readonly acknowledge: (id: string, comment: string) => Promise<Alarm>
}

/**
 * Ask the nodes that are named, one after the other, until one says `enough`: each has alarms of its
 * own. What is wrong with one of several is said, and keeps no other from being asked.
 * @returns 0 when all were asked, or one said `enough`; 1 when some could not be
 * @throws FridgeError when none could be asked
 */
export async function askEachNode(
  options: TargetOptions,
  io: CommandIo,
  ask: (node: AlarmNode) => Promise<'next' | 'enough'>,
): Promise<ExitStatus> {
  const failures: FridgeError[] = []
  const nodes = targetNodes(options, io).map(formatAddress)
  const role = await roleOf(options, io)
  for (const node of nodes) {
    try {
      await using connection = await connectAs(role, { ...options, node: [node] }, io)
      if ((await ask(alarmNode(connection, io))) === 'enough') return EXIT.done
    } catch (error) {
      if (!(error instanceof FridgeError)) throw error
      failures.push(error)
      // What keeps from asking at all does so at every node, and is said once.
      if (failures.length === nodes.length || error.code === 'ERR_KEY_FILE') throw error
      io.err(`${node}: ${foreignText(error.message)}`)
    }
  }
  return failures.length === 0 ? EXIT.done : EXIT.notDone
}

/**
 * A client where there is one; whoever has none may be an operator. So may the name of a context, which
 * is said for all commands, and for those of operators above all.
 */
async function roleOf(options: TargetOptions, io: CommandIo): Promise<'client' | 'operator'> {
  if (options.as !== undefined) return 'client'
  const named = io.env['FRIDGE_AS']
  const holders = await holdersIn(certificateFolder(options, io))
  const has = (role: string): boolean =>
    holders.some(holder => holder.role === role && (named === undefined || holder.name === named))
  return !has('client') && has('operator') ? 'operator' : 'client'
}

function alarmNode(connection: NodeConnection, { signal }: CommandIo): AlarmNode {
  const malformed = new FridgeError(
    'ERR_PROTOCOL',
    `${connection.node} answers with what are no alarms`,
    { fix: 'ask another node with --node HOST:PORT, and look into that one' },
  )
  return {
    alarms: async () => {
      // A node without rules has none, and does not offer them.
      if (!connection.methods.has('alarms')) return { standing: [], past: [] }
      const lists = parseAlarmLists(await connection.call('alarms', [], { signal }))
      if (lists === undefined) throw malformed
      return lists
    },
    acknowledge: async (id, comment) => {
      const alarm = parseAlarm(await connection.call('acknowledge', [id, comment], { signal }))
      if (alarm === undefined) throw malformed
      return alarm
    },
  }
}
