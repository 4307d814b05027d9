import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import { shownPath } from '../commands/certs-options.ts'
import type { CommandIo } from '../io.ts'

/**
 * Write a text to a file that a person named, or print it. What was in the file is replaced by all
 * of the text, or stays.
 * @throws FridgeError `ERR_USAGE`
 */
export async function writeOut(
  text: string,
  file: string | undefined,
  io: Pick<CommandIo, 'out' | 'err' | 'cwd'>,
): Promise<void> {
  if (file === undefined) return io.out(text)
  const path = resolve(io.cwd, file)
  try {
    await writeWhole(path, `${text}\n`)
  } catch (cause) {
    const isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(cause) ?? '')
    throw new FridgeError('ERR_USAGE', `cannot write ${file}: ${errorMessage(cause)}`, {
      cause,
      fix: isFull
        ? `make room there, or name a file elsewhere: df -h ${shellWord(dirname(path))}`
        : 'name a file in a folder that is there and that you may write to',
    })
  }
  io.err(`written to ${shownPath(path, io.cwd)}`)
}

async function writeWhole(path: string, text: string): Promise<void> {
  const found = await findFile(path)
  // A device or a pipe keeps its place.
  if (found !== undefined && !found.isRegular) return writeFile(path, text)
  const { target, mode } = found ?? { target: path, mode: undefined }
  const beside = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    {
      await using handle = await open(beside, 'wx')
      await handle.writeFile(text)
      if (mode !== undefined) await handle.chmod(mode)
      await handle.sync()
    }
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined)
    throw error
  }
}

/** What a path leads to, over links: nothing where there is nothing yet. */
async function findFile(
  path: string,
): Promise<{ target: string; mode: number; isRegular: boolean } | undefined> {
  try {
    const target = await realpath(path)
    const found = await stat(target)
    return { target, mode: found.mode & 0o777, isRegular: found.isFile() }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
