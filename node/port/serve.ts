import type { NodeConfig } from '../config/config.ts'
import type { Cluster } from '../gossip/join.ts'
import type { OpenList } from '../gossip/open-list.ts'
import { CLUSTER_CREDENTIALS, CredentialWatch, type Reload } from '../identity/credential-watch.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Signer } from '../identity/signers.ts'
import type { Trust } from '../identity/trust.ts'
import { formatAddress, type Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { Quota } from '../operators/quota.ts'
import { operatorMethods, type OperatorServiceOptions } from '../operators/service.ts'
import type { TokenDesk } from '../operators/tokens.ts'
import { Turns } from '../operators/turns.ts'
import { alarmMethods } from '../sessions/alarm-calls.ts'
import type { RelayEnds } from '../relays/relay-ends.ts'
import type { Service } from '../sessions/service.ts'
import type { Invitations } from '../sessions/invitations.ts'
import type { Counts } from '../sessions/counts.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import type { Listener } from './listener.ts'
import { Reception } from './reception.ts'
import { renewNode } from './renewal.ts'

export interface ServeOptions {
  readonly config: Pick<NodeConfig, 'limits' | 'advertise'>
  /** Not open yet. */
  readonly listener: Listener
  readonly list: OpenList
  readonly cluster: Cluster
  readonly sessions: Sessions
  readonly trust: Trust
  /** Reads what this node shows from its files, and checks it. */
  readonly loadCredentials: () => Promise<Credentials>
  /** Hears what the node shows from now on. */
  readonly onRenewed: (credentials: Credentials) => void
  readonly service: Service
  /** Where other nodes read for their pages. */
  readonly relays: RelayEnds
  readonly counts: Counts
  /** Where this node takes tokens; undefined where it issues nothing. */
  readonly tokenDesk: () => TokenDesk | undefined
  readonly invitations: Invitations
  /** Where the page of this node is; undefined where it serves none. */
  readonly pageUrl: () => string | undefined
  /** Resolves when the list is as fresh as it can be had: nobody is admitted before. */
  readonly gate: Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/** The open port of a node. Dispose it to close: everyone is told, and may finish for a while. */
export interface OpenPort extends AsyncDisposable {
  /** Where it listens. */
  readonly address: Address
  /** Take up new keys, certificates and bundles now. It also happens by itself when files change. */
  reload(): Promise<Reload>
}

/**
 * Serve clients, operators and nodes on one TLS port, with the certificates that are on disk by then.
 * @throws FridgeError `ERR_LISTEN` when the address cannot be had
 */
export async function serve(options: ServeOptions): Promise<OpenPort> {
  const { config, listener, list, cluster, sessions, trust, loadCredentials, onRenewed } = options
  const { service, relays, counts, gate, clock, log } = options
  const { replica, signers, self, proofAgainst } = list
  const { members, overlay } = cluster
  const turns = new Turns(clock)
  const quota = new Quota(clock)
  const reception = new Reception({
    config,
    trust,
    service,
    sessions,
    overlay,
    signers,
    proofAgainst,
    relays,
    counts,
    gate,
    log,
    operatorMethods: operator => methodsOf(operator, options, { turns, quota }),
  })
  await listener.open(async arrival => reception.receive(arrival))
  await using stack = new AsyncDisposableStack()
  stack.use(turns)
  stack.use(reception)
  stack.defer(async () =>
    listener.close(async () => {
      relays[Symbol.dispose]()
      await reception.takeLeave()
    }),
  )
  const renewing = { trust, self, signers, replica, listener, members, sessions, overlay, log }
  const watch = stack.use(
    new CredentialWatch({
      kind: CLUSTER_CREDENTIALS,
      credentials: trust.credentials,
      load: loadCredentials,
      apply: next => {
        renewNode(next, renewing)
        list.reseal(next)
        onRenewed(next)
      },
      clock,
      log,
    }),
  )
  if (config.advertise.length === 0) members.advertise([formatAddress(listener.address)])
  const opened = stack.move()
  return {
    address: listener.address,
    reload: async () => watch.reload(),
    [Symbol.asyncDispose]: async () => opened.disposeAsync(),
  }
}

/** What an operator may call. */
function methodsOf(
  operator: Signer,
  { list, cluster, service, sessions, tokenDesk, invitations, pageUrl, clock, log }: ServeOptions,
  shared: Pick<OperatorServiceOptions, 'turns' | 'quota'>,
): ReadonlyMap<string, RpcMethod> {
  return operatorMethods({
    ...list,
    ...shared,
    operator,
    members: cluster.members,
    isolation: cluster.isolation,
    ownName: cluster.overlay.ownName,
    sessions,
    history: service.history,
    // An operator may throw every client out: there is nothing of a fridge that it may not know.
    alarmMethods: alarmMethods(service.alarms, {
      subject: operator.identity.subject,
      mayRead: () => true,
      mayAcknowledge: () => true,
      clock,
    }),
    tokenDesk,
    invitations,
    pageUrl,
    clock,
    log,
  })
}
