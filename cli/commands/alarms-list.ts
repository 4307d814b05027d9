import { describeAlarm, describeEnd, type Alarm } from '../../node/alarms/alarm.ts'
import { formatDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatMoment } from '../moment.ts'
import { formatRows } from '../table.ts'
import type { TargetOptions } from '../target.ts'
import { askEachNode } from './alarms-nodes.ts'

export interface AlarmsListOptions extends TargetOptions {
  readonly past?: boolean
}

/** Exit status: 0 every node that was named has answered, 1 some have not, 3 none has. */
export async function runAlarmsList(
  options: AlarmsListOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const alarms: Alarm[] = []
  const status = await askEachNode(options, io, async node => {
    const { standing, past } = await node.alarms()
    alarms.push(...(options.past === true ? past : []), ...standing)
    return 'next'
  })
  alarms.sort((one, other) => one.since - other.since)
  if (options.json === true) for (const alarm of alarms) io.out(JSON.stringify(alarm))
  else if (alarms.length > 0) {
    const head = ['ID', 'NODE', 'SENSOR', 'SINCE', 'LASTED', 'WHAT', 'ACKNOWLEDGED']
    const rows = [head, ...alarms.map(alarm => rowOf(alarm, io.clock.now()))]
    // What is wrong, and what somebody has noted of it, is to be read whole.
    for (const line of formatRows(rows, [5, 6], io.columns).flat()) io.out(line)
  } else if (status === EXIT.done) io.out('no alarms')
  return status
}

function rowOf(alarm: Alarm, now: number): string[] {
  const { id, node, sensor, since, until, acknowledged } = alarm
  const what = until === undefined ? describeAlarm(alarm) : `over: ${describeEnd(alarm)}`
  const noted =
    acknowledged === undefined
      ? '-'
      : [acknowledged.by, formatMoment(acknowledged.at), acknowledged.comment].join(' ').trimEnd()
  const lasted = formatDuration(Math.max(0, (until ?? now) - since))
  return [id, node, sensor, formatMoment(since), lasted, what, noted]
}
