import { randomBytes } from 'node:crypto'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import { issueCertificate } from '../../node/authority/issue.ts'
import { assertReplaceable, readAuthority, writePair } from '../../node/authority/key-store.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { isRole, parseName, ROLES, type Name, type Role } from '../../node/identity/names.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import { jsonPair } from './certs-init.ts'
import {
  certificateFolder,
  folderFlag,
  pairLines,
  parseDays,
  parseKeyType,
  type FolderOptions,
} from './certs-options.ts'

export interface CertsIssueOptions extends FolderOptions {
  readonly host?: readonly string[] | undefined
  readonly days?: string | undefined
  readonly trustDomain?: string | undefined
  readonly keyType?: string | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Issue one certificate, with its key.
 * @param roleText `node`, `operator` or `client`, as typed
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function runCertsIssue(
  roleText: string,
  nameText: string,
  options: CertsIssueOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { role, name } = parseHolder(roleText, nameText, 'issue')
  const days = parseDays(options.days)
  const keyType = parseKeyType(options.keyType)
  const force = options.force === true
  const dir = certificateFolder(options, io)
  const files = credentialFiles(dir, role, name)
  const authority = await readAuthority(dir, passphraseOf(io))
  await assertReplaceable(files, { force })

  const now = io.clock.now()
  const pair = await issueCertificate({
    authority,
    role,
    name,
    now,
    random: randomBytes,
    ...(options.host === undefined ? {} : { hosts: options.host }),
    ...(days === undefined ? {} : { days }),
    ...(options.trustDomain === undefined ? {} : { trustDomain: options.trustDomain }),
    ...(keyType === undefined ? {} : { keyType }),
  })
  await writePair(files, pair, { force })

  const [report] = inspectCertificates(pair.certificate, files.certificateFile, now)
  if (report === undefined) return EXIT.notDone
  if (options.json === true) {
    io.out(JSON.stringify(jsonPair(files, report)))
    return EXIT.done
  }
  for (const line of pairLines(files, report, io.cwd)) io.out(line)
  io.out(`Next: ${nextCommand(role, name)}${folderFlag(options)}`)
  return EXIT.done
}

/**
 * Who somebody is to be, as typed.
 * @param command the one of `fridge certs` that is to be typed anew
 * @throws FridgeError `ERR_USAGE`
 */
export function parseHolder(
  role: string,
  nameText: string,
  command: string,
): { readonly role: Role; readonly name: Name } {
  if (!isRole(role)) {
    throw new FridgeError('ERR_USAGE', `${JSON.stringify(role)} is not a role`, {
      fix: `fridge certs ${command} ${ROLES.join('|')} NAME`,
    })
  }
  const name = parseName(nameText)
  if (!name.startsWith('-')) return { role, name }
  throw new FridgeError('ERR_USAGE', `${name} would be taken for an option in every command`, {
    fix: 'choose a name that begins with a letter or a digit',
  })
}

/** What somebody who has just got a certificate types next. */
export function nextCommand(role: Role, name: Name): string {
  switch (role) {
    case 'node':
      return `fridge node start --name ${name}`
    case 'operator':
      return `fridge whitelist list --as ${name}`
    default:
      return `fridge whitelist add ${name}`
  }
}
