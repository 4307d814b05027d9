import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import { writePublicFile } from '../../node/authority/key-store.ts'
import { isSelfSigned, parseCertificates } from '../../node/identity/certificate-chain.ts'
import { pathOf } from '../../node/identity/certificate-path.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { identityOf } from '../../node/identity/identity.ts'
import { usagesOf } from '../../node/identity/path-rules.ts'
import { openPrivateKey, type AskPassphrase } from '../../node/identity/private-key.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import { nextCommand } from './certs-issue.ts'
import {
  certificateFolder,
  folderFlag,
  readSmallFile,
  reportHeading,
  shownPath,
  type FolderOptions,
} from './certs-options.ts'
import { requestFileOf } from './certs-request.ts'

export interface CertsAcceptOptions extends FolderOptions {
  /** Take the authority in place of another one that the folder trusts. */
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Put what the authority has signed beside the key that it is for, and trust that authority.
 * @throws FridgeError `ERR_CERTIFICATE`, `ERR_KEY_FILE`, `ERR_FILE_EXISTS`
 */
export async function runCertsAccept(
  file: string,
  options: CertsAcceptOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const dir = certificateFolder(options, io)
  const pem = await readSmallFile(
    resolve(io.cwd, file),
    file,
    'name the file that fridge certs sign has written',
  )
  const certificateFile = await acceptSigned(pem, file, dir, {
    force: options.force === true,
    ask: passphraseOf(io),
  })
  const [report] = inspectCertificates(pem, file, io.clock.now())
  if (report === undefined) return EXIT.notDone
  if (options.json === true) {
    io.out(JSON.stringify({ certificateFile, certificate: report }))
    return EXIT.done
  }
  io.out(reportHeading(report))
  io.out(`  ${shownPath(certificateFile, io.cwd)}`)
  const { role, name } = identityOf(new X509Certificate(pem).raw)
  io.out(`Next: ${nextCommand(role, name)}${folderFlag(options)}`)
  return EXIT.done
}

/**
 * Check a chain with its authorities against the key that is in the folder, and write it there.
 * @returns where the certificate lies now
 * @throws FridgeError as `runCertsAccept`
 */
export async function acceptSigned(
  pem: string,
  file: string,
  dir: string,
  { force, ask }: { readonly force: boolean; readonly ask: AskPassphrase },
): Promise<string> {
  const [leaf, ...others] = parseCertificates(pem, file)
  const { role, name } = identityOf(leaf.raw)
  const files = credentialFiles(dir, role, name)
  const again = `fridge certs request ${role} ${name}`
  const key = await readSmallFile(files.keyFile, `the key of ${role} ${name}`, again)
  if (!leaf.checkPrivateKey(await openPrivateKey(key, files.keyFile, ask))) {
    throw new FridgeError('ERR_CERTIFICATE', `${file} is for another key than ${files.keyFile}`, {
      fix: `sign the request that belongs to this key, or make another: ${again} --force`,
    })
  }
  const trusted = others.filter(isSelfSigned)
  const intermediates = others.filter(one => !trusted.includes(one))
  const path = pathOf(leaf, { intermediates, trusted, usages: usagesOf(role) })
  if ('broken' in path) {
    throw new FridgeError('ERR_CERTIFICATE', `${file} cannot be accepted: ${path.broken}`, {
      fix: 'take the whole file that fridge certs sign has written',
    })
  }
  await trustAuthorities(trusted, files.caFile, { force })
  await writePublicFile(files.certificateFile, textOf([leaf, ...intermediates]))
  await rm(requestFileOf(files.keyFile), { force: true })
  return files.certificateFile
}

/** Write a bundle of authorities where there is none, or the same. @throws FridgeError `ERR_FILE_EXISTS` */
export async function trustAuthorities(
  trusted: readonly X509Certificate[],
  caFile: string,
  options: { readonly force: boolean },
): Promise<void> {
  const isOf = (known: X509Certificate): boolean => trusted.some(({ raw }) => raw.equals(known.raw))
  if (await assertTrustable(caFile, isOf, options)) return
  await mkdir(dirname(caFile), { recursive: true, mode: 0o700 })
  await writePublicFile(caFile, textOf(trusted))
}

/**
 * Refuse before any work when a folder trusts others than an authority that is to be trusted.
 * @param isWanted whether a certificate is that authority's
 * @returns whether it is trusted already
 * @throws FridgeError `ERR_FILE_EXISTS` without `force`
 */
export async function assertTrustable(
  caFile: string,
  isWanted: (known: X509Certificate) => boolean,
  { force }: { readonly force: boolean },
): Promise<boolean> {
  const before = await readFile(caFile, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  })
  const known = before === '' ? [] : parseCertificates(before, caFile)
  if (known.some(isWanted)) return true
  if (known.length === 0 || force) return false
  throw new FridgeError('ERR_FILE_EXISTS', `${caFile} trusts another authority`, {
    fix: 'look at both with fridge certs inspect; to trust the new one alone: --force, or another folder: --certs DIR',
  })
}

export function textOf(certificates: readonly X509Certificate[]): string {
  return certificates.map(one => `${one.toString().trim()}\n`).join('')
}
