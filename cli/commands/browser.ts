import type { Command } from 'commander'
import { Invitation, INVITATION_MS, type Welcome } from '../../node/client/operator/invitation.ts'
import { parseName, subjectOf, type Name } from '../../node/identity/names.ts'
import { errorMessage, FridgeError } from '../../node/lib/errors.ts'
import type { ShowReport } from '../../node/operators/subjects.ts'
import { examples, type CommandContext } from '../command.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatMoment } from '../moment.ts'
import { connectOperator } from '../operator.ts'
import { qrLines } from '../output/qr-code.ts'
import { collect } from '../target.ts'
import { termsOfAll } from './kept-terms.ts'
import { addChangeOptions } from './whitelist.ts'
import { addSubjects, termsOf, type WhitelistAddOptions } from './whitelist-add.ts'

/** Fill `fridge browser`. */
export function fillBrowser(browser: Command, { io, action }: CommandContext): void {
  const invite = browser
    .command('invite')
    .description('print a link that lets one browser in, and wait until somebody has opened it')
    .argument('<name>', 'what the list is to call the browser')
    .option('--sensor <name>', 'it may read this sensor only; repeat for more', collect)
    .option('--command <name>', 'it may call this command only; repeat for more', collect)
    .option('--expires-in <duration>', 'until then: 90s, 15m, 8h, 30d')
    .option(
      '--view <name>',
      'it sees this as well: fleet, whitelist, log; repeat for more',
      collect,
    )
    .option('--replace', 'what is not named is allowed, not left as an earlier grant has it')
  addChangeOptions(invite)
    .addHelpText('after', HELP)
    .action(
      action(async (name: string, options: WhitelistAddOptions) =>
        runBrowserInvite(parseName(name), options, io),
      ),
    )
}

/** Exit status: 0 the browser is let in on every node, 1 nobody came, or some nodes have not confirmed it. */
export async function runBrowserInvite(
  name: Name,
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  // What is wrong with the options is found before anybody is invited.
  termsOf(options, io)
  await using operator = await connectOperator(options, io)
  const before = await operator.show(subjectOf('client', name))
  const keys = keysOf(before, name)
  const { signal, clock } = io
  const guest = await new Invitation(name).awaitGuest(operator, {
    onLink: link => show(link, options, io),
    onRefused: why => io.err(why),
    signal,
    clock,
  })
  if (guest === undefined) {
    io.err(signal.aborted ? 'the invitation was withdrawn' : 'nobody has opened it in time')
    return EXIT.notDone
  }
  // The browser hears the answer over this connection.
  return await letIn(name, guest, { ...options, key: [...keys, guest.key] }, io)
}

/** Sign the grant, and tell the browser. */
async function letIn(
  name: Name,
  { key, answer }: Welcome,
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (options.json !== true) io.out(`a browser with the key ${key} has opened it`)
  let status: ExitStatus
  try {
    status = await addSubjects([subjectOf('client', name)], options, io)
  } catch (error) {
    await answer('the operator could not let it in: ask again').catch(() => {})
    throw error
  }
  await answer().catch((error: unknown) => {
    io.err(`the browser could not be told, and is let in: ${errorMessage(error)}`)
  })
  return status
}

/**
 * The keys that a name has already: another browser under it gets its own beside them.
 * @throws FridgeError `ERR_USAGE` where it is let in without one, by a certificate
 */
function keysOf({ standing, grants }: ShowReport, name: Name): readonly string[] {
  if (standing !== 'granted') return []
  const { keys } = termsOfAll(grants)
  if (keys !== undefined) return keys
  throw new FridgeError('ERR_USAGE', `${name} is let in by its certificate, with any key`, {
    fix: 'give the browser a name of its own',
  })
}

function show(link: string, { json }: WhitelistAddOptions, io: CommandIo): void {
  const until = io.clock.now() + INVITATION_MS
  if (json === true) return io.out(JSON.stringify({ link, until }))
  for (const line of qrLines(link)) io.out(line)
  io.out(link)
  io.err(`good once, until ${formatMoment(until)}: for whoever is invited alone. Waiting…`)
}

const HELP = `
Whoever opens the link first, within ten minutes, is let in, with a key that the browser makes and
keeps. Send it on a way that you trust, or let the camera of the device read the code. Ctrl-C
withdraws it. The page comes from the node that is asked: ask one that you trust.
${examples(
  'fridge browser invite phone-anna --view fleet',
  'fridge browser invite phone-anna --sensor temperature --expires-in 30d --node n1.example:7443',
)}`
