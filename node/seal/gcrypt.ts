import { createCipheriv, hash, randomBytes } from 'node:crypto'

/**
 * The format of g-crypt 1.1.0, which is that of crypto-js: AES-256-CBC under a key that MD5 makes of
 * the passphrase. Who listens reads it by guessing 20,000 passphrases a second or more, and nothing
 * in it is authenticated. It is made here for pages that know nothing better, and never read.
 */

const SALT_BYTES = 8
const KEY_BYTES = 32
const IV_BYTES = 16

/** Encrypt a JSON value as `Crypt(passphrase).encrypt(value)` does. */
export function sealGcrypt(passphrase: string, value: unknown): string {
  const salt = randomBytes(SALT_BYTES)
  const derived = evpBytesToKey(Buffer.from(passphrase), salt)
  const key = derived.subarray(0, KEY_BYTES)
  const iv = derived.subarray(KEY_BYTES, KEY_BYTES + IV_BYTES)
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const ct = cipher.update(JSON.stringify(value), 'utf8', 'base64') + cipher.final('base64')
  return JSON.stringify({ ct, iv: iv.toString('hex'), s: salt.toString('hex') })
}

/** EVP_BytesToKey of OpenSSL with MD5 and one round. */
function evpBytesToKey(passphrase: Buffer, salt: Buffer): Buffer {
  let derived = Buffer.alloc(0)
  for (let block = Buffer.alloc(0); derived.length < KEY_BYTES + IV_BYTES;) {
    block = hash('md5', Buffer.concat([block, passphrase, salt]), 'buffer')
    derived = Buffer.concat([derived, block])
  }
  return derived
}
