import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { shownPath } from '../commands/certs-options.ts'
import type { CommandIo } from '../io.ts'

/** Write a text to a file that a person named, or print it. @throws FridgeError `ERR_USAGE` */
export async function writeOut(
  text: string,
  file: string | undefined,
  io: Pick<CommandIo, 'out' | 'err' | 'cwd'>,
): Promise<void> {
  if (file === undefined) return io.out(text)
  const path = resolve(io.cwd, file)
  try {
    await writeFile(path, `${text}\n`)
  } catch (cause) {
    throw new FridgeError('ERR_USAGE', `cannot write ${file}: ${errorMessage(cause)}`, {
      cause,
      fix: 'name a file in a folder that is there and that you may write to',
    })
  }
  io.err(`written to ${shownPath(path, io.cwd)}`)
}
