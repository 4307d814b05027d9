import type { KeyId } from '../../node/identity/names.ts'
import type { EntrySignatures } from '../../node/identity/signature.ts'
import type { Vouchers } from '../../node/whitelist/vouchers.ts'
import { NOON, SIGNATURES } from './replica-changes.ts'

/** An authority that is trusted, and one whose word counts for what was signed before alone. */
export const AUTHORITY = 'a'.repeat(64) as KeyId
export const FORMER = 'f'.repeat(64) as KeyId

/** Certificates that all lead to one authority, which is trusted, and never end. */
export const ALL_VOUCHED: Vouchers = {
  voucherOf: () => ({ authority: AUTHORITY, endsAt: Infinity }),
  isTrusted: () => true,
}

const BY_FORMER = '1'.repeat(64)
const ENDED = '2'.repeat(64)

/** When certificates end that do. */
const END = NOON + 10

/** Of an operator whose certificate comes from a former authority. */
export const FROM_FORMER: EntrySignatures = { ...SIGNATURES, operatorCertificate: BY_FORMER }

/** Of an operator whose certificate ends early. */
export const FROM_ENDED: EntrySignatures = { ...SIGNATURES, operatorCertificate: ENDED }

/** Accepted by a node whose certificate comes from a former authority. */
export const AT_FORMER: EntrySignatures = { ...SIGNATURES, nodeCertificate: BY_FORMER }

/** What is to be said of these certificates. */
export const SOME_FORMER: Vouchers = {
  voucherOf: fingerprint => ({
    authority: fingerprint === BY_FORMER ? FORMER : AUTHORITY,
    endsAt: fingerprint === ENDED ? END : Infinity,
  }),
  isTrusted: authority => authority !== FORMER,
}
