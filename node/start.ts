import type { NodeConfig } from './config/config.ts'
import { EnrolmentPort } from './enrolment/enrolment-port.ts'
import { startNodeWatch } from './fleet/node-watch.ts'
import { startVitals } from './fleet/vitals-teller.ts'
import { joinCluster, type Cluster } from './gossip/join.ts'
import { openList, type OpenList } from './gossip/open-list.ts'
import { openByList } from './gossip/opening.ts'
import type { History } from './history/history.ts'
import { openHistory } from './history/open-history.ts'
import type { Reload } from './identity/credential-watch.ts'
import { loadCredentials, type Credentials } from './identity/credentials.ts'
import type { Name, Subject } from './identity/names.ts'
import { RELAY_ALPN } from './identity/tls.ts'
import { Trust } from './identity/trust.ts'
import { formatAddress, type Address } from './lib/address.ts'
import { systemClock, type Clock, type Random } from './lib/clock.ts'
import { silentLog, type Log } from './lib/log.ts'
import { Lookout } from './lib/lookout.ts'
import { MetricsServer } from './metrics/metrics-server.ts'
import { Readiness } from './metrics/readiness.ts'
import { viewMethods } from './operators/views.ts'
import { clusterFace } from './port/cluster-face.ts'
import { Listener } from './port/listener.ts'
import { serve, type OpenPort } from './port/serve.ts'
import { peerDialer, resolvePeer } from './port/transport.ts'
import { openRelays, type RelayEnds } from './relays/relay-ends.ts'
import type { SimulatedFridge } from './sensors/drivers/simulated.ts'
import { admit, isIssuerIn } from './sessions/admission.ts'
import { Counts, linkEndReason } from './sessions/counts.ts'
import { startEnforcement } from './sessions/enforcement.ts'
import { openService, type OpenService } from './sessions/open-service.ts'
import { Invitations } from './sessions/invitations.ts'
import { Sessions } from './sessions/sessions.ts'
import { WebPort } from './web/web-port.ts'
import type { SubjectState } from './whitelist/merge.ts'
import { ThreadedVerifier, type ThreadedVerifierOptions } from './identity/threaded-verifier.ts'

export interface StartOptions extends Pick<ThreadedVerifierOptions, 'startWorker'> {
  readonly log?: Log
  readonly clock?: Clock
  readonly random?: Random
  /** Aborts when the node is to stop though it has not started: then it waits for no exchange. */
  readonly signal?: AbortSignal
}

/** A node that serves. Dispose it to stop it: it drains, then closes everything that it opened. */
export interface RunningNode extends AsyncDisposable {
  readonly name: Name
  /** Where it listens; the port is the one that it got. */
  readonly address: Address
  /** Where it serves metrics and health, if it does. */
  readonly metrics: Address | undefined
  /** Where it takes tokens, if it issues certificates. */
  readonly enrolment: Address | undefined
  /** Where its page is, if it serves one. */
  readonly page: string | undefined
  /** The simulated fridge, where it has one. */
  readonly fridge: SimulatedFridge | undefined
  /** The last moment of the certificate that it shows now, in milliseconds since 1970. */
  readonly certificateEndsAt: number
  /** Why it does not serve clients now, in a line for a person; undefined while it does. */
  readonly whyNotReady: string | undefined
  /** Whether the threads that check signatures do not come back: only a restart may mend that. */
  readonly isStalled: boolean
  /** Take up new keys, certificates and bundles now. It also happens by itself when files change. */
  reload(): Promise<Reload>
}

/**
 * Start one node: open its list, join its cluster, and serve.
 * @throws FridgeError with everything released: `ERR_KEY_FILE`, `ERR_CERTIFICATE`, `ERR_DATABASE`,
 *   `ERR_DATABASE_CORRUPT`, `ERR_LISTEN`; the reason of the signal when it aborts
 */
