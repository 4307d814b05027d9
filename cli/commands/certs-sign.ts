import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import { signCertificate } from '../../node/authority/issue.ts'
import { readAuthority, writePublicFile } from '../../node/authority/key-store.ts'
import { readRequest } from '../../node/authority/request.ts'
import { isSelfSigned, parseCertificates } from '../../node/identity/certificate-chain.ts'
import { authorityFiles } from '../../node/identity/credential-files.ts'
import { describeKey, keyIdOf } from '../../node/identity/identity.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import {
  certificateFolder,
  parseDays,
  readSmallFile,
  reportHeading,
  shownPath,
  type FolderOptions,
} from './certs-options.ts'

export interface CertsSignOptions extends FolderOptions {
  readonly days?: string | undefined
  readonly out?: string | undefined
  /** Sign what nobody was asked about. */
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Sign a request with the authority of this machine. What comes of it, with the authority's own
 * certificate, is one file that goes back.
 * @throws FridgeError `ERR_USAGE` when nobody says that it is meant, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function runCertsSign(
  file: string,
  options: CertsSignOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const days = parseDays(options.days)
  const dir = certificateFolder(options, io)
  const path = resolve(io.cwd, file)
  const pem = await readSmallFile(path, file, 'name the file that fridge certs request has written')
  const { role, name, hosts, publicKey } = await readRequest(pem, file)
  const { certificateFile } = authorityFiles(dir)
  const bundle = parseCertificates(await readFile(certificateFile, 'utf8'), certificateFile)
  const what = `${role} ${name}, ${describeKey(publicKey)}, key ${keyIdOf(publicKey)}`
  if (options.force !== true) await assertMeant(what, io)
  const authority = await readAuthority(dir, passphraseOf(io))
  const now = io.clock.now()
  const certificate = await signCertificate({
    authority,
    role,
    name,
    publicKey,
    now,
    random: randomBytes,
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(days === undefined ? {} : { days }),
  })
  const signedFile =
    options.out === undefined
      ? join(dirname(path), `${name}.signed.pem`)
      : resolve(io.cwd, options.out)
  const roots = bundle.filter(isSelfSigned).map(one => `${one.toString().trim()}\n`)
  await writePublicFile(signedFile, certificate + roots.join(''))
  const [report] = inspectCertificates(certificate, signedFile, now)
  if (report === undefined) return EXIT.notDone
  if (options.json === true) {
    io.out(JSON.stringify({ signedFile, certificate: report }))
    return EXIT.done
  }
  io.out(reportHeading(report))
  io.out(`  ${shownPath(signedFile, io.cwd)}`)
  io.out(`Next, where the key is: fridge certs accept ${basename(signedFile)}`)
  return EXIT.done
}

async function assertMeant(what: string, { confirm }: CommandIo): Promise<void> {
  if (confirm === undefined) {
    throw new FridgeError(
      'ERR_USAGE',
      `nobody can be asked whether this is to be signed: ${what}`,
      {
        fix: 'compare it with what was asked for, and add --force',
      },
    )
  }
  if (await confirm(`Sign ${what}?`)) return
  throw new FridgeError('ERR_USAGE', 'nothing was signed')
}
