import { Command, CommanderError } from 'commander'
import { errorCode, errorMessage, FridgeError, type ErrorCode } from '../node/errors.ts'
import { VERSION } from '../node/version.ts'
import type { CommandContext } from './command.ts'
import { registerCerts } from './commands/certs.ts'
import { registerClient } from './commands/client.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerDemo } from './commands/demo.ts'
import { registerNode } from './commands/node.ts'
import { registerStatus } from './commands/status.ts'
import { registerWhitelist } from './commands/whitelist.ts'
import { EXIT, type CommandIo, type ExitStatus } from './io.ts'

const EXAMPLES = `
Examples:
  $ fridge demo
  $ fridge certs init
  $ fridge certs issue node node-1 --host node-1.example.org
  $ fridge node start --name node-1 --listen 0.0.0.0:7443 --advertise node-1.example.org:7443
  $ fridge whitelist add fridge-client-001 --node node-1.example.org:7443
  $ fridge client watch --as fridge-client-001 --node node-1.example.org:7443

Exit status: 0 done, 1 not fully done, 2 wrong usage, 3 no node reached, 4 refused.`

/**
 * Run one command line.
 * @param args without the program's own name
 */
export async function runProgram(args: readonly string[], io: CommandIo): Promise<ExitStatus> {
  let status: ExitStatus = EXIT.done
  const context: CommandContext = {
    io,
    action:
      run =>
      async (...values) => {
        status = await run(...values)
      },
  }
  const program = new Command('fridge')
    .description('a cluster of TLS sensor nodes that share one whitelist of clients')
    .version(VERSION)
    .option('--trace', 'show the stack trace of a failure')
    .showHelpAfterError('(--help shows what there is)')
    .showSuggestionAfterError()
    .addHelpText('after', EXAMPLES)
  registerDemo(program, context)
  registerCerts(program, context)
  registerNode(program, context)
  registerWhitelist(program, context)
  registerClient(program, context)
  registerStatus(program, context)
  registerDoctor(program, context)
  configure(program, io)
  try {
    await program.parseAsync(args, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    if (io.signal.aborted && errorCode(error) !== 'ERR_DATABASE') return EXIT.notDone
    report(error, io, program.opts()['trace'] === true)
    return statusOf(error)
  }
}

/** Commander writes and exits by itself unless each command is told not to. */
function configure(command: Command, io: CommandIo): void {
  command.exitOverride().configureOutput({
    writeOut: text => io.out(text.trimEnd()),
    writeErr: text => io.err(text.trimEnd()),
  })
  for (const child of command.commands) configure(child, io)
}

function report(error: unknown, io: CommandIo, trace: boolean): void {
  io.err(`fridge: ${errorMessage(error)}`)
  if (error instanceof FridgeError && error.fix !== undefined) io.err(`  to mend it: ${error.fix}`)
  if (!(error instanceof FridgeError) && !trace)
    io.err('  this is a fault of fridge; --trace shows where')
  if (trace && error instanceof Error) io.err(error.stack ?? '')
}

const STATUS_BY_CODE = new Map<ErrorCode, ExitStatus>([
  ['ERR_USAGE', EXIT.usage],
  ['ERR_CONFIG', EXIT.usage],
  ['ERR_UNREACHABLE', EXIT.unreachable],
  ['ERR_TIMEOUT', EXIT.unreachable],
  ['ERR_TLS', EXIT.unreachable],
  ['ERR_REFUSED', EXIT.refused],
  ['ERR_REVOKED', EXIT.refused],
  ['ERR_NOT_LISTED', EXIT.refused],
  ['ERR_EXPIRED', EXIT.refused],
  ['ERR_NOT_TRUSTED', EXIT.refused],
  ['ERR_LIMIT', EXIT.refused],
  ['ERR_ISOLATED', EXIT.refused],
  ['ERR_NOT_OPERATOR', EXIT.refused],
])

function statusOf(error: unknown): ExitStatus {
  if (!(error instanceof FridgeError)) return EXIT.notDone
  return STATUS_BY_CODE.get(error.code) ?? EXIT.notDone
}
