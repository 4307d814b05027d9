import type { Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { runCertsAccept, type CertsAcceptOptions } from './certs-accept.ts'
import { runCertsEnroll, type CertsEnrollOptions } from './certs-enroll.ts'
import { runCertsInit, type CertsInitOptions } from './certs-init.ts'
import { runCertsInspect, type CertsInspectOptions } from './certs-inspect.ts'
import { runCertsIssue, type CertsIssueOptions } from './certs-issue.ts'
import { runCertsIssuingKey, type CertsIssuingKeyOptions } from './certs-issuing-key.ts'
import { runCertsRenew, type CertsRenewOptions } from './certs-renew.ts'
import { runCertsRequest, type CertsRequestOptions } from './certs-request.ts'
import { runCertsSign, type CertsSignOptions } from './certs-sign.ts'
import { runCertsToken, type CertsTokenOptions } from './certs-token.ts'
import { addTargetOptions, collect } from '../target.ts'
import {
  runRotateBegin,
  runRotateFinish,
  type RotateBeginOptions,
  type RotateFinishOptions,
} from './certs-rotate-ca.ts'

const FOLDER = 'certificate folder (default ./certs, or FRIDGE_CERTS)'
const KEY_TYPE = 'ecdsa (P-256, the default), rsa (2048 bits) or ed25519'

/** Fill `fridge certs`. */
export function fillCerts(certs: Command, context: CommandContext): void {
  const { io, action } = context
  certs
    .command('init')
    .description('make an authority and its first operator')
    .option('--certs <dir>', FOLDER)
    .option('--trust-domain <domain>', 'stands in every certificate (default fridge)')
    .option('--operator <name>', 'the first operator (default admin)')
    .option('--days <n>', 'days until the authority expires (default 3650)')
    .option('--key-type <type>', KEY_TYPE)
    .option('--encrypt', 'lock the keys of the authority and of operators with a passphrase')
    .option('--force', 'replace what is there; nothing signed before is trusted any more')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      examples(
        'fridge certs init',
        'fridge certs init --trust-domain shop.example --operator maria',
        'fridge certs init --encrypt',
      ),
    )
    .action(action((options: CertsInitOptions) => runCertsInit(options, io)))

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
      action((role: string, name: string, options: CertsIssueOptions) =>
        runCertsIssue(role, name, options, io),
      ),
    )

  fillRequests(certs, context)
  fillEnrolment(certs, context)
  fillExisting(certs, context)
  fillRotation(certs, context)
}

/** Certificates that are there: what stands in them, and others in their place. */
function fillExisting(certs: Command, { io, action }: CommandContext): void {
  certs
    .command('inspect')
    .description('say what stands in a certificate file; exit status 1 when there is a warning')
    .argument('<file>', 'certificates in PEM')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs inspect certs/nodes/alpha/certificate.pem'))
    .action(
      action((file: string, options: CertsInspectOptions) => runCertsInspect(file, options, io)),
    )

  certs
    .command('renew')
    .description('give somebody a new certificate: the same name, hosts and key')
    .argument('[what]', 'node, operator or client, with a name; or a certificate file')
    .argument('[name]', 'whose certificate, after a role')
    .option('--days <n>', 'days until it expires (default as many as before)')
    .option('--new-key', 'make a new key of the same kind as well')
    .option('--all', 'everyone in the folder')
    .option(
      '--node <host:port>',
      "a client, by a node that issues: where the authority's key is not",
    )
    .option('--certs <dir>', FOLDER)
    .option('--json', 'print one JSON document, one a line with --all')
    .addHelpText(
      'after',
      examples(
        'fridge certs renew node alpha',
        'fridge certs renew certs/clients/fridge-client-001/certificate.pem --days 30',
        'fridge certs renew client till-7 --node node-1.shop.example:7445',
      ),
    )
    .action(
      action((what: string | undefined, name: string | undefined, options: CertsRenewOptions) =>
        runCertsRenew(what, name, options, io),
      ),
    )
}

