import type { KeyObject } from 'node:crypto'
import { signText } from '../identity/signature.ts'
import type { Signer } from '../identity/signers.ts'
import type { HourFrame, OpenHour } from './open-hour.ts'
import { digestOf } from './seal.ts'
import type { MinuteRow, SealedHour } from './store.ts'

/** What a node signs with now. */
export interface SigningNode {
  readonly signer: Signer
  readonly key: KeyObject
}

/**
 * End an hour, chain it to the one before, and sign it.
 * @param previous the digest of the hour before; empty where there is none
 * @returns it with the minute that was under way
 */
export function sealHour(
  open: OpenHour,
  frame: HourFrame,
  previous: string,
  { signer, key }: SigningNode,
): { readonly sealed: SealedHour; readonly minutes: readonly MinuteRow[] } {
  const { hour, minutes } = open.close(frame)
  const digest = digestOf(previous, hour)
  const { identity, chain } = signer
  const sealed = {
    hour,
    sensors: open.sensors,
    previous,
    digest,
    certificate: { fingerprint: identity.fingerprint, chain },
    signature: signText(key, 'hour', digest),
  }
  return { sealed, minutes }
}
