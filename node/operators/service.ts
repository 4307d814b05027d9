import type { Archiving } from '../gossip/archiving.ts'
import type { Members } from '../gossip/members.ts'
import type { History } from '../history/history.ts'
import { parseHistoryRequest } from '../history/page.ts'
import type { Signers } from '../identity/signers.ts'
import { FridgeError } from '../lib/errors.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { batchMethods } from './batches.ts'
import { changeMethods } from './changes.ts'
import { checkpointMethods } from './checkpoints.ts'
import { commitMethods, type CommitMethodsOptions } from './commits.ts'
import { forgetMethods } from './forget.ts'
import { invitationMethods, type InvitationMethodsOptions } from './invitations.ts'
import { proofMethods } from './proofs.ts'
import { askStatus } from './status.ts'
import { subjectMethods, type SubjectMethodsOptions } from './subjects.ts'
import { tokenMethods, type TokenMethodsOptions } from './tokens.ts'
import { fleetPages, vitalsPages } from './vitals.ts'

export interface OperatorServiceOptions
  extends
    CommitMethodsOptions,
    SubjectMethodsOptions,
    Pick<TokenMethodsOptions, 'tokenDesk' | 'log'>,
    Pick<InvitationMethodsOptions, 'invitations' | 'pageUrl'> {
  readonly members: Members
  readonly ownRemoval: SubjectMethodsOptions['ownRemoval']
  readonly archiving: Archiving
  readonly signers: Pick<Signers, 'verify' | 'formerAuthorities'>
  readonly history: Pick<History, 'page'>
  /** By which alarms are told to the operator, and acknowledged by it. */
  readonly alarmMethods: ReadonlyMap<string, RpcMethod>
}

/** The methods that an operator may call (PROTOCOL.md, "Operators"). */
export function operatorMethods(options: OperatorServiceOptions): Map<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    ...commitMethods(options),
    ...batchMethods(options),
    ...subjectMethods(options),
    ['status', async () => askStatus(options)],
    ['vitals', vitalsPages(options)],
    ['fleet', fleetPages(options)],
    [
      'history',
      async ([value]) => {
        const request = parseHistoryRequest(value)
        if (typeof request === 'string') throw new FridgeError('ERR_PROTOCOL', request)
        return options.history.page(request)
      },
    ],
    ...options.alarmMethods,
    ...changeMethods(options),
    ...checkpointMethods(options),
    ...proofMethods(options),
    ...forgetMethods(options),
    ...tokenMethods(options),
    ...invitationMethods({ ...options, operator: options.operator.identity.name }),
  ])
}
