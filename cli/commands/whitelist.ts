import type { Command } from 'commander'
import type { CommandContext } from '../command.ts'
import { addTargetOptions, collect, type TargetOptions } from '../target.ts'
import { runWhitelistAdd, type WhitelistAddOptions } from './whitelist-add.ts'
import { runWhitelistList, runWhitelistShow } from './whitelist-list.ts'
import { runWhitelistRemove, type WhitelistChangeOptions } from './whitelist-remove.ts'

const NAME = 'a client; operator/NAME or node/NAME for the others'

/** Add `fridge whitelist …` to the program. */
export function registerWhitelist(program: Command, { io, action }: CommandContext): void {
  const whitelist = program
    .command('whitelist')
    .description('let clients in and throw them out, on every node at once')

  const add = whitelist
    .command('add')
    .description('let a client in, or change what it may do')
    .argument('<name>', NAME)
    .option('--sensor <name>', 'it may read this sensor only; repeat for more', collect)
    .option('--command <name>', 'it may call this command only; repeat for more', collect)
    .option(
      '--key <sha256>',
      'only with this key (fridge certs inspect shows it); repeat for more',
      collect,
    )
    .option('--expires-in <duration>', 'until then: 90s, 15m, 8h, 30d')
  addChangeOptions(add)
  add
    .addHelpText(
      'after',
      examples(
        'fridge whitelist add fridge-client-001',
        "fridge whitelist add laptop-7 --expires-in 8h --reason 'stocktaking'",
      ),
    )
    .action(
      action((name: string, options: WhitelistAddOptions) => runWhitelistAdd(name, options, io)),
    )

  const remove = whitelist
    .command('remove')
    .description('shut a client out, and cut its live connections, on every node')
    .argument('<name>', NAME)
  addChangeOptions(remove)
  remove
    .addHelpText('after', examples("fridge whitelist remove laptop-7 --reason 'lost on the train'"))
    .action(
      action((name: string, options: WhitelistChangeOptions) =>
        runWhitelistRemove(name, options, io),
      ),
    )

  const list = whitelist
    .command('list')
    .description('show every name that was ever added or removed')
  addTargetOptions(list, 'operator').action(
    action((options: TargetOptions) => runWhitelistList(options, io)),
  )

  const show = whitelist
    .command('show')
    .description('show one name: its grants and revocations; exit status 1 when it is not let in')
    .argument('<name>', NAME)
  addTargetOptions(show, 'operator').action(
    action((name: string, options: TargetOptions) => runWhitelistShow(name, options, io)),
  )
}

function addChangeOptions(command: Command): void {
  addTargetOptions(command, 'operator')
    .option('--reason <text>', 'why, for whoever asks later')
    .option('--no-wait', 'return when the first node has it on disk')
    .option('--timeout <duration>', 'how long to wait for the other nodes (default 10s)')
}

function examples(...commands: string[]): string {
  return `\nExamples:\n${commands.map(command => `  $ ${command}`).join('\n')}`
}
