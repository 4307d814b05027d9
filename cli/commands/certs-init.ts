import { randomBytes } from 'node:crypto'
import { createAuthority, openAuthority } from '../../node/authority/authority.ts'
import { inspectCertificates, type CertificateReport } from '../../node/authority/inspect.ts'
import { DEFAULT_TRUST_DOMAIN, issueCertificate } from '../../node/authority/issue.ts'
import { assertReplaceable, writePair, type PairFiles } from '../../node/authority/key-store.ts'
import { authorityFiles, credentialFiles } from '../../node/identity/credential-files.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { parseName } from '../../node/identity/names.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { newPassphrase } from '../passphrase.ts'
import {
  certificateFolder,
  folderFlag,
  pairLines,
  parseDays,
  parseKeyType,
  type FolderOptions,
} from './certs-options.ts'

export interface CertsInitOptions extends FolderOptions {
  readonly trustDomain?: string | undefined
  /** Name of the first operator. Default `admin`. */
  readonly operator?: string | undefined
  /** Days until the authority expires. */
  readonly days?: string | undefined
  readonly keyType?: string | undefined
  /** Lock the keys of the authority and of operators with a passphrase. Default false. */
  readonly encrypt?: boolean | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Make an authority and its first operator.
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_KEY_FILE`
 */
export async function runCertsInit(options: CertsInitOptions, io: CommandIo): Promise<ExitStatus> {
  const dir = certificateFolder(options, io)
  const name = parseName(options.operator ?? 'admin')
  const days = parseDays(options.days)
  const keyType = parseKeyType(options.keyType) ?? 'ecdsa'
  const force = options.force === true
  const flag = folderFlag(options)
  const authority = authorityFiles(dir)
  const operator = credentialFiles(dir, 'operator', name)

  // Both before either: no authority is replaced only to stop at the operator.
  const replaced = await isReplacing(authority, {
    force,
    fix: `fridge certs issue ROLE NAME${flag} uses it; --force starts over, and no certificate that it signed is trusted any more`,
  })
  await assertReplaceable(operator, { force })

  const passphrase = options.encrypt === true ? await newPassphrase(io) : undefined
  const now = io.clock.now()
  const common = { now, random: randomBytes, keyType }
  const pair = await createAuthority({
    ...common,
    trustDomain: options.trustDomain ?? DEFAULT_TRUST_DOMAIN,
    passphrase,
    ...(days === undefined ? {} : { days }),
  })
  const operatorPair = await issueCertificate({
    ...common,
    authority: openAuthority(pair, authority.certificateFile, passphrase),
    role: 'operator',
    name,
  })
  await writePair(authority, pair, { force })
  await writePair(operator, operatorPair, { force })

  const [authorityReport] = inspectCertificates(pair.certificate, authority.certificateFile, now)
  const [operatorReport] = inspectCertificates(
    operatorPair.certificate,
    operator.certificateFile,
    now,
  )
  if (authorityReport === undefined || operatorReport === undefined) return EXIT.notDone
  if (replaced)
    io.err('No certificate of the authority before is trusted any more: issue them again.')
  if (options.json === true) {
    io.out(
      JSON.stringify({
        authority: jsonPair(authority, authorityReport),
        operator: jsonPair(operator, operatorReport),
      }),
    )
    return EXIT.done
  }
  for (const line of [
    ...pairLines(authority, authorityReport, io.cwd),
    ...pairLines(operator, operatorReport, io.cwd),
    "Keep the authority's private key off the nodes: whoever has it can be anyone.",
    `Next: fridge certs issue node NAME --host HOST${flag}`,
  ]) {
    io.out(line)
  }
  return EXIT.done
}

/** The files of a pair and what its certificate says, for `--json`. */
export function jsonPair(
  { keyFile, certificateFile }: PairFiles,
  certificate: CertificateReport,
): Record<string, unknown> {
  return { keyFile, certificateFile, certificate }
}

/** @throws FridgeError `ERR_FILE_EXISTS` when there is something to replace, without `force` */
async function isReplacing(
  files: PairFiles,
  { force, fix }: { force: boolean; fix: string },
): Promise<boolean> {
  try {
    await assertReplaceable(files, { fix })
    return false
  } catch (error) {
    if (force && error instanceof FridgeError && error.code === 'ERR_FILE_EXISTS') return true
    throw error
  }
}
