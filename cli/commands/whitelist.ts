import type { Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { addTargetOptions, collect, type TargetOptions } from '../target.ts'
import type { WhitelistAddOptions } from './whitelist-add.ts'
import type { WhitelistApplyOptions } from './whitelist-apply.ts'
import type { CheckpointOptions } from './whitelist-checkpoint.ts'
import type { WhitelistExportOptions } from './whitelist-export.ts'
import type { WhitelistListOptions, WhitelistShowOptions } from './whitelist-list.ts'
import type { WhitelistLogOptions } from './whitelist-log.ts'
import type { WhitelistVerifyOptions } from './whitelist-proof.ts'
import type { WhitelistRemoveOptions } from './whitelist-remove.ts'

const NAME = 'a client; operator/NAME, node/NAME or origin/URL for the others'
const NAMES = `${NAME}; several are made together, and waited for once`

/** Fill `fridge whitelist`. Each command loads its own code: a person waits for it. */
export function fillWhitelist(whitelist: Command, context: CommandContext): void {
  fillChanges(whitelist, context)
  fillReading(whitelist, context)
  addWatch(whitelist, context)
  addFiles(whitelist, context)
}

function fillChanges(whitelist: Command, { io, action }: CommandContext): void {
  const add = whitelist
    .command('add')
    .description('let clients in, or change what they may do')
    .argument('<name...>', NAMES)
    .option('--sensor <name>', 'it may read this sensor only; repeat for more', collect)
    .option('--command <name>', 'it may call this command only; repeat for more', collect)
    .option(
      '--key <sha256>',
      'only with this key (fridge certs inspect shows it); repeat for more',
      collect,
    )
    .option('--expires-in <duration>', 'until then: 90s, 15m, 8h, 30d')
    .option(
      '--view <name>',
      'a page shows it this as well: fleet, whitelist, log, or none; repeat for more',
      collect,
    )
    .option('--replace', 'what is not named is allowed, not left as an earlier grant has it')
    .option('--force', 'also a sensor that no node has, without being asked')
  addChangeOptions(add)
  add
    .addHelpText(
      'after',
      examples(
        'fridge whitelist add fridge-client-001',
        'fridge whitelist add till-1 till-2 till-3 --sensor temperature',
        "fridge whitelist add laptop-7 --expires-in 8h --reason 'stocktaking'",
      ),
    )
    .action(
      action(async (names: string[], options: WhitelistAddOptions) => {
        const { runWhitelistAdd } = await import('./whitelist-add.ts')
        return runWhitelistAdd(names, options, io)
      }),
    )

  const remove = whitelist
    .command('remove')
    .alias('rm')
    .description('shut clients out, and cut their live connections, on every node')
    .argument('<name...>', NAMES)
  addChangeOptions(remove).option(
    '--force',
    'also a name that nobody knows, or the last operator, without being asked',
  )
  remove
    .addHelpText('after', examples("fridge whitelist remove laptop-7 --reason 'lost on the train'"))
    .action(
      action(async (names: string[], options: WhitelistRemoveOptions) => {
        const { runWhitelistRemove } = await import('./whitelist-remove.ts')
        return runWhitelistRemove(names, options, io)
      }),
    )

  const checkpoint = whitelist
    .command('checkpoint')
    .description('sign what the list is now: authorities of before add nothing to it from here on')
  addChangeOptions(checkpoint)
  checkpoint
    .option('--archive', 'then move what decides nothing any more into a file beside its database')
    .addHelpText(
      'after',
      examples('fridge whitelist checkpoint', 'fridge whitelist checkpoint --archive'),
    )
    .action(
      action(async (options: CheckpointOptions) => {
        const { runWhitelistCheckpoint } = await import('./whitelist-checkpoint.ts')
        return runWhitelistCheckpoint(options, io)
      }),
    )
}

function fillReading(whitelist: Command, { io, action }: CommandContext): void {
  const list = whitelist
    .command('list')
    .alias('ls')
    .description('show every name that was ever added or removed')
  list
    .option('--revoked', 'only who was removed')
    .option('--expiring <duration>', 'only who is let in until then at the most: 7d')
    .option('--by <operator>', 'only whose newest change is by this operator')
  addTargetOptions(list, 'operator')
    .addHelpText('after', examples('fridge whitelist list --expiring 7d'))
    .action(
      action(async (options: WhitelistListOptions) => {
        const { runWhitelistList } = await import('./whitelist-list.ts')
        return runWhitelistList(options, io)
      }),
    )

  const show = whitelist
    .command('show')
    .description('show one name: its grants and revocations; exit status 1 when it is not let in')
    .argument('<name>', NAME)
    .option('--proof', 'with what proves what the newest checkpoint states of it')
  addTargetOptions(show, 'operator')
    .addHelpText(
      'after',
      examples(
        'fridge whitelist show laptop-7',
        'fridge whitelist show laptop-7 --proof --json > proof.json',
      ),
    )
    .action(
      action(async (name: string, options: WhitelistShowOptions) => {
        const { runWhitelistShow } = await import('./whitelist-list.ts')
        return runWhitelistShow(name, options, io)
      }),
    )
  addVerify(whitelist, { io, action })

  const log = whitelist
    .command('log')
    .description('show who changed what, when and why, each change with its signatures checked')
    .argument('[name]', `only changes of this name: ${NAME}`)
    .option('--since <moment>', 'made then or later: 8h (ago), 2026-03-01, 2026-03-01T08:30Z')
    .option('--until <moment>', 'made before')
    .option('--operator <name>', 'made by this operator')
    .option('--limit <number>', 'only the newest so many (default all)')
    .option('--follow', 'go on with each new change until Ctrl-C, at another --node if one is lost')
  addTargetOptions(log, 'operator')
    .addHelpText('after', LOG_HELP)
    .action(
      action(async (name: string | undefined, options: WhitelistLogOptions) => {
        const { runWhitelistLog } = await import('./whitelist-log.ts')
        return runWhitelistLog(name, options, io)
      }),
    )
}

function addFiles(whitelist: Command, { io, action }: CommandContext): void {
  const written = whitelist
    .command('export')
    .description('print who is let in now, as a file that apply reads')
    .option('--format <format>', 'yaml, csv or json (default yaml)')
    .option('--out <file>', 'write it there')
  addTargetOptions(written, 'operator')
    .addHelpText('after', examples('fridge whitelist export --format csv --out clients.csv'))
    .action(
      action(async (options: WhitelistExportOptions) => {
        const { runWhitelistExport } = await import('./whitelist-export.ts')
        return runWhitelistExport(options, io)
      }),
    )

  const apply = whitelist
    .command('apply')
    .description('make the list what a file says: shows the difference, and asks')
    .argument('<file>', 'YAML or JSON as export prints it; CSV where its name ends with .csv')
    .option('--dry-run', 'show the difference only; exit status 1 where there is one')
    .option('--prune', 'remove who is let in and not in the file')
    .option('--yes', 'do not ask')
  addChangeOptions(apply)
    .addHelpText(
      'after',
      examples(
        'fridge whitelist apply clients.csv --dry-run',
        "fridge whitelist apply clients.csv --prune --reason 'inventory of March'",
      ),
    )
    .action(
      action(async (file: string, options: WhitelistApplyOptions) => {
        const { runWhitelistApply } = await import('./whitelist-apply.ts')
        return runWhitelistApply(file, options, io)
      }),
    )
}

function addVerify(whitelist: Command, { io, action }: CommandContext): void {
  const verify = whitelist
    .command('verify')
    .description('check a proof of show --proof --json, without a node; 0 it holds, 1 it does not')
    .argument('<file>', 'what show --proof --json has printed')
  verify
    .option('--certs <dir>', 'certificate folder (default ./certs); it needs only its ca')
    .option('--json', 'as one line of JSON')
    .addHelpText('after', examples('fridge whitelist verify proof.json'))
    .action(
      action(async (file: string, options: WhitelistVerifyOptions) => {
        const { runWhitelistVerify } = await import('./whitelist-proof.ts')
        return runWhitelistVerify(file, options, io)
      }),
    )
}

function addWatch(whitelist: Command, { io, action }: CommandContext): void {
  const watch = whitelist
    .command('watch')
    .description('show the newest ten changes, and each new one as it comes, until Ctrl-C')
    .argument('[name]', `only changes of this name: ${NAME}`)
  addTargetOptions(watch, 'operator').action(
    action(async (name: string | undefined, options: TargetOptions) => {
      const { runWhitelistLog } = await import('./whitelist-log.ts')
      return runWhitelistLog(name, { ...options, limit: '10', follow: true }, io)
    }),
  )
}

/** Add the options of `WhitelistChangeOptions` to a command. */
export function addChangeOptions(command: Command): Command {
  return addTargetOptions(command, 'operator')
    .option('--reason <text>', 'why, for whoever asks later')
    .option('--no-wait', 'return when the first node has it on disk')
    .option('--timeout <duration>', 'how long to wait for the other nodes (default 10s)')
    .option('--allow-unreachable', 'exit with 0 though nodes out of reach have not confirmed it')
}

/** What the columns of a log mean. */
export const LOG_COLUMNS = `
Each line is one change, in the order in which the node took them, newest last. Both signatures,
the operator's and the accepting node's, are checked here against ca/certificate.pem: "verified".
What a change does now is what the node says:
  in effect  it stands
  replaced   a later grant, made in sight of it, took its place
  dead       a grant that has missed a revocation of its name: it admits nobody, for ever
  void       its operator or node was revoked, and it was made out of sight of that; or behind a
             checkpoint by a former authority, a certificate that had ended, or in sight of less
  untrue     a checkpoint that states a list which was not: it does nothing
  unchecked  a checkpoint of which the node is still finding out whether it is true
  forked     its node signed two at one place; it counts at a place of its own, in another line
  expired    it stood until its time was up
A stolen node cannot change or invent a line; it can leave out lines. Holes in a whole log are
named; ask a second node for the newest.
Exit status: 0 all that was shown is verified, 1 something is not, or was left out.`

const LOG_HELP = `${LOG_COLUMNS}
${examples(
  'fridge whitelist log --limit 20',
  'fridge whitelist log laptop-7 --since 30d',
  'fridge whitelist log --follow --node n1.example:7443 --node n2.example:7443',
)}`