function fillRotation(certs: Command, { io, action }: CommandContext): void {
  const rotate = certs
    .command('rotate-ca')
    .description('replace the authority while everything runs, in two steps')

  rotate
    .command('begin')
    .description('make a new authority that signs from now on; the present one stays trusted')
    .option('--days <n>', 'days until the new authority expires (default 3650)')
    .option('--trust-domain <domain>', 'where the present authority states none (default fridge)')
    .option('--key-type <type>', KEY_TYPE)
    .option('--certs <dir>', FOLDER)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs rotate-ca begin', 'fridge certs renew --all'))
    .action(action((options: RotateBeginOptions) => runRotateBegin(options, io)))

  rotate
    .command('finish')
    .description('trust the new authority alone; old changes are still checked with the old one')
    .option('--force', 'leave those behind who have no new certificate')
    .option('--certs <dir>', FOLDER)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs rotate-ca finish'))
    .action(action((options: RotateFinishOptions) => runRotateFinish(options, io)))
}

/** How somebody gets a certificate whose key never leaves its machine. */
function fillRequests(certs: Command, { io, action }: CommandContext): void {
  certs
    .command('request')
    .description('make a key that stays here, and a request for a certificate, to be signed')
    .argument('<role>', 'node, operator or client')
    .argument('<name>', 'letters, digits, dots, underscores and hyphens')
    .option('--host <host>', 'name or address a node is reached at; repeat for more', collect)
    .option('--key-type <type>', KEY_TYPE)
    .option('--encrypt', "lock an operator's key with a passphrase")
    .option('--certs <dir>', FOLDER)
    .option('--force', 'replace the key that is there')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs request client till-7'))
    .action(
      action((role: string, name: string, options: CertsRequestOptions) =>
        runCertsRequest(role, name, options, io),
      ),
    )
  certs
    .command('sign')
    .description("sign a request, where the authority's key is")
    .argument('<file>', 'what fridge certs request has written')
    .option('--days <n>', 'days until it expires (default 365), never past the authority')
    .option('--out <file>', 'where to write what goes back (default NAME.signed.pem beside it)')
    .option('--certs <dir>', FOLDER)
    .option('--force', 'without being asked')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs sign request.pem'))
    .action(action((file: string, options: CertsSignOptions) => runCertsSign(file, options, io)))
  certs
    .command('accept')
    .description('put what was signed beside its key, and trust the authority that signed it')
    .argument('<file>', 'what fridge certs sign has written')
    .option('--certs <dir>', FOLDER)
    .option('--force', 'trust that authority in place of another')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs accept till-7.signed.pem'))
    .action(
      action((file: string, options: CertsAcceptOptions) => runCertsAccept(file, options, io)),
    )
}

/** How a client gets a certificate from a node. */
function fillEnrolment(certs: Command, { io, action }: CommandContext): void {
  certs
    .command('issuing-key')
    .description('make a key with which a node may give clients, and nobody else, certificates')
    .argument('<node>', 'the name of the node')
    .option('--days <n>', 'days until it expires (default 30), never past the authority')
    .option('--certs <dir>', FOLDER)
    .option('--force', 'replace the one that is there; take a node that the folder does not know')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('fridge certs issuing-key node-1'))
    .action(
      action((node: string, options: CertsIssuingKeyOptions) =>
        runCertsIssuingKey(node, options, io),
      ),
    )
  const token = certs
    .command('token')
    .description('print what a client shows once to a node that issues, as an operator')
    .argument('<role>', 'client')
    .argument('<name>', 'who it will be')
    .option('--expires-in <duration>', 'until then it can be used: 15m, 8h (default 1h)')
  addTargetOptions(token, 'operator')
    .addHelpText('after', examples('fridge certs token client till-7 --expires-in 1h'))
    .action(
      action((role: string, name: string, options: CertsTokenOptions) =>
        runCertsToken(role, name, options, io),
      ),
    )
  certs
    .command('enroll')
    .description('get a first certificate from a node by a token, for a key that is made here')
    .requiredOption('--node <host:port>', 'where that node takes tokens (enrolment.listen)')
    .option('--token-file <file>', 'a file that holds the token')
    .option('--token <token>', 'the token, which others here can read; - reads it from stdin')
    .option('--key-type <type>', KEY_TYPE)
    .option('--certs <dir>', FOLDER)
    .option('--force', 'replace the key that is there, and the authority that is trusted')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      examples(
        'fridge certs enroll --node node-1.shop.example:7445 --token-file token',
        'fridge certs enroll --node node-1.shop.example:7445 --token -',
      ),
    )
    .action(action((options: CertsEnrollOptions) => runCertsEnroll(options, io)))
}
