import { asUpdate } from '../gossip/forgettings.ts'
import type { Members } from '../gossip/members.ts'
import { isName, type Name } from '../identity/names.ts'
import { isSignature } from '../identity/signature.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { encodeForgetting, FORGETTING_LIMITS, parseForgetting } from '../whitelist/forgetting.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { malformed } from './malformed.ts'

export interface ForgetMethodsOptions {
  readonly operator: Signer
  readonly members: Pick<Members, 'live' | 'left' | 'unreachable' | 'runsOf' | 'forget'>
  readonly signers: Pick<Signers, 'verify'>
  readonly clock: Pick<Clock, 'now'>
}

/** How far the clock of an operator's machine and a node's may be apart. */
const MAX_AGE_MS = 10 * 60_000

/** The methods by which operators forget nodes that will not come back (PROTOCOL.md, "Operators"). */
export function forgetMethods(options: ForgetMethodsOptions): [string, RpcMethod][] {
  const { operator, members, signers, clock } = options
  return [
    [
      'proposeForget',
      async ([name]): Promise<string> => {
        if (!isName(name)) throw malformed('proposeForget')
        assertGone(name, members)
        return encodeForgetting({
          name,
          operator: operator.identity.name,
          at: clock.now(),
          runs: members.runsOf(name).slice(-FORGETTING_LIMITS.maxRuns),
        })
      },
    ],
    [
      'forget',
      async ([text, signature]): Promise<null> => {
        const forgetting = parseForgetting(text)
        if (typeof text !== 'string' || typeof forgetting === 'string' || !isSignature(signature)) {
          throw malformed('forget')
        }
        if (forgetting.operator !== operator.identity.name) {
          throw new FridgeError('ERR_REFUSED', 'it is the word of another operator')
        }
        if (Math.abs(clock.now() - forgetting.at) > MAX_AGE_MS) {
          throw new FridgeError('ERR_REFUSED', 'it was proposed too long ago: try again')
        }
        assertGone(forgetting.name, members)
        const holds = await signers.verify(operator, 'forgetting', text, signature)
        const update = holds ? asUpdate(text, operator, signature) : undefined
        if (update === undefined) {
          throw new FridgeError('ERR_REFUSED', 'the signature of the operator does not hold')
        }
        members.forget(update)
        return null
      },
    ],
  ]
}

/** @throws FridgeError `ERR_REFUSED` when a node is in reach, or nobody knows it */
function assertGone(name: Name, members: Pick<Members, 'live' | 'left' | 'unreachable'>): void {
  if (
    members
      .live()
      .values()
      .some(member => member.name === name)
  ) {
    // Of an error an operator hears only the code and the words.
    const fix = `to throw it out for good: fridge whitelist remove node/${name}`
    throw new FridgeError('ERR_REFUSED', `${name} can be reached: stop it first; ${fix}`)
  }
  if (members.left().has(name) || members.unreachable().has(name)) return
  const text = `no node called ${name} is out of reach: fridge status shows which are`
  throw new FridgeError('ERR_REFUSED', text)
}
