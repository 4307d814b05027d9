import type { Command } from 'commander'
import type { CommandContext } from '../command.ts'
import { runCertsInit, type CertsInitOptions } from './certs-init.ts'
import { runCertsInspect, type CertsInspectOptions } from './certs-inspect.ts'
import { runCertsIssue, type CertsIssueOptions } from './certs-issue.ts'

const FOLDER = 'certificate folder (default ./certs, or FRIDGE_CERTS)'
const KEY_TYPE = 'ecdsa (P-256, the default), rsa (2048 bits) or ed25519'

/** Add `fridge certs …` to the program. */
export function registerCerts(program: Command, context: CommandContext): void {
  const { io } = context
  const certs = program
    .command('certs')
    .description('make and read the certificates of nodes, operators and clients')

  certs
    .command('init')
    .description('make an authority and its first operator')
    .option('--certs <dir>', FOLDER)
    .option('--trust-domain <domain>', 'stands in every certificate (default fridge)')
    .option('--operator <name>', 'the first operator (default admin)')
    .option('--days <n>', 'days until the authority expires (default 3650)')
    .option('--key-type <type>', KEY_TYPE)
    .option('--force', 'replace what is there; nothing signed before is trusted any more')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      examples(
        'fridge certs init',
        'fridge certs init --trust-domain shop.example --operator maria',
      ),
    )
    .action(context.action((options: CertsInitOptions) => runCertsInit(options, io)))

  certs
    .command('issue')
    .description('make a key and a certificate for a node, an operator or a client')
    .argument('<role>', 'node, operator or client')
    .argument('<name>', 'letters, digits, dots, underscores and hyphens')
    .option(
      '--host <host>',
      'name or address a node is reached at; repeat for more (default: its name and this machine)',
      collect,
    )
    .option('--days <n>', 'days until it expires (default 365), never past the authority')
    .option('--trust-domain <domain>', "where it is not the authority's own")
    .option('--key-type <type>', KEY_TYPE)
    .option('--certs <dir>', FOLDER)
    .option('--force', 'replace the key and the certificate that are there')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      examples(
        'fridge certs issue node alpha --host alpha.shop.example --host 10.0.0.5',
        'fridge certs issue client fridge-client-001 --days 30',
      ),
    )
    .action(
      context.action((role: string, name: string, options: CertsIssueOptions) =>
        runCertsIssue(role, name, options, io),
      ),
    )

  certs
    .command('inspect')
    .description('say what stands in a certificate file; exit status 1 when there is a warning')
    .argument('<file>', 'certificates in PEM')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs inspect certs/nodes/alpha/certificate.pem'))
    .action(
      context.action((file: string, options: CertsInspectOptions) =>
        runCertsInspect(file, options, io),
      ),
    )
}

function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

function examples(...commands: string[]): string {
  return `\nExamples:\n${commands.map(command => `  $ ${command}`).join('\n')}`
}
