import { MAX_COMMENT } from '../../node/alarms/alarm.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatAlarm } from '../output/alarm-output.ts'
import type { TargetOptions } from '../target.ts'
import { askEachNode } from './alarms-nodes.ts'

export interface AlarmsAcknowledgeOptions extends TargetOptions {
  readonly comment?: string
}

/** Exit status: 0 the alarm is acknowledged, by this client or another; 1 no such alarm was found. */
export async function runAlarmsAcknowledge(
  id: string,
  { comment = '', ...options }: AlarmsAcknowledgeOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (!/^[0-9a-f]{4,12}$/.test(id)) {
    throw new FridgeError('ERR_USAGE', `${JSON.stringify(id)} is not the id of an alarm`, {
      fix: 'fridge alarms list --past shows them; the first four digits or more are enough',
    })
  }
  if (comment.length > MAX_COMMENT) {
    throw new FridgeError('ERR_USAGE', `the comment is longer than ${MAX_COMMENT} characters`)
  }
  let isFound = false
  const status = await askEachNode(options, io, async node => {
    const { standing, past } = await node.alarms()
    const fitting = [...standing, ...past].filter(alarm => alarm.id.startsWith(id))
    const [first, ...others] = fitting
    if (first === undefined) return 'next'
    if (others.length > 0) {
      const text = `${fitting.length} alarms of ${foreignText(first.node)} begin with ${id}`
      throw new FridgeError('ERR_USAGE', text, { fix: 'give more digits of the id' })
    }
    const alarm = await node.acknowledge(first.id, comment)
    isFound = true
    io.out(
      options.json === true
        ? JSON.stringify(alarm)
        : formatAlarm({ state: 'acknowledged', alarm }, io.hasColours),
    )
    return 'enough'
  })
  if (isFound) return EXIT.done
  io.err(`fridge: no alarm begins with ${id}`)
  io.err(
    '  to mend it: fridge status says which --node has it; fridge alarms list --past, those that are over',
  )
  return status === EXIT.done ? EXIT.notDone : status
}
