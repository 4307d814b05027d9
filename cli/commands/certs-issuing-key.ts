import { randomBytes } from 'node:crypto'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import { createIssuer } from '../../node/authority/issuer.ts'
import { assertReplaceable, readAuthority, writePair } from '../../node/authority/key-store.ts'
import { issuingFiles } from '../../node/enrolment/desk.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import { jsonPair } from './certs-init.ts'
import { parseHolder } from './certs-issue.ts'
import { certificateFolder, parseDays, shownPath, type FolderOptions } from './certs-options.ts'

export interface CertsIssuingKeyOptions extends FolderOptions {
  readonly days?: string | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Make a key with which one node may give clients their certificates.
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function runCertsIssuingKey(
  nodeText: string,
  options: CertsIssuingKeyOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { name } = parseHolder('node', nodeText, 'issuing-key')
  const days = parseDays(options.days)
  const force = options.force === true
  const dir = certificateFolder(options, io)
  const files = issuingFiles(dir, name)
  const authority = await readAuthority(dir, passphraseOf(io))
  await assertReplaceable(files, { force })
  const now = io.clock.now()
  const pair = await createIssuer({ authority, node: name, days, now, random: randomBytes })
  await writePair(files, pair, { force })
  const [report] = inspectCertificates(pair.certificate, files.certificateFile, now)
  if (report === undefined) return EXIT.notDone
  if (options.json === true) {
    io.out(JSON.stringify(jsonPair(files, report)))
    return EXIT.done
  }
  io.out(`issuing key of ${name}, for clients only, until ${report.notAfter.slice(0, 10)}`)
  io.out(`  ${shownPath(files.keyFile, io.cwd)}`)
  io.out(`  ${shownPath(files.certificateFile, io.cwd)}`)
  io.out('Whoever steals it can be any client whose grant names no key, until then (SECURITY.md).')
  io.out(`Next: enrolment: { listen: 0.0.0.0:7445 } in the configuration of ${name}`)
  return EXIT.done
}
