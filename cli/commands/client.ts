import type { Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { addPassphraseOption, addTargetOptions, type TargetOptions } from '../target.ts'
import { runClientCall } from './client-call.ts'
import { runClientWatch, type ClientWatchOptions } from './client-watch.ts'

/** Fill `fridge client`. */
export function fillClient(client: Command, { io, action }: CommandContext): void {
  const watch = client
    .command('watch')
    .description(
      'print what the sensors say, and the alarms of the node and of limits of your own; moves to another node when one is lost',
    )
    .option('--door-timeout <duration>', 'alarm when the door is open for longer, for example 30s')
    .option('--max-temperature <celsius>', 'alarm when it is warmer')
    .option('--min-temperature <celsius>', 'alarm when it is colder')
    .option('--for <duration>', 'only when it is so for as long (default at once)')
    .option('--all', 'watch every node that is named, not the first that answers')
  addPassphraseOption(addTargetOptions(watch, 'client'))
    .addHelpText(
      'after',
      examples(
        'fridge client watch --door-timeout 30s --max-temperature 8 --min-temperature 2 --for 15m',
        'fridge client watch --all --node node-1:7443 --node node-2:7443',
        'fridge client watch --passphrase-file kitchen.txt',
      ),
    )
    .action(action((options: ClientWatchOptions) => runClientWatch(options, io)))

  const call = client
    .command('call')
    .description('call a command: setTargetTemperature CELSIUS, defrost, powerOn, powerOff')
    .argument('<command>')
    .argument('[argument...]')
  addTargetOptions(call, 'client')
    .addHelpText('after', examples('fridge client call setTargetTemperature 5'))
    .action(
      action((command: string, values: string[], options: TargetOptions) =>
        runClientCall(command, values, options, io),
      ),
    )
}
