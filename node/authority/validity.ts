import { FridgeError } from '../lib/errors.ts'

export const DAY_MS = 24 * 60 * 60 * 1000

/** How far back a certificate begins, so that a peer whose clock is behind accepts it at once. */
export const BACKDATED_MS = 5 * 60 * 1000

/** A hundred years: what ends later is a mistake in typing. */
export const MAX_DAYS = 36_500

/** Cryptographically strong random bytes; handed in so that a test can replay them. */
export type RandomBytes = (size: number) => Uint8Array

/**
 * From when to when a certificate holds, in whole seconds as X.509 counts them.
 * @param within the end of the authority, milliseconds since 1970; nothing outlives it
 * @throws FridgeError `ERR_USAGE` when the duration is out of range, `ERR_CERTIFICATE` when the
 *   authority has expired
 */
export function validity({
  now,
  durationMs,
  within = Infinity,
}: {
  now: number
  durationMs: number
  within?: number
}): { notBefore: Date; notAfter: Date } {
  if (!(durationMs > 0 && durationMs <= MAX_DAYS * DAY_MS)) {
    throw new FridgeError('ERR_USAGE', 'the validity of a certificate is out of range', {
      fix: `use 1 to ${MAX_DAYS} days`,
    })
  }
  if (within <= now) {
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `the authority expired on ${new Date(within).toISOString()}: it can sign nothing more`,
      { fix: 'replace it: fridge certs rotate-ca begin' },
    )
  }
  const second = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000)
  return {
    notBefore: second(now - BACKDATED_MS),
    notAfter: second(Math.min(now + durationMs, within)),
  }
}

/** Octets of a serial number: 70 bits of them are random, of which CAs owe 64 (CA/Browser Forum, 7.1). */
const SERIAL_OCTETS = 9

/**
 * Random octets as hex, positive and without a leading zero (RFC 5280, section 4.1.2.2): no more than
 * it takes, since each node is told those of all others.
 */
export function serialNumber(random: RandomBytes): string {
  const octets = Buffer.from(random(SERIAL_OCTETS))
  octets.writeUInt8((octets.readUInt8(0) & 0x7f) | 0x40, 0)
  return octets.toString('hex')
}
