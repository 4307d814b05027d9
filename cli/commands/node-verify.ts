import type { X509Certificate } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { trustDomainOf } from '../../node/authority/authority.ts'
import { formerAuthorities } from '../../node/authority/rotate.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import { authorityFiles, credentialFiles } from '../../node/identity/credential-files.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { identityOf } from '../../node/identity/identity.ts'
import { isName } from '../../node/identity/names.ts'
import { ThreadedVerifier } from '../../node/identity/threaded-verifier.ts'
import type { Finding, Verification } from '../../node/storage/verification.ts'
import { verifyDatabase } from '../../node/storage/verify.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatMoment } from '../moment.ts'
import { count } from '../table.ts'
import { certificateFolder, shownPath } from './certs-options.ts'
import { nodeFolders, type NodeFolderOptions } from './node-options.ts'

export interface NodeVerifyOptions extends NodeFolderOptions {
  readonly json?: boolean
}

/** Findings shown to a person: behind so many, more say nothing new. `--json` shows all. */
const MAX_SHOWN = 50

/**
 * Check the whole database of a stopped node, or a copy of one.
 * @param copy a database file; default the node's own
 * @returns 0 it is sound, 1 it is not
 */
export async function runNodeVerify(
  copy: string | undefined,
  options: NodeVerifyOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { database, certs } =
    copy === undefined || options.config !== undefined
      ? await nodeFolders(options, io)
      : { database: copy, certs: certificateFolder(options, io) }
  const file = copy === undefined ? database : resolve(io.cwd, copy)
  await using verifier = new ThreadedVerifier({ clock: io.clock })
  const verification = await verifyDatabase(file, {
    verifier,
    ...(await authoritiesIn(certs)),
    ...(copy !== undefined && { fix: 'do not restore this copy; take another one' }),
  })
  const isSound = verification.findings.length === 0
  if (options.json === true) {
    io.out(JSON.stringify({ file, sound: isSound, ...verification }))
  } else print(shownPath(file, io.cwd), verification, io)
  return isSound ? EXIT.done : EXIT.notDone
}

function print(file: string, verification: Verification, io: CommandIo): void {
  const { changes, sources, signers, admitted, checkpoints, untrue, findings } = verification
  const { begins } = verification
  for (const { place, problem } of findings.slice(0, MAX_SHOWN)) {
    io.out(foreignText(`${place}: ${problem}`))
  }
  if (findings.length > MAX_SHOWN) io.out(`… and ${findings.length - MAX_SHOWN} more`)
  for (const fix of distinctFixes(findings)) io.out(`  to mend it: ${fix}`)
  const size = `${count(changes, 'change')} of ${count(sources, 'source')}, ${count(signers, 'signer')}`
  if (findings.length > 0)
    io.out(`${file} is not sound: ${count(findings.length, 'finding')} (${size})`)
  else {
    io.out(`${file} is sound: ${size}`)
    io.out(`the list that a node builds from it lets in ${count(admitted, 'name')}`)
    if (begins !== undefined) {
      const { at, operator, absent } = begins
      io.out(`it begins at the checkpoint of ${formatMoment(at)} by ${operator}, with its list:`)
      io.out(`  ${count(absent, 'older change')} were never here, and ${operator} answers for them`)
    }
    if (checkpoints > 0) io.out(`${count(checkpoints, 'checkpoint')}, ${untrue} of them untrue`)
  }
}

function distinctFixes(findings: readonly Finding[]): Set<string> {
  return new Set(findings.map(({ fix }) => fix))
}

/** Who may vouch for signers, by a certificate folder. @throws FridgeError `ERR_KEY_FILE`, `ERR_CERTIFICATE` */
export async function authoritiesIn(dir: string): Promise<{
  authorities: readonly X509Certificate[]
  trusted: readonly X509Certificate[]
  trustDomain: string | undefined
}> {
  const { certificateFile } = authorityFiles(dir)
  let pem: string
  try {
    pem = await readFile(certificateFile, 'utf8')
  } catch (cause) {
    throw new FridgeError('ERR_KEY_FILE', `cannot tell who is trusted: ${errorMessage(cause)}`, {
      cause,
      fix: `name the certificate folder with --certs DIR; it needs only ${shellWord(certificateFile)}`,
    })
  }
  const trusted = parseCertificates(pem, certificateFile)
  const authorities = [...trusted, ...(await formerAuthorities(dir))]
  for (const authority of trusted) {
    const trustDomain = trustDomainOf(authority)
    if (trustDomain !== undefined) return { authorities, trusted, trustDomain }
  }
  return { authorities, trusted, trustDomain: await trustDomainOfNodes(dir) }
}

/** An authority that openssl made may state none: then the certificates of nodes do. */
async function trustDomainOfNodes(dir: string): Promise<string | undefined> {
  const names: string[] = await readdir(join(dir, 'nodes')).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names.filter(isName)) {
    const { certificateFile } = credentialFiles(dir, 'node', name)
    const [leaf] = parseCertificates(await readFile(certificateFile, 'utf8'), certificateFile)
    const { trustDomain } = identityOf(leaf.raw)
    if (trustDomain !== undefined) return trustDomain
  }
  return undefined
}
