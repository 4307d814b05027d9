import { createHash, type X509Certificate } from 'node:crypto'
import { isName, type Name } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'

/** What somebody is handed who is to get a first certificate. */
export interface Token {
  /** The authority by which the node is known: SHA-256 of its certificate in DER, base64url. */
  readonly pin: string
  /** 128 random bits, base64url. */
  readonly secret: string
  /** Who the holder will be. */
  readonly name: Name
}

const FORM = /^fridge1\.([\w-]{43})\.([\w-]{22})\.(.+)$/

export function formatToken({ pin, secret, name }: Token): string {
  return `fridge1.${pin}.${secret}.${name}`
}

/** @throws FridgeError `ERR_USAGE`, which does not repeat what was typed */
export function parseToken(text: string): Token {
  const [, pin = '', secret = '', name] = FORM.exec(text.trim()) ?? []
  if (isName(name)) return { pin, secret, name }
  throw new FridgeError('ERR_USAGE', 'that is no token', {
    fix: 'take all of what an operator gets from: fridge certs token client NAME --expires-in 1h',
  })
}

/** What an authority is pinned by. */
export function pinOf({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url')
}
