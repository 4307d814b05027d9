import { readFile, stat } from 'node:fs/promises'
import { platform } from 'node:os'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { shellWord } from '../lib/shell-word.ts'
import { normalPassphrase } from './format.ts'

/** Fewer characters can be guessed, however slowly each guess is checked. */
const MIN_CHARACTERS = 16
const MAX_CHARACTERS = 1_024

/** What makes the file of a channel. */
export function makePassphraseCommand(channel: string, file: string): string {
  return `fridge seal passphrase ${channel} --out ${shellWord(file)}`
}

/**
 * Read the passphrase of a channel: the one line of a file that nobody else may read.
 * @param makeCommand what makes such a file
 * @throws FridgeError `ERR_KEY_FILE`, which never holds what stands in the file
 */
export async function readPassphrase(file: string, makeCommand: string): Promise<string> {
  let text: string
  try {
    text = normalPassphrase(await readFile(file, 'utf8'))
    // Windows has no such bits: it reports every file as open to all.
    const mode = platform() === 'win32' ? 0 : (await stat(file)).mode & 0o777
    if ((mode & 0o077) !== 0) {
      throw new FridgeError(
        'ERR_KEY_FILE',
        `${file} is open to others (mode ${mode.toString(8)}): a passphrase is for its holder alone`,
        { fix: `chmod 600 ${shellWord(file)}` },
      )
    }
  } catch (cause) {
    if (cause instanceof FridgeError) throw cause
    const isMissing = errorCode(cause) === 'ENOENT'
    throw new FridgeError(
      'ERR_KEY_FILE',
      isMissing
        ? `there is no passphrase ${file}`
        : `${file} cannot be read: ${errorMessage(cause)}`,
      { cause, ...(isMissing && { fix: makeCommand }) },
    )
  }
  const { length } = Array.from(text)
  if (length >= MIN_CHARACTERS && length <= MAX_CHARACTERS) return text
  throw new FridgeError(
    'ERR_KEY_FILE',
    `the passphrase in ${file} has ${length} characters: use ${MIN_CHARACTERS} to ${MAX_CHARACTERS}`,
    { fix: makeCommand },
  )
}
