import { FridgeError, type ErrorCode } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'
import type { Identity } from '../identity/identity.ts'
import { displaySubject, type Name } from '../identity/names.ts'
import type { Ending } from '../wire/connection.ts'
import type { Bye } from '../wire/control.ts'
import { explainConnectionError, explainSilentClose, type Attempt } from './tls-problem.ts'

/** The error code of each reason that a node says goodbye with. */
const BYE_CODES = new Map<string, ErrorCode>([
  ['revoked', 'ERR_REVOKED'],
  ['not on the whitelist', 'ERR_NOT_LISTED'],
  ['expired', 'ERR_EXPIRED'],
  ['certificate expired', 'ERR_EXPIRED'],
  ['wrong key', 'ERR_NOT_TRUSTED'],
  ['not trusted', 'ERR_NOT_TRUSTED'],
  ['too many connections', 'ERR_LIMIT'],
  ['isolated', 'ERR_ISOLATED'],
  ['node removed', 'ERR_ISOLATED'],
  ['too slow', 'ERR_TOO_SLOW'],
  ['leaving', 'ERR_CLOSED'],
])

const ADD = 'an operator can let it in: fridge whitelist add SUBJECT'

/** What mends each of them, where a person can do something about it; `SUBJECT` and `ROLE NAME` are this end. */
const BYE_FIXES = new Map<string, string>([
  ['revoked', ADD],
  ['not on the whitelist', ADD],
  ['expired', ADD],
  ['wrong key', `${ADD} --key KEY (fridge certs inspect FILE shows it)`],
  ['certificate expired', 'renew it: fridge certs renew ROLE NAME'],
  [
    'not trusted',
    'get one of the new authority: fridge certs renew ROLE NAME; or by a token, where a removed node gave it: fridge certs enroll',
  ],
  [
    'too many connections',
    'close another one, or raise limits.maxConnectionsPerClient of the node',
  ],
  ['node removed', 'connect to another node with --node HOST:PORT'],
  ['isolated', 'connect to another node with --node HOST:PORT, or wait until this one has a peer'],
  ['not ready', 'connect to another node with --node HOST:PORT: the log of this one says why'],
])

/** What was heard before a connection ended. */
export interface Heard {
  readonly bye: Bye | undefined
  /** Whether the node has said hello. */
  readonly greeted: boolean
  /** Who this end is to the node. */
  readonly self: Pick<Identity, 'role' | 'name' | 'subject'>
  readonly attempt: Attempt
  /** How long the connection has been tried or open, in milliseconds. */
  readonly lastedMs: number
  /** The node at the other end, by its certificate, once that was seen. */
  readonly node?: Name | undefined
}

/** Turn the end of a connection into what failed, why, and what mends it. */
export function explainEnding(
  ending: Ending,
  { bye, greeted, self, attempt, lastedMs, node }: Heard,
): FridgeError {
  const { address } = attempt
  if (bye !== undefined) {
    return new FridgeError(BYE_CODES.get(bye.reason) ?? 'ERR_REFUSED', foreignText(bye.text), {
      ...fixOf(bye, self),
      ...(node !== undefined && { node }),
    })
  }
  switch (ending.cause) {
    case 'refused':
      return new FridgeError(
        'ERR_PROTOCOL',
        `${address} broke the protocol: ${foreignText(ending.refusal.toString())}`,
      )
    case 'too slow':
      return new FridgeError('ERR_TOO_SLOW', `${address} does not read what it is sent`)
    case 'dead':
      return new FridgeError('ERR_TIMEOUT', `${address} has fallen silent`)
    case 'lost':
      if (ending.error !== undefined) return explainConnectionError(ending.error, attempt)
      return greeted
        ? new FridgeError('ERR_CLOSED', `${address} closed the connection`)
        : explainSilentClose(attempt, lastedMs)
    case 'closed':
      return new FridgeError('ERR_CLOSED', 'the connection was closed')
  }
}

function fixOf({ reason }: Bye, { role, name, subject }: Heard['self']): { fix?: string } {
  if (reason === 'revoked' && role !== 'client') {
    return { fix: `a revoked ${role} stays out; use a new name: fridge certs issue ${role} NAME` }
  }
  const fix = BYE_FIXES.get(reason)
  if (fix === undefined) return {}
  const named = fix.replace('ROLE NAME', `${role} ${name}`)
  return { fix: named.replace('SUBJECT', displaySubject(subject)) }
}
