import { randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import {
  readAuthority,
  writePair,
  writePublicFile,
  type PairFiles,
} from '../../node/authority/key-store.ts'
import { changeLines, renewCertificate } from '../../node/authority/renew.ts'
import { holdersIn, knownAuthorities } from '../../node/authority/rotate.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { isRole, parseName } from '../../node/identity/names.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import { runDeviceRenewal } from './certs-enroll.ts'
import {
  certificateFolder,
  parseDays,
  reportHeading,
  shownPath,
  type FolderOptions,
} from './certs-options.ts'

export interface CertsRenewOptions extends FolderOptions {
  readonly days?: string | undefined
  readonly newKey?: boolean | undefined
  /** Everyone in the folder. */
  readonly all?: boolean | undefined
  readonly json?: boolean | undefined
  /** The enrolment port of a node: where the authority's key is not. */
  readonly node?: string | undefined
}

/**
 * Give one who has a certificate of this authority a new one, or everyone in the folder.
 * @param what a role, with a name behind it, or a certificate file
 * @throws FridgeError `ERR_USAGE`, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function runCertsRenew(
  what: string | undefined,
  name: string | undefined,
  options: CertsRenewOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (options.node !== undefined) return renewThroughNode(what, name, options, io)
  const dir = certificateFolder(options, io)
  const days = parseDays(options.days)
  const targets = await targetsOf(dir, what, name, options, io)
  const ask = passphraseOf(io)
  const authority = await readAuthority(dir, ask)
  const known = await knownAuthorities(dir, ask)
  for (const files of targets) {
    const file = files.certificateFile
    const pem = await readPem(file)
    const now = io.clock.now()
    const { certificate, key } = await renewCertificate({
      pem,
      file,
      authority,
      known,
      days,
      newKey: options.newKey,
      now,
      random: randomBytes,
    })
    if (key === undefined) await writePublicFile(file, certificate)
    else await writePair(files, { key, certificate }, { force: true })

    const [before] = inspectCertificates(pem, file, now)
    const [after] = inspectCertificates(certificate, file, now)
    if (before === undefined || after === undefined) return EXIT.notDone
    if (options.json === true) {
      io.out(
        JSON.stringify({
          ...(key !== undefined && { keyFile: files.keyFile }),
          certificateFile: file,
          before,
          certificate: after,
        }),
      )
      continue
    }
    io.out(reportHeading(after))
    if (key !== undefined) io.out(`  ${shownPath(files.keyFile, io.cwd)}`)
    io.out(`  ${shownPath(file, io.cwd)}`)
    const lines = changeLines(new X509Certificate(pem), new X509Certificate(certificate))
    for (const line of lines) io.out(`  ${line}`)
  }
  if (options.json !== true) {
    io.out('Next: copy it to where it is used; a running node takes it up without a restart')
  }
  return EXIT.done
}

async function renewThroughNode(
  what: string | undefined,
  name: string | undefined,
  options: CertsRenewOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { all = false, newKey = false, days } = options
  if (what === 'client' && name !== undefined && !all && !newKey && days === undefined) {
    return runDeviceRenewal(parseName(name), options, io)
  }
  throw new FridgeError('ERR_USAGE', 'a node renews one client, for the key that it has', {
    fix: 'fridge certs renew client NAME --node HOST:PORT; all else where the authority is',
  })
}

async function targetsOf(
  dir: string,
  what: string | undefined,
  name: string | undefined,
  { all = false }: CertsRenewOptions,
  { cwd }: CommandIo,
): Promise<PairFiles[]> {
  if (all !== (what === undefined)) {
    throw new FridgeError(
      'ERR_USAGE',
      all ? '--all stands alone' : 'say whose certificate is to be renewed',
      { fix: 'fridge certs renew node|client|operator NAME, or FILE, or --all' },
    )
  }
  if (what === undefined) {
    return (await holdersIn(dir)).map(({ role, name }) => credentialFiles(dir, role, name))
  }
  if (isRole(what) && name !== undefined) return [credentialFiles(dir, what, parseName(name))]
  if (name !== undefined || isRole(what)) {
    throw new FridgeError(
      'ERR_USAGE',
      `${[what, name].join(' ').trim()} is not a role and a name`,
      {
        fix: 'fridge certs renew node|client|operator NAME, or fridge certs renew FILE',
      },
    )
  }
  const certificateFile = resolve(cwd, what)
  return [{ certificateFile, keyFile: join(dirname(certificateFile), 'private-key.pem') }]
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const why = errorCode(cause) === 'ENOENT' ? 'there is no such file' : errorMessage(cause)
    throw new FridgeError('ERR_KEY_FILE', `${file} cannot be renewed: ${why}`, {
      cause,
      fix: 'a first certificate is issued: fridge certs issue node|client|operator NAME',
    })
  }
}
