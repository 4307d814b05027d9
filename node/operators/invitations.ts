import type { Name } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Invitations } from '../sessions/invitations.ts'
import { isReason, isWish } from '../whitelist/change.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { malformed } from './malformed.ts'

export interface InvitationMethodsOptions {
  readonly operator: Name
  readonly invitations: Invitations
  /** Where the page of this node is; undefined where it serves none. */
  readonly pageUrl: () => string | undefined
}

/** The methods by which an operator waits for a browser that it has invited (PROTOCOL.md, "Invitations"). */
export function invitationMethods({
  operator,
  invitations,
  pageUrl,
}: InvitationMethodsOptions): [string, RpcMethod][] {
  return [
    [
      'invite',
      async ([id], progress, signal): Promise<null> => {
        if (!isInvitationId(id)) throw malformed('invite')
        const page = pageUrl()
        if (page === undefined) {
          throw new FridgeError('ERR_REFUSED', 'this node serves no page: see web.listen')
        }
        const onGuest = (number: number, guest: object): void => progress({ number, ...guest })
        const hosted = invitations.host(id, { operator, onGuest, signal })
        progress({ page })
        await hosted
        return null
      },
    ],
    [
      'welcome',
      async ([id, number, why]): Promise<boolean> => {
        const isWellFormed =
          isInvitationId(id) && typeof number === 'number' && (why === null || isReason(why))
        if (!isWellFormed) throw malformed('welcome')
        return invitations.answer(id, operator, number, why ?? undefined)
      },
    ],
  ]
}

/** 128 bits in base64url, as a wish has them. */
function isInvitationId(value: unknown): value is string {
  return isWish(value)
}