export async function startNode(
  config: NodeConfig,
  options: StartOptions = {},
): Promise<RunningNode> {
  const { log = silentLog, clock = systemClock, random = Math.random, signal } = options
  const { name } = config
  const loadOwn = async (): Promise<Credentials> =>
    loadCredentials({ dir: config.certs, role: 'node', name }, { now: clock.now() })
  const credentials = await loadOwn()
  for (const warning of credentials.warnings) log.warn({}, warning)
  const trust = new Trust(credentials, clock)

  await using stack = new AsyncDisposableStack()
  const means = { ...options, config, trust, clock, random, log }
  const { node, fridge, readiness } = await openParts(means, stack)
  const { port, web, enrolment, metrics, gate } = await openPorts(node, readiness, loadOwn, stack)
  await openByList({
    ...node,
    show: isComplete => {
      node.sessions.setClosed('incomplete', !isComplete)
      if (readiness.phase !== 'stopping') readiness.phase = isComplete ? 'serving' : 'incomplete'
    },
    signal,
  })
  gate.resolve()
  const { changes } = node.list.replica.whitelist
  // Of the changes of the first exchange this is all that is told.
  const learned = Object.values(node.counts.applied).reduce((sum, some) => sum + some, 0)
  const addresses = addressesOf({ address: port.address, metrics: metrics?.address })
  log.info({ ...addresses, ...(web && { page: web.url }), changes, learned }, 'serving')

  const running = stack.move()
  return {
    name,
    address: port.address,
    metrics: metrics?.address,
    page: web?.url,
    enrolment: enrolment?.address,
    fridge,
    reload: async () => {
      await node.seals.reload()
      await web?.reload()
      return port.reload()
    },
    get certificateEndsAt() {
      return trust.credentials.identity.notAfter
    },
    get whyNotReady() {
      return readiness.whyNot
    },
    get isStalled() {
      return readiness.isStalled
    },
    [Symbol.asyncDispose]: async () => {
      readiness.phase = 'stopping'
      await running.disposeAsync()
    },
  }
}

/** What a node consists of, but for its ports. */
interface Node {
  readonly config: NodeConfig
  readonly trust: Trust
  readonly counts: Counts
  readonly list: OpenList
  readonly history: History
  readonly service: OpenService['service']
  readonly numbers: OpenService['numbers']
  readonly seals: OpenService['seals']
  readonly sessions: Sessions
  readonly cluster: Cluster
  readonly relays: RelayEnds
  readonly clock: Clock
  readonly log: Log
}

/** What a node is made with. */
interface Means
  extends
    Pick<Node, 'config' | 'trust' | 'clock' | 'log'>,
    Pick<ThreadedVerifierOptions, 'startWorker'> {
  readonly random: Random
}

/** Open all of a node but its ports: its list, its sensors, its sessions and its cluster. */
async function openParts(
  means: Means,
  stack: AsyncDisposableStack,
): Promise<{
  readonly node: Node
  readonly fridge: SimulatedFridge | undefined
  readonly readiness: Readiness
}> {
  const { config, trust, clock, random, log } = means
  const counts = new Counts()
  const verifier = stack.use(new ThreadedVerifier(means))
  const list = stack.use(await openList(config, { trust, verifier, clock, log }))
  const { replica, source: run, ownRemoval } = list
  await ownRemoval.recall()
  const lookout = stack.use(new Lookout(clock))
  const history = stack.use(openHistory(config, { self: list.self, clock, random, log }))
  const { service, fridge, numbers, vitals, seals } = stack.use(
    await openService(config, {
      run,
      domain: trust.credentials.identity.trustDomain ?? '',
      history,
      lookout,
      clock,
      random,
      log,
    }),
  )
  const { sessions } = stack.use(openSessions(list, { trust, verifier, counts, clock }))
  const cluster = stack.use(
    joinCluster({
      config,
      list,
      resolve: resolvePeer,
      dial: peerDialer(trust, clock),
      admits: peer => sessions.admit(peer).admitted,
      onSynced: () => void (counts.lastSyncAt = clock.now()),
      onLinkEnded: ({ reason }) => void (counts.linksEnded[linkEndReason(reason)] += 1),
      onIsolated: is => sessions.setIsolated(is && config.whenIsolated === 'refuse'),
      lookout,
      clock,
      random,
      log,
    }),
  )
  const relays = openRelays({
    ...cluster,
    service,
    sessions,
    maxConnectionsPerClient: config.limits.maxConnectionsPerClient,
    hasForked: node => replica.whitelist.hasEquivocated(node),
    dial: peerDialer(trust, clock, RELAY_ALPN),
    random,
    log,
  })
  const links = { review: () => cluster.overlay.review() + relays.review() }
  // In the same turn as the first dials: no change of a peer comes before.
  const isStarting = (): boolean => readiness.phase === 'starting'
  const enforcing = { overlay: links, replica, sessions, counts, clock, log, isStarting }
  stack.use(startEnforcement(enforcing))
  replica.confirmations.questions.countClients(() => sessions.clients)
  stack.use(startVitals(vitals, cluster.members, clock))
  stack.use(startNodeWatch({ ...cluster, ...service, clock }))

  const parts = { counts, list, history, service, numbers, seals, sessions, cluster, relays }
  const node: Node = { config, trust, clock, log, ...parts }
  const { whenIsolated } = config
  const { storage, stateExchange } = replica
  const own = { whenIsolated, ownRemoval, verifier, storage, stateExchange }
  const readiness = new Readiness({ ...node, ...cluster, ...own })
  return { node, fridge, readiness }
}

