import type { Command } from 'commander'
import type { CommandContext } from '../command.ts'
import { collect } from '../target.ts'
import { runNodeStart, type NodeStartOptions } from './node-start.ts'

/** Add `fridge node …` to the program. */
export function registerNode(program: Command, { io, action }: CommandContext): void {
  const node = program.command('node').description('run a node of the cluster')
  node
    .command('start')
    .description('serve until SIGINT or SIGTERM; a second one does not wait')
    .option('--config <file>', 'configuration, YAML or JSON; flags and FRIDGE_… go over it')
    .option('--name <name>', 'the name in its certificate')
    .option('--listen <host:port>', 'where to listen (default 127.0.0.1:7443)')
    .option(
      '--advertise <host:port>',
      'where others reach it; repeat for more (default --listen)',
      collect,
    )
    .option('--peer <host:port>', 'a node to start from; repeat for more', collect)
    .option('--certs <dir>', 'certificate folder (default ./certs)')
    .option('--data <dir>', 'folder of its database (default ./data/NAME)')
    .option(
      '--log-level <level>',
      'trace, debug, info, warn, error, fatal or silent (default info)',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ fridge node start --name node-1
  $ fridge node start --name node-2 --listen 127.0.0.1:7444 --peer 127.0.0.1:7443
  $ fridge node start --config node.yaml`,
    )
    .action(action((options: NodeStartOptions) => runNodeStart(options, io)))
}
