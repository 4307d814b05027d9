import { existsSync } from 'node:fs'
import {
  damagedFile,
  dumpCommand,
  openHistoryForReading,
  readingFailure,
} from '../../node/history/database.ts'
import { isHourDigest, verifyHistory, type HistoryVerification } from '../../node/history/verify.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { formatDuration } from '../duration.ts'
import { historyFile } from '../history/source.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { count } from '../table.ts'
import { UTC } from '../zone.ts'
import { certificateFolder, shownPath } from './certs-options.ts'
import type { NodeFolderOptions } from './node-options.ts'
import { authoritiesIn } from './node-verify.ts'

export interface HistoryVerifyOptions extends NodeFolderOptions {
  readonly digest?: string
  readonly json?: boolean
}

/** Findings shown to a person: behind so many, more say nothing new. `--json` shows all. */
const MAX_SHOWN = 50

/** @returns 0 nothing was altered, added or removed, 1 something was */
export async function runHistoryVerify(
  options: HistoryVerifyOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { digest } = options
  if (digest !== undefined && !isHourDigest(digest)) {
    throw new FridgeError('ERR_USAGE', `--digest ${JSON.stringify(digest)} is no digest`, {
      fix: 'copy it whole, as a report has it: 43 letters, digits, hyphens and underscores',
    })
  }
  const file = await historyFile(options, io)
  const trust = await authoritiesIn(certificateFolder(options, io))
  const database = openHistoryForReading(file)
  try {
    const verification = await verifyHistory(database, { ...trust, digest })
    const isSound = verification.findings.length === 0
    const aside = damagedFile(file)
    const damaged = existsSync(aside) ? aside : undefined
    const record = { file, sound: isSound, damaged, ...verification }
    if (options.json === true) io.out(JSON.stringify(record))
    else print(shownPath(file, io.cwd), verification, io)
    if (damaged !== undefined) {
      // The history that is sound begins where that one ends: an inspection must not pass it over.
      io.err(
        `fridge: an earlier history was damaged, and is not checked: ${shownPath(aside, io.cwd)}`,
      )
      io.err(`  to mend it: keep what can be read of it, ${dumpCommand(aside)}, and move it away`)
    }
    return isSound ? EXIT.done : EXIT.notDone
  } catch (error) {
    throw readingFailure(file, error)
  } finally {
    database.close()
  }
}

function print(file: string, verification: HistoryVerification, io: CommandIo): void {
  const { hours, readings, minutes, span, unsigned, digest, gaps, jumps, findings } = verification
  for (const { place, problem } of findings.slice(0, MAX_SHOWN)) io.out(`${place}: ${problem}`)
  if (findings.length > MAX_SHOWN) io.out(`… and ${findings.length - MAX_SHOWN} more`)
  for (const { from, to, sensor } of gaps) {
    const what = sensor === undefined ? 'nothing' : `nothing of ${sensor}`
    io.out(`gap: ${what} was recorded from ${momentOf(from)} for ${formatDuration(to - from)}`)
  }
  for (const { from, to } of jumps) {
    io.out(`clock: it was set, or the machine slept, from ${momentOf(from)} to ${momentOf(to)}`)
  }
  const size = `${count(hours, 'signed hour')}, ${count(minutes, 'minute')}, ${count(readings, 'reading')}`
  const verdict =
    findings.length === 0 ? 'is sound' : `is not sound: ${count(findings.length, 'finding')}`
  io.out(`${file} ${verdict} (${size})`)
  if (span !== undefined) io.out(`signed from ${momentOf(span.from)} to ${momentOf(span.to)}`)
  if (unsigned > 0) io.out(`${count(unsigned, 'row')} since then, which the next full hour signs`)
  if (digest !== '') io.out(`last digest: ${digest}`)
}

function momentOf(moment: number): string {
  return `${UTC.minute(moment)} UTC`
}
