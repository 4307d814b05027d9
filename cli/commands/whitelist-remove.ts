import { parseSubject } from '../../node/identity/names.ts'
import type { CommandIo, ExitStatus } from '../io.ts'
import { certificateFolder } from './certs-options.ts'
import { assertMeant } from './removal-doubt.ts'
import { runChanges, type WhitelistChangeOptions } from './whitelist-change.ts'

export interface WhitelistRemoveOptions extends WhitelistChangeOptions {
  /** That a name which nobody knows, or the last operator, is meant. Default false. */
  readonly force?: boolean
}

/** Exit status: 0 every node has applied it, 1 some have not confirmed it. */
export async function runWhitelistRemove(
  names: readonly string[],
  options: WhitelistRemoveOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const subjects = [...new Set(names.map(parseSubject))]
  const certs = certificateFolder(options, io)
  return runChanges({ kind: 'revocation', subjects }, options, io, async (before, operator) => {
    if (options.force !== true) await assertMeant(before, operator, { certs, subjects }, io)
    return { kind: 'revocation', subject: before.subject }
  })
}
