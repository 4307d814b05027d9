import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  checkStateProof,
  parseStateProof,
  type ProvenState,
} from '../../node/client/operator/state-proof.ts'
import { displaySubject, isSubject, nodeOf, type Subject } from '../../node/identity/names.ts'
import { Signers } from '../../node/identity/signers.ts'
import { errorMessage, FridgeError } from '../../node/lib/errors.ts'
import type { StateProof } from '../../node/operators/proofs.ts'
import { leafText } from '../../node/whitelist/state-root.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatMoment } from '../moment.ts'
import { count } from '../table.ts'
import { certificateFolder, shownPath, type FolderOptions } from './certs-options.ts'
import { authoritiesIn } from './node-verify.ts'

export interface WhitelistVerifyOptions extends FolderOptions {
  readonly json?: boolean
}

/** The most that a file is read of which holds a proof, in bytes. */
const MAX_FILE_BYTES = 2 ** 24

/**
 * Check a proof that `whitelist show --proof --json` has printed, without a node.
 * @returns 0 it holds, 1 it does not
 */
export async function runWhitelistVerify(
  name: string,
  options: WhitelistVerifyOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const file = shownPath(resolve(io.cwd, name), io.cwd)
  const { subject, proof } = await readProof(resolve(io.cwd, name), file)
  const proven = await checkedHere(proof, subject, options, io)
  if (options.json === true) {
    io.out(
      JSON.stringify(
        typeof proven === 'string'
          ? { holds: false, why: proven }
          : { holds: true, ...shown(proven) },
      ),
    )
  } else if (typeof proven === 'string') io.out(`${file} proves nothing: ${proven}`)
  else printProven(proven, io)
  return typeof proven === 'string' ? EXIT.notDone : EXIT.done
}

/** Print what a node has proven of a subject, or that it has not. @returns whether it has */
export async function printProof(
  proof: StateProof,
  subject: Subject,
  options: FolderOptions,
  io: CommandIo,
): Promise<boolean> {
  const proven = await checkedHere(proof, subject, options, io)
  if (typeof proven === 'string') {
    io.err(`the node has proven nothing: ${proven}`)
    return false
  }
  printProven(proven, io)
  io.out(`    leaf ${proof.index} of ${proven.checkpoint.subjects}: ${leafText(proof.leaf)}`)
  for (const root of proof.path) io.out(`    beside its way up: ${root}`)
  return true
}

async function checkedHere(
  proof: StateProof,
  subject: Subject,
  options: FolderOptions,
  io: CommandIo,
): Promise<ProvenState | string> {
  const { authorities, trustDomain } = await authoritiesIn(certificateFolder(options, io))
  const signers = new Signers({
    store: { certificates: () => [], keepCertificate: () => {} },
    authorities: () => authorities,
    trustDomain,
  })
  return checkStateProof(proof, subject, signers)
}

function printProven({ checkpoint, leaf }: ProvenState, io: CommandIo): void {
  const { operator, at, source, sequence } = checkpoint
  const [grants, removals] = [leaf.grants?.length ?? 0, leaf.revocations?.length ?? 0]
  const standing = grants > 0 ? `let in by ${count(grants, 'grant')}` : 'not let in'
  io.out(`${displaySubject(leaf.subject)} was ${standing}, with ${count(removals, 'removal')}`)
  io.out(`  proven by the checkpoint of ${formatMoment(at)} by ${operator}`)
  io.out(`    change ${sequence} of ${nodeOf(source)}`)
}

function shown({ checkpoint, leaf }: ProvenState): object {
  const { operator, at, source, sequence, state, subjects } = checkpoint
  return { leaf, checkpoint: { operator, at, source, sequence, state, subjects } }
}

async function readProof(
  path: string,
  file: string,
): Promise<{ readonly subject: Subject; readonly proof: StateProof }> {
  const unreadable = (why: string, cause?: unknown): FridgeError =>
    new FridgeError('ERR_USAGE', `cannot read a proof in ${file}: ${why}`, {
      cause,
      fix: 'make one: fridge whitelist show NAME --proof --json > proof.json',
    })
  let value: unknown
  try {
    const bytes = await readFile(path)
    if (bytes.length > MAX_FILE_BYTES) throw new Error('it is too large')
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw unreadable(errorMessage(error), error)
  }
  if (typeof value !== 'object' || value === null || !('subject' in value && 'proof' in value)) {
    throw unreadable('it holds none')
  }
  const proof = parseStateProof(value.proof, file)
  if (typeof proof === 'string') throw unreadable(proof)
  if (!isSubject(value.subject)) throw unreadable('it names no subject')
  return { subject: value.subject, proof }
}
