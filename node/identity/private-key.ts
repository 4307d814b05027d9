import { createPrivateKey, type KeyObject } from 'node:crypto'
import { FridgeError } from '../lib/errors.ts'
import { shellWord } from '../lib/shell-word.ts'
import { assertKeyAllowed } from './identity.ts'

/**
 * Finds out what a key on disk is locked with.
 * @param file the key, for whoever is asked
 * @throws FridgeError when nobody can be asked
 */
export type AskPassphrase = (file: string) => Promise<string>

const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

/** Whether a key in PEM is locked with a passphrase. */
export function isLocked(pem: string): boolean {
  return ENCRYPTED.test(pem)
}

/** A key as it stands in a file: PKCS #8 in PEM, locked where there is a passphrase. Never log it. */
export function pkcs8(key: KeyObject, passphrase?: string): string {
  const form = { type: 'pkcs8', format: 'pem' } as const
  const pem =
    passphrase === undefined
      ? key.export(form)
      : key.export({ ...form, cipher: 'aes-256-cbc', passphrase })
  return pem.toString()
}

/**
 * Read a private key in PEM.
 * @param ask left out, a locked key is refused
 * @throws FridgeError `ERR_KEY_FILE`, `ERR_CERTIFICATE` for a key that is too weak; what `ask` throws
 */
export async function openPrivateKey(
  pem: string,
  file: string,
  ask?: AskPassphrase,
): Promise<KeyObject> {
  // The cause of OpenSSL stays out: nothing that was near the key reaches a log.
  const fail = (why: string, fix: string): FridgeError =>
    new FridgeError('ERR_KEY_FILE', `${file} is not a usable private key: ${why}`, { fix })
  const isEncrypted = isLocked(pem)
  if (isEncrypted && ask === undefined) {
    throw fail(
      'it is encrypted',
      `openssl pkey -in ${shellWord(file)} -out plain.pem, then name plain.pem`,
    )
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw fail('it holds no private key in PEM', 'name the file that was made with the certificate')
  }
  const passphrase = isEncrypted ? await ask?.(file) : undefined
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) })
  } catch {
    throw isEncrypted
      ? fail(
          'the passphrase does not open it',
          'type it again, or look into FRIDGE_PASSPHRASE_FILE',
        )
      : fail('it is damaged', 'restore it from a copy, or issue the certificate again')
  }
  assertKeyAllowed(key)
  return key
}
