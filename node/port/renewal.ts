import { oneLine } from '../identity/certificate-chain.ts'
import type { Credentials } from '../identity/credentials.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Members } from '../gossip/members.ts'
import type { Replica } from '../gossip/replica.ts'
import type { Overlay } from '../gossip/overlay.ts'
import type { Log } from '../lib/log.ts'
import type { Listener } from './listener.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Trust } from '../identity/trust.ts'
import type { OwnSigner } from '../identity/own-signer.ts'
import type { Signers } from '../identity/signers.ts'

export interface Renewing {
  readonly trust: Trust
  readonly self: OwnSigner
  readonly signers: Signers
  readonly replica: Pick<Replica, 'reviewCheckpoints'>
  readonly listener: Listener
  readonly members: Members
  readonly sessions: Sessions
  readonly overlay: Overlay
  readonly log: Log
}

/**
 * Put other credentials into force everywhere in a running node. Connections stay, but for those
 * that only an authority vouched for which is trusted no more: refusal is the default.
 * @throws having changed nothing
 */
export function renewNode(next: Credentials, renewing: Renewing): void {
  const { trust, self, signers, replica, listener, members, sessions, overlay, log } = renewing
  const before = trust.credentials
  if (next.identity.trustDomain !== before.identity.trustDomain) {
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `the trust domain of ${next.files.certificateFile} is another than the cluster's`,
      { fix: `fridge certs renew node ${next.identity.name}, in the folder of the cluster` },
    )
  }
  const removed = trust.replace(next)
  try {
    self.replace(next, signers)
    listener.renew(next)
  } catch (error) {
    trust.replace(before)
    self.replace(before, signers)
    throw error
  }
  members.renew(self)
  replica.reviewCheckpoints()
  if (removed.length === 0) return
  const authorities = removed.map(({ subject }) => oneLine(subject))
  const cut =
    sessions.reviewAll() +
    overlay.review({
      reason: 'not trusted',
      why: 'has a certificate of an authority that is not trusted any more',
    })
  log.warn({ authorities, cut }, 'authorities are not trusted any more')
}
