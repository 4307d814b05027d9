import { Command, CommanderError } from 'commander'
import { errorCode, errorMessage, FridgeError, type ErrorCode } from '../node/lib/errors.ts'
import { foreignText } from '../node/lib/foreign-text.ts'
import { VERSION } from '../node/lib/version.ts'
import { pathOf, type CommandContext, type FillCommand } from './command.ts'
import { withContext } from './contexts.ts'
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

/** A command with how the rest of it is loaded: no command waits for the code of the others. */
interface LazyCommand {
  readonly name: string
  readonly description: string
  /** Whether it is for programs, and no help shows it. Default false. */
  readonly isHidden?: boolean
  readonly load: () => Promise<FillCommand>
}

const COMMANDS: readonly LazyCommand[] = [
  {
    name: 'demo',
    description:
      'three nodes, an operator and a client on this machine; Ctrl-C ends and removes all of it',
    load: async () => (await import('./commands/demo.ts')).fillDemo,
  },
  {
    name: 'certs',
    description: 'make and read the certificates of nodes, operators and clients',
    load: async () => (await import('./commands/certs.ts')).fillCerts,
  },
  {
    name: 'node',
    description: 'run a node of the cluster',
    load: async () => (await import('./commands/node.ts')).fillNode,
  },
  {
    name: 'whitelist',
    description: 'let clients in and throw them out, on every node at once',
    load: async () => (await import('./commands/whitelist.ts')).fillWhitelist,
  },
  {
    name: 'origin',
    description: 'let pages of web sites in and throw them out, on every node at once',
    load: async () => (await import('./commands/origin.ts')).fillOrigin,
  },
  {
    name: 'seal',
    description: 'make the passphrases of sealed sensors',
    load: async () => (await import('./commands/seal.ts')).fillSeal,
  },
  {
    name: 'browser',
    description: 'invite a person with a browser, by a link that is good once',
    load: async () => (await import('./commands/browser.ts')).fillBrowser,
  },
  {
    name: 'console',
    description: 'a page for an operator, from this machine alone: see the fleet, change the list',
    load: async () => (await import('./commands/console.ts')).fillConsole,
  },
  {
    name: 'client',
    description: 'read sensors and call commands of any node',
    load: async () => (await import('./commands/client.ts')).fillClient,
  },
  {
    name: 'history',
    description: 'what a fridge did: tables, plots and reports, and whether it was altered since',
    load: async () => (await import('./commands/history.ts')).fillHistory,
  },
  {
    name: 'alarms',
    description: 'show the alarms of nodes, and take note of them',
    load: async () => (await import('./commands/alarms.ts')).fillAlarms,
  },
  {
    name: 'status',
    description: 'show every fridge and every node; exit status 1 while anything is wrong with one',
    load: async () => (await import('./commands/status.ts')).fillStatus,
  },
  {
    name: 'doctor',
    description: 'look for what is wrong here, and say what mends it; changes nothing',
    load: async () => (await import('./commands/doctor.ts')).fillDoctor,
  },
  {
    name: 'context',
    description: 'keep how clusters are reached under names, and say which one commands go to',
    load: async () => (await import('./commands/context.ts')).fillContext,
  },
  {
    name: 'completion',
    description: 'print what makes a shell complete commands, options and names',
    load: async () => (await import('./commands/completion.ts')).fillCompletion,
  },
  {
    name: 'man',
    description: 'print the manual page of all commands',
    load: async () => (await import('./commands/man.ts')).fillMan,
  },
  {
    name: 'complete',
    description: 'print what may stand where the cursor is',
    isHidden: true,
    load: async () => (await import('./commands/completion.ts')).fillComplete,
  },
]

interface GlobalOptions {
  readonly trace?: boolean
  readonly context?: string
}

/** Commands that no context says anything to: they make a cluster, or contexts. */
const OUT_OF_CONTEXT = /^(demo|node start|node install-service|context .*|complete|completion|man)$/

