import type { Command } from 'commander'
import { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import type { Address } from '../../node/lib/address.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { silentLog } from '../../node/lib/log.ts'
import { startConsole } from '../../node/web/console.ts'
import { examples, type CommandContext } from '../command.ts'
import { ConsoleCalls } from '../console/calls.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { addTargetOptions, targetCredentials, targetNodes, type TargetOptions } from '../target.ts'

export interface ConsoleCommandOptions extends TargetOptions {
  readonly port?: string
}

/** Fill `fridge console`. */
export function fillConsole(console: Command, { io, action }: CommandContext): void {
  addTargetOptions(console, 'operator')
    .option('--port <port>', 'of 127.0.0.1 (default one that is free)')
    .addHelpText('after', HELP)
    .action(action((options: ConsoleCommandOptions) => runConsole(options, io)))
}

/** Serve the operator's page until Ctrl-C. Exit status: 0. */
export async function runConsole(
  options: ConsoleCommandOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const port = parsePort(options.port)
  const nodes = targetNodes(options, io)
  const credentials = await targetCredentials(options, 'operator', io)
  const { clock, signal } = io
  const connect = async (to: readonly Address[] = nodes): Promise<OperatorConnection> =>
    OperatorConnection.connect(to, credentials, { clock, signal })
  // What is wrong is said here, and not on a page first.
  const first = await connect()
  const { node } = first
  await first[Symbol.asyncDispose]()
  await using calls = new ConsoleCalls({ credentials, connect, signal, clock })
  const { subject } = credentials.identity
  await using running = await startConsole({
    port,
    call: calls.call,
    greeting: () => [
      ['hello', { protocol: 1, node, run: '', time: clock.now() }],
      [
        'rights',
        { subject, sensors: [], commands: ['acknowledge'], views: ['fleet', 'whitelist', 'log'] },
      ],
    ],
    clock,
    log: silentLog,
  })
  io.out(options.json === true ? JSON.stringify({ link: running.url }) : running.url)
  io.err('open it in a browser of this machine; it is good once. Ctrl-C closes the console.')
  if (!signal.aborted) {
    await new Promise(resolve => {
      signal.addEventListener('abort', resolve, { once: true })
    })
  }
  return EXIT.done
}

/** @throws FridgeError `ERR_USAGE` */
function parsePort(text = '0'): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port < 65_536) return port
  throw new FridgeError('ERR_USAGE', `--port ${JSON.stringify(text)} is no port`, {
    fix: 'give a number below 65536, or leave it out',
  })
}

const HELP = `
The page shows every fridge, who is on the list and the log, and changes the list: it invites, adds,
narrows and removes, and shows each node as it confirms that. Whatever it changes is signed by this
program, with the operator's key, which the page never sees. Only this machine can reach it.
${examples('fridge console', 'fridge console --node n1.example:7443 --node n2.example:7443')}`