/** Open the ports of a node: for metrics, for the cluster and its clients, and for browsers. */
async function openPorts(
  node: Node,
  readiness: Readiness,
  loadOwn: () => Promise<Credentials>,
  stack: AsyncDisposableStack,
): Promise<{
  readonly port: OpenPort
  readonly web: WebPort | undefined
  readonly enrolment: EnrolmentPort | undefined
  readonly metrics: MetricsServer | undefined
  /** To be resolved when the list is as fresh as it can be had: nobody is admitted before. */
  readonly gate: PromiseWithResolvers<void>
}> {
  const { trust, list, cluster, relays, sessions, clock } = node
  const listener = new Listener({ ...node, face: clusterFace(trust) })
  // Before the port: whether a node starts or stops is asked of it too.
  const metrics = stack.use(await startMetrics(node, listener, readiness))
  const gate = Promise.withResolvers<void>()
  let web: WebPort | undefined
  let enrolment: EnrolmentPort | undefined
  const invitations = new Invitations(clock)
  const port = stack.use(
    await serve({
      ...node,
      listener,
      loadCredentials: loadOwn,
      onRenewed: next => {
        web?.renew(next)
        relays.review()
        enrolment?.renew(next)
      },
      tokenDesk: () => enrolment && { tokens: enrolment.tokens, port: enrolment.address.port },
      invitations,
      pageUrl: () => web?.url,
      gate: gate.promise,
    }),
  )
  const stateOf = (subject: Subject): SubjectState => node.list.replica.stateOf(subject)
  enrolment = stack.use(
    await EnrolmentPort.start({
      ...node,
      admits: holder =>
        isIssuerIn(holder, stateOf) &&
        admit(holder, stateOf(holder.subject), node.clock.now()).admitted,
      isOut: () => node.list.ownRemoval.isOut,
      gate: gate.promise,
    }),
  )
  web = stack.use(
    await WebPort.start({
      ...node,
      credentials: trust.credentials,
      openPages: async own => {
        const { openPages } = await import('./web/open-pages.ts')
        const { replica, storedChanges } = list
        const { members } = cluster
        const openViews = () => viewMethods({ replica, storedChanges, members, sessions, clock })
        return openPages({
          ...node,
          ...own,
          openViews,
          relays: await relays.open(),
          invitations,
          gate: gate.promise,
        })
      },
    }),
  )
  return { port, web, enrolment, metrics, gate }
}

/** The sessions of a node: no client is let in while the node is removed, or cannot check or store. */
function openSessions(
  { replica, ownRemoval }: OpenList,
  {
    trust,
    verifier,
    counts,
    clock,
  }: Pick<Node, 'trust' | 'counts' | 'clock'> & { readonly verifier: ThreadedVerifier },
): { readonly sessions: Sessions } & Disposable {
  const sessions = new Sessions(
    clock,
    subject => replica.stateOf(subject),
    peer => trust.vouchesFor(peer) && isIssuerIn(peer, subject => replica.stateOf(subject)),
    reason => void (counts.cut[reason] += 1),
  )
  const stack = new DisposableStack()
  stack.use(ownRemoval.subscribe(() => sessions.setRemoved()))
  stack.use(verifier.subscribe(isStalled => sessions.setClosed('unchecked', isStalled)))
  stack.use(replica.storage.subscribe(why => sessions.setClosed('unstored', why !== undefined)))
  return { sessions, [Symbol.dispose]: () => stack.dispose() }
}

async function startMetrics(
  {
    config,
    trust,
    counts,
    list: { replica },
    history,
    service,
    numbers,
    seals,
    sessions,
    cluster,
    relays,
    clock,
    log,
  }: Node,
  port: Listener,
  readiness: Readiness,
): Promise<MetricsServer | undefined> {
  const { members, overlay, isolation } = cluster
  return MetricsServer.start({
    config: config.metrics,
    source: {
      name: config.name,
      version: service.version,
      counts,
      fanOut: service.fanOut,
      seals,
      numbers,
      sessions,
      overlay,
      relays,
      members,
      whitelist: () => replica.whitelist,
      trust,
      port,
      maxConnections: config.limits.maxConnections,
      isolation,
      isReady: () => readiness.whyNot === undefined,
      isRecorded: () => history.whyNot === undefined,
      clock,
    },
    whyNotReady: () => readiness.whyNot,
    clock,
    log,
  })
}

function addressesOf({
  address,
  metrics,
}: Pick<RunningNode, 'address' | 'metrics'>): Record<string, string> {
  return {
    address: formatAddress(address),
    ...(metrics !== undefined && { metrics: formatAddress(metrics) }),
  }
}
