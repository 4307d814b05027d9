import type { Command } from 'commander'
import { isOrigin, originSubject, type Subject } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { examples, type CommandContext } from '../command.ts'
import { addTargetOptions, collect, type TargetOptions } from '../target.ts'
import { addChangeOptions, LOG_COLUMNS } from './whitelist.ts'
import { addSubjects, type WhitelistAddOptions } from './whitelist-add.ts'
import { runWhitelistList, runWhitelistShow } from './whitelist-list.ts'
import { runWhitelistLog } from './whitelist-log.ts'
import { runWhitelistRemove, type WhitelistRemoveOptions } from './whitelist-remove.ts'

const URL_TEXT = 'where the pages come from: https://HOST or https://HOST:PORT'

/**
 * The origin that a person means: as a browser says it, and nothing wider.
 * @throws FridgeError `ERR_USAGE`
 */
function parseOrigin(text: string): Subject {
  if (isOrigin(text)) return originSubject(text)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:') {
    throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is a page that came in clear`, {
      fix: 'serve it over HTTPS: whoever is on its line could be the page',
    })
  }
  const meant = url === undefined ? undefined : url.origin
  const fix = isOrigin(meant) ? `did you mean ${meant}?` : 'use https://HOST or https://HOST:PORT'
  const why = 'is not the origin of a page, as browsers say it'
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} ${why}`, { fix })
}

/** Fill `fridge origin`. */
export function fillOrigin(origin: Command, { io, action }: CommandContext): void {
  const add = origin
    .command('add')
    .description('let the pages of a web site in, or change what they may do')
    .argument('<url>', URL_TEXT)
    .option('--sensor <name>', 'they may read this sensor only; repeat for more', collect)
    .option('--command <name>', 'they may call this command only; repeat for more', collect)
    .option('--public', 'whoever opens such a page reads its --sensor, without signing in')
    .option('--expires-in <duration>', 'until then: 90s, 15m, 8h, 30d')
    .option(
      '--view <name>',
      'they may show this to who signs in and may see it: fleet, whitelist, log, or none; repeat for more',
      collect,
    )
    .option('--replace', 'what is not named is allowed, not left as an earlier grant has it')
    .option('--force', 'also a sensor that no node has, without being asked')
  addChangeOptions(add)
    .addHelpText('after', ADD_HELP)
    .action(
      action(async (url: string, options: WhitelistAddOptions) =>
        addSubjects([parseOrigin(url)], options, io),
      ),
    )

  const remove = origin
    .command('remove')
    .description('shut the pages of a web site out, and cut those that are open, on every node')
    .argument('<url>', URL_TEXT)
  addChangeOptions(remove)
    .option('--force', 'also an origin that was never let in, without being asked')
    .addHelpText('after', examples("fridge origin remove https://shop.example --reason 'sold'"))
    .action(
      action(async (url: string, options: WhitelistRemoveOptions) =>
        runWhitelistRemove([parseOrigin(url)], options, io),
      ),
    )

  const list = origin
    .command('list')
    .description('show every origin that was ever added or removed')
  addTargetOptions(list, 'operator').action(
    action((options: TargetOptions) => runWhitelistList(options, io, 'origin')),
  )

  const show = origin
    .command('show')
    .description('show one origin: its grants and removals; exit status 1 when it is not let in')
    .argument('<url>', URL_TEXT)
  addTargetOptions(show, 'operator').action(
    action(async (url: string, options: TargetOptions) =>
      runWhitelistShow(parseOrigin(url), options, io),
    ),
  )

  const log = origin
    .command('log')
    .description('show who changed an origin, when and why, with the signatures checked')
    .argument('<url>', URL_TEXT)
    .option('--limit <number>', 'only the newest so many (default all)')
  addTargetOptions(log, 'operator')
    .addHelpText('after', LOG_COLUMNS)
    .addHelpText('after', examples('fridge origin log https://shop.example --limit 20'))
    .action(
      action(async (url: string, options: TargetOptions & { limit?: string }) =>
        runWhitelistLog(parseOrigin(url), options, io),
      ),
    )
}

const ADD_HELP = `
Listing an origin protects the person at a browser: a page of any other origin is refused, whoever
is signed in elsewhere. It is no password. A program that is no browser can say that it is such a
page, so what an origin alone gives is what everybody may have: by default nothing, but the right to
sign in there as a client of the list.

--public gives more: whoever opens a page of the origin, and any program that can reach a node, reads
the sensors of --sensor without signing in. Commands are never public.
${examples(
  'fridge origin add https://shop.example',
  "fridge origin add https://shop.example --sensor temperature --public --reason 'the shop window'",
  'fridge origin add https://shop.example:8443 --expires-in 8h',
)}`
