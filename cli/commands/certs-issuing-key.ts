import { randomBytes } from 'node:crypto'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import { holdersIn } from '../../node/authority/rotate.ts'
import { createIssuer } from '../../node/authority/issuer.ts'
import { assertReplaceable, readAuthority, writePair } from '../../node/authority/key-store.ts'
import { issuingFiles } from '../../node/enrolment/desk.ts'
import type { Name } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { nearest } from '../../node/lib/nearest.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import { jsonPair } from './certs-init.ts'
import { parseHolder } from './certs-issue.ts'
import {
  certificateFolder,
  folderFlag,
  parseDays,
  shownPath,
  type FolderOptions,
} from './certs-options.ts'

export interface CertsIssuingKeyOptions extends FolderOptions {
  readonly days?: string | undefined
  /** Replaces the key that is there, and takes a node that the folder does not know. Default false. */
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
  if (!force) await assertMeant(name, dir, folderFlag(options), io)
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

/**
 * Have a person say that a node is meant of which nothing is in the folder, where others are: it may
 * have made its own key, or be misspelt. A key for nobody is one that nobody would miss.
 * @throws FridgeError `ERR_USAGE` when it is not meant, or nobody can be asked
 */
async function assertMeant(
  name: Name,
  dir: string,
  flag: string,
  { confirm, cwd }: CommandIo,
): Promise<void> {
  const holders = await holdersIn(dir)
  const nodes = holders.filter(({ role }) => role === 'node').map(holder => holder.name)
  if (nodes.length === 0 || nodes.includes(name)) return
  const near = nearest(name, nodes)
  const guess = near === undefined ? '' : `; did you mean ${near}?`
  const doubt = `${shownPath(dir, cwd)} holds nothing of a node ${name}${guess}`
  if (confirm === undefined) {
    throw new FridgeError('ERR_USAGE', doubt, {
      fix: `should it be meant, as of a node that made its own key: fridge certs issuing-key ${name} --force${flag}`,
    })
  }
  const question = near === undefined ? `${doubt}.` : doubt
  if (await confirm(`${question} Make an issuing key of ${name} all the same?`)) return
  throw new FridgeError('ERR_USAGE', 'no issuing key was made', {
    fix: `see which nodes are known: ls ${shownPath(dir, cwd)}/nodes`,
  })
}
