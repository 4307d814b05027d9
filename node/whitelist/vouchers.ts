import type { KeyId } from '../identity/names.ts'
import type { EntrySignatures } from '../identity/signature.ts'

/** Under what certificates an entry came. */
export type EntryCertificates = Pick<EntrySignatures, 'operatorCertificate' | 'nodeCertificate'>

/** What vouches for a certificate. */
export interface Voucher {
  /** The key of the authority to which it leads; undefined where that is known no longer. */
  readonly authority: KeyId | undefined
  /** The last moment of it and of all its issuers, in milliseconds since 1970. */
  readonly endsAt: number
}

/** What the list has to know of certificates: which authorities stand behind them. */
export interface Vouchers {
  /** @param fingerprint of a certificate under an entry that is held */
  voucherOf(fingerprint: string): Voucher | undefined
  /** Whether an authority is trusted now, for connections as well. */
  isTrusted(authority: KeyId): boolean
}

/** Whether those vouch for both signers of an entry who are trusted now: the word of others is of before. */
export function isTrustedNow(
  { operatorCertificate, nodeCertificate }: EntryCertificates,
  vouchers: Vouchers,
): boolean {
  return [operatorCertificate, nodeCertificate].every(fingerprint => {
    const authority = vouchers.voucherOf(fingerprint)?.authority
    return authority !== undefined && vouchers.isTrusted(authority)
  })
}
