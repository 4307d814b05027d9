import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { beginRotation, finishRotation, holdersIn } from '../../node/authority/rotate.ts'
import { issuingFiles } from '../../node/enrolment/desk.ts'
import { oneLine } from '../../node/identity/certificate-chain.ts'
import { authorityFiles } from '../../node/identity/credential-files.ts'
import type { Name } from '../../node/identity/names.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import {
  certificateFolder,
  folderFlag,
  parseDays,
  parseKeyType,
  shownPath,
  type FolderOptions,
} from './certs-options.ts'

export interface RotateBeginOptions extends FolderOptions {
  readonly days?: string | undefined
  readonly keyType?: string | undefined
  readonly trustDomain?: string | undefined
  readonly json?: boolean | undefined
}

export interface RotateFinishOptions extends FolderOptions {
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Make a new authority that is trusted beside the present one, and signs from now on.
 * @throws FridgeError `ERR_USAGE`, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function runRotateBegin(
  options: RotateBeginOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const dir = certificateFolder(options, io)
  const { signing, others } = await beginRotation(dir, {
    now: io.clock.now(),
    random: randomBytes,
    days: parseDays(options.days),
    keyType: parseKeyType(options.keyType),
    trustDomain: options.trustDomain,
    ask: passphraseOf(io),
  })
  const { certificateFile, successionFile } = authorityFiles(dir)
  const names = others.map(({ subject }) => oneLine(subject))
  if (options.json === true) {
    io.out(JSON.stringify({ signing: oneLine(signing.subject), trusted: names, certificateFile }))
    return EXIT.done
  }
  const flag = folderFlag(options)
  const issuing = await issuingNodesIn(dir)
  for (const line of [
    `"${oneLine(signing.subject)}" signs from now on, and "${names.join('", "')}" is trusted beside it.`,
    'The key before is gone from this folder: nothing more can be signed with it.',
    'Next, in this order:',
    `  1. copy ${shownPath(certificateFile, io.cwd)} to every node, operator and client`,
    ...passOn(issuing, successionFile, 'clients that renew through them follow', io),
    `  2. fridge certs renew --all${flag}, and copy each certificate to where it is used`,
    ...issuing.map(
      node => `     fridge certs issuing-key ${node} --force${flag}, and copy it there`,
    ),
    `  3. fridge certs rotate-ca finish${flag}`,
  ]) {
    io.out(line)
  }
  return EXIT.done
}

/** Where the word of the authorities goes: to whoever gives clients certificates. */
function passOn(
  issuing: readonly Name[],
  successionFile: string,
  why: string,
  { cwd }: CommandIo,
): string[] {
  if (issuing.length === 0) return []
  return [`     and ${shownPath(successionFile, cwd)} to ${issuing.join(', ')}: ${why}`]
}

/** The nodes of a folder that can give clients certificates: what they sign with ends with the authority. */
async function issuingNodesIn(dir: string): Promise<Name[]> {
  const nodes = (await holdersIn(dir)).filter(({ role }) => role === 'node')
  return nodes.map(({ name }) => name).filter(name => existsSync(issuingFiles(dir, name).keyFile))
}

/**
 * Trust the new authority alone.
 * @throws FridgeError `ERR_USAGE`, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function runRotateFinish(
  options: RotateFinishOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const dir = certificateFolder(options, io)
  const issuing = await issuingNodesIn(dir)
  const { signing, others } = await finishRotation(dir, {
    force: options.force === true,
    ask: passphraseOf(io),
    issuing: issuing.map(node => ({
      node,
      certificateFile: issuingFiles(dir, node).certificateFile,
    })),
  })
  const { certificateFile, formerFile, successionFile } = authorityFiles(dir)
  const names = others.map(({ subject }) => oneLine(subject))
  if (options.json === true) {
    io.out(
      JSON.stringify({
        signing: oneLine(signing.subject),
        former: names,
        certificateFile,
        formerFile,
      }),
    )
    return EXIT.done
  }
  for (const line of [
    `"${names.join('", "')}" is not trusted any more; only changes signed under it still hold.`,
    'Next, in this order:',
    `  1. copy ${shownPath(formerFile, io.cwd)} to every node and operator: it is for old changes`,
    `  2. copy ${shownPath(certificateFile, io.cwd)} to every node, operator and client`,
    ...passOn(issuing, successionFile, 'clients that renew through them let the old one go', io),
    '  3. fridge whitelist checkpoint --node HOST:PORT --node OTHER:PORT: what the old authority',
    '     signs from then on adds nothing; of two nodes, neither can have you sign another list',
    'Whoever is connected with a certificate of the old authority is cut when a node takes that up.',
  ]) {
    io.out(line)
  }
  return EXIT.done
}
