import type { Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { addTargetOptions } from '../target.ts'
import { runAlarmsAcknowledge, type AlarmsAcknowledgeOptions } from './alarms-acknowledge.ts'
import { runAlarmsList, type AlarmsListOptions } from './alarms-list.ts'

/** Fill `fridge alarms`. */
export function fillAlarms(alarms: Command, { io, action }: CommandContext): void {
  const list = alarms
    .command('list')
    .description('the alarms of each node that is named, of the sensors that you may read')
    .option('--past', 'those that are over as well, newest last')
  addTargetOptions(list, 'client, or operator/NAME,')
    .addHelpText('after', examples('fridge alarms list --node node-1:7443 --node node-2:7443'))
    .action(action((options: AlarmsListOptions) => runAlarmsList(options, io)))

  const acknowledge = alarms
    .command('acknowledge')
    .description('take note of an alarm, standing or over: everybody sees who did, when and why')
    .argument('<id>', 'as `fridge alarms list` shows it, or the beginning of it')
    .option('--comment <text>', 'what was found, or done')
  addTargetOptions(acknowledge, 'client, or operator/NAME,')
    .addHelpText(
      'after',
      examples(
        "fridge alarms acknowledge 3f9a2c --comment 'vaccines moved to fridge 2'",
        "fridge alarms acknowledge 3f9a2c --comment 'door mended' --as operator/maria",
      ),
    )
    .action(
      action((id: string, options: AlarmsAcknowledgeOptions) =>
        runAlarmsAcknowledge(id, options, io),
      ),
    )
}
