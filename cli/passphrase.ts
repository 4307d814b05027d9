import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { AskPassphrase } from '../node/identity/private-key.ts'
import { errorMessage, FridgeError } from '../node/lib/errors.ts'
import { shellWord } from '../node/lib/shell-word.ts'
import { shownPath } from './commands/certs-options.ts'
import type { CommandIo } from './io.ts'

type Io = Pick<CommandIo, 'askSecret' | 'cwd' | 'env'>

/** Whoever has a copy of the key can try as many as it likes. */
const MIN_LENGTH = 12

const BY_FILE =
  'put it into a file that you alone can read, and name that in FRIDGE_PASSPHRASE_FILE'

/** Finds out a passphrase, once a command: from `FRIDGE_PASSPHRASE_FILE`, else on a terminal. */
export function passphraseOf(io: Io): AskPassphrase {
  let known: Promise<string> | undefined
  return async file => {
    known ??= fromFile(io) ?? onTerminal(file, io)
    return known
  }
}

/**
 * A passphrase for keys that are made now.
 * @throws FridgeError `ERR_USAGE` when it is too short, or typed differently the second time
 */
export async function newPassphrase(io: Io): Promise<string> {
  const passphrase = await (fromFile(io) ?? twice(io))
  if (passphrase.length >= MIN_LENGTH) return passphrase
  throw new FridgeError('ERR_USAGE', `a passphrase has ${MIN_LENGTH} characters or more`, {
    fix: 'choose a longer one: whoever has a copy of the key can try as many as it likes',
  })
}

async function twice(io: Io): Promise<string> {
  const ask = askSecretOf('the keys are to be locked', io)
  const first = await ask('A passphrase for the keys of the authority and of operators')
  if ((await ask('The same again')) === first) return first
  throw new FridgeError('ERR_USAGE', 'the two were not the same', { fix: 'try again' })
}

async function onTerminal(file: string, io: Io): Promise<string> {
  const shown = shownPath(file, io.cwd)
  return askSecretOf(`${shown} is locked`, io)(`Passphrase of ${shown}`)
}

function askSecretOf(why: string, { askSecret }: Io): NonNullable<Io['askSecret']> {
  if (askSecret !== undefined) return askSecret
  throw new FridgeError('ERR_KEY_FILE', `${why}, and nobody can be asked for the passphrase`, {
    fix: BY_FILE,
  })
}

function fromFile({ env, cwd }: Io): Promise<string> | undefined {
  const file = env['FRIDGE_PASSPHRASE_FILE']
  if (file === undefined || file === '') return undefined
  return readFile(resolve(cwd, file), 'utf8').then(
    text => text.replace(/\r?\n$/, ''),
    (cause: unknown) => {
      throw new FridgeError(
        'ERR_KEY_FILE',
        `the passphrase cannot be read: FRIDGE_PASSPHRASE_FILE: ${errorMessage(cause)}`,
        { cause, fix: `look what stands there: ls -l ${shellWord(file)}` },
      )
    },
  )
}