/**
 * Run one command line.
 * @param args without the program's own name
 * @param onBegun called when the command runs: by then it hears of all that it wants to hear of
 */
export async function runProgram(
  args: readonly string[],
  given: CommandIo,
  onBegun: () => void = () => {},
): Promise<ExitStatus> {
  let status: ExitStatus = EXIT.done
  let env = given.env
  const io: CommandIo = {
    ...given,
    get env() {
      return env
    },
  }
  const context: CommandContext = {
    io,
    action:
      run =>
      async (...values) => {
        const running = run(...values)
        onBegun()
        status = await running
      },
  }
  const program = new Command('fridge')
    .description('a cluster of TLS sensor nodes that share one whitelist of clients')
    .version(VERSION)
    .option('--trace', 'show the stack trace of a failure')
    .option(
      '--context <name>',
      'the context to use, or none (default the one of fridge context use)',
    )
    .showHelpAfterError('(--help shows what there is)')
    .showSuggestionAfterError()
    .addHelpText('after', EXAMPLES)
    .hook('preAction', async (_, command) => {
      const { context: named = given.env['FRIDGE_CONTEXT'] || undefined } =
        program.opts<GlobalOptions>()
      if (!OUT_OF_CONTEXT.test(pathOf(command))) env = await withContext(named, given)
    })
  const words = args.flatMap(arg => arg.split(' '))
  for (const { name, description, isHidden = false, load } of COMMANDS) {
    const command = program.command(name, { hidden: isHidden }).description(description)
    // `fridge NAME …`, `fridge help NAME`, and `fridge complete bash -- 'fridge NAME …'`.
    // The manual page is of all.
    if (words.includes(name) || words[0] === 'man') (await load())(command, context)
  }
  const isJson = args.includes('--json')
  configure(program, io, isJson)
  try {
    // Of a command that is not there, `help` would show what there is, and not that.
    const isMissing = args[0] === 'help' && !COMMANDS.some(({ name }) => name === args[1])
    await program.parseAsync(isMissing && args.length > 1 ? args.slice(1) : args, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done
      if (isJson) reportJson(new FridgeError('ERR_USAGE', usageProblem(error)), io)
      else if (error.code === 'commander.unknownOption' && args.some(arg => /^-[^-]./.test(arg)))
        io.err('  should it be a name: write -- before it, or its role, as client/NAME')
      return EXIT.usage
    }
    if (io.signal.aborted && errorCode(error) !== 'ERR_DATABASE') return EXIT.notDone
    if (isJson) reportJson(error, io)
    else report(error, io, program.opts<GlobalOptions>().trace === true)
    return statusOf(error)
  }
}

/** Commander writes and exits by itself unless each command is told not to. */
function configure(command: Command, io: CommandIo, isJson: boolean): void {
  command.exitOverride().configureOutput({
    writeOut: text => io.out(text.trimEnd()),
    // A program is told once, in JSON.
    writeErr: text => {
      if (!isJson) io.err(text.trimEnd())
    },
  })
  for (const child of command.commands) configure(child, io, isJson)
}

/** What Commander says is wrong, without its first word, in one line. */
function usageProblem({ message }: CommanderError): string {
  return message.replace(/^error: /, '').replaceAll(/\s+/g, ' ')
}

/** One line on stderr: `{"error":{"code","message","fix"?},"status"}`. */
function reportJson(error: unknown, io: CommandIo): void {
  const isOurs = error instanceof FridgeError
  const code = isOurs ? error.code : 'ERR_INTERNAL'
  const fix = isOurs ? error.fix : undefined
  const said = { code, message: errorMessage(error), ...(fix !== undefined && { fix }) }
  io.err(JSON.stringify({ error: said, status: statusOf(error) }))
}

function report(error: unknown, io: CommandIo, trace: boolean): void {
  // A message of ours is safe line by line; that of a fault may hold anything.
  const message = error instanceof FridgeError ? error.message : foreignText(errorMessage(error))
  io.err(`fridge: ${message}`)
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
