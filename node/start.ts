import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { formatAddress, type Address } from './lib/address.ts'
import { systemClock, type Clock, type Random } from './lib/clock.ts'
import type { NodeConfig } from './config/config.ts'
import { CredentialWatch, type Reload } from './identity/credential-watch.ts'
import { Counts, linkEndReason } from './sessions/counts.ts'
import { loadCredentials } from './identity/credentials.ts'
import { errorMessage } from './lib/errors.ts'
import { FanOut } from './events/fan-out.ts'
import { awaitFirstSync } from './gossip/first-sync.ts'
import type { AppliedChange } from './gossip/confirmation.ts'
import { Members } from './gossip/members.ts'
import { Overlay } from './gossip/overlay.ts'
import { silentLog, type Log } from './lib/log.ts'
import {
  nodeOf,
  roleOf,
  sourceOf,
  subjectOf,
  type Name,
  type Source,
  type Subject,
} from './identity/names.ts'
import { Isolation } from './gossip/isolation.ts'
import { operatorMethods } from './operators/service.ts'
import { MetricsServer } from './metrics/metrics-server.ts'
import { startFeeds } from './sensors/feed.ts'
import { whyNotReady, type Phase } from './metrics/readiness.ts'
import { OwnSigner, renewNode } from './port/renewal.ts'
import { openSensors } from './sensors/registry.ts'
import type { SimulatedFridge } from './sensors/drivers/simulated.ts'
import { Server } from './port/server.ts'
import { Sessions } from './sessions/sessions.ts'
import { dialNode } from './port/transport.ts'
import { Trust } from './identity/trust.ts'
import { VERSION } from './lib/version.ts'
import { StoredChanges } from './storage/stored-changes.ts'
import { Replica, type Applied } from './gossip/replica.ts'
import { Signers } from './identity/signers.ts'
import { openSqliteStore } from './storage/sqlite-store.ts'

export interface StartOptions {
  readonly log?: Log
  readonly clock?: Clock
  readonly random?: Random
}

/** A node that serves. Dispose it to stop it: it drains, then closes everything that it opened. */
export interface RunningNode extends AsyncDisposable {
  readonly name: Name
  /** Where it listens; the port is the one that it got. */
  readonly address: Address
  /** Where it serves metrics and health, if it does. */
  readonly metrics: Address | undefined
  /** The simulated fridge, where it has one. */
  readonly fridge: SimulatedFridge | undefined
  /** The last moment of the certificate that it shows now, in milliseconds since 1970. */
  readonly certificateEndsAt: number
  /** Take up new keys, certificates and bundles now. It also happens by itself when files change. */
  reload(): Promise<Reload>
}

/** The database of a node, in its data folder. */
export const DATABASE_FILE = 'whitelist.db'

/** How long changes of the number of clients are gathered before peers are told, in milliseconds. */
const COUNT_CLIENTS_MS = 1_000

/**
 * Start one node: open its database, link to its peers, and serve.
 * @throws FridgeError with everything released: `ERR_KEY_FILE`, `ERR_CERTIFICATE`, `ERR_DATABASE`,
 *   `ERR_DATABASE_CORRUPT`, `ERR_LISTEN`
 */
export async function startNode(
  config: NodeConfig,
  options: StartOptions = {},
): Promise<RunningNode> {
  const { log = silentLog, clock = systemClock, random = Math.random } = options
  const { name } = config
  const credentials = await loadCredentials(
    { dir: config.certs, role: 'node', name },
    { now: clock.now() },
  )
  for (const warning of credentials.warnings) log.warn({}, warning)

  await using stack = new AsyncDisposableStack()
  const database = join(config.data, DATABASE_FILE)
  const store = stack.use(openSqliteStore(database))
  const storedChanges = stack.use(StoredChanges.open(database))
  const counts = new Counts()
  // A new source each run: no restored backup and no lost disk can lead to a place given twice.
  const source = sourceOf(name, randomBytes(8).toString('hex'))
  const trust = new Trust(credentials)
  const signers = new Signers({
    store,
    trustDomain: credentials.identity.trustDomain,
    authorities: () => trust.signing,
  })
  const self = new OwnSigner(credentials, signers)
  const replica = new Replica({
    source,
    store,
    signers,
    self,
    clock,
    onStoreFailure: error =>
      log.error({ reason: errorMessage(error) }, 'cannot store changes of peers'),
    onEquivocation: strays => {
      const nodes = new Set(strays.map(({ entry }) => nodeOf(entry.change.source)))
      for (const liar of nodes) {
        log.error(
          { liar, fix: `fridge whitelist remove node/${liar}` },
          'a node has signed two different changes at one place: it is cut',
        )
      }
      sessions.reviewAll()
      overlay?.review()
    },
    onSettled: subjects => {
      for (const subject of subjects) sessions.review(subject)
    },
  })

  stack.use(replica)

  const opened = stack.use(openSensors(config, { clock, random, log }))
  const feeds = stack.use(startFeeds(opened.sensors, { clock, random, log }))
  const fanOut = stack.use(new FanOut(feeds))
  const sessions = new Sessions(
    clock,
    subject => replica.whitelist.state(subject),
    peer => trust.vouchesFor(peer),
    reason => {
      counts.cut[reason] += 1
    },
  )
  const isRemoved = (node: Name): boolean =>
    replica.whitelist.state(subjectOf('node', node)).revocations.size > 0
  const gate = Promise.withResolvers<void>()

  const members = stack.use(
    new Members({
      clock,
      random,
      signers,
      signer: self.signer,
      key: self.key,
      isRemoved,
      self: {
        name,
        source,
        addresses: config.advertise.map(formatAddress),
        version: VERSION,
        startedAt: clock.now(),
        links: [],
        changes: replica.whitelist.changes,
        clients: 0,
        applied: {},
      },
    }),
  )
  let isolation: Isolation | undefined
  const overlay = stack.use(
    new Overlay({
      self: name,
      documents: { whitelist: replica, members },
      seeds: config.peers.map(formatAddress),
      dial: async (address, signal) => {
        const judgedBy = trust.credentials
        const dialed = await dialNode(address, judgedBy, signal)
        trust.hold(dialed.socket, dialed.peer, judgedBy)
        return dialed
      },
      admits: peer => sessions.admit(peer).admitted && !replica.whitelist.hasEquivocated(peer.name),
      onSynced: () => {
        counts.lastSyncAt = clock.now()
        isolation?.look()
      },
      onLinkEnded: ({ reason }) => {
        counts.linksEnded[linkEndReason(reason)] += 1
      },
      times: config.gossip,
      clock,
      random,
      log,
    }),
  )
  isolation = stack.use(
    new Isolation({
      clock,
      isolatedAfterMs: config.isolatedAfterMs,
      aloneMs: () => overlay.alone,
      hasPeers: () => config.peers.length > 0 || members.unreachable().size > 0,
      onChange: isIsolated => {
        log.warn(
          { whenIsolated: config.whenIsolated },
          isIsolated ? 'isolated: no peer in reach' : 'a peer is in reach again',
        )
        sessions.setIsolated(isIsolated && config.whenIsolated === 'refuse')
      },
    }),
  )
  stack.use(
    replica.subscribe(applied =>
      confirm(applied, { replica, sessions, members, overlay, counts, clock, log }),
    ),
  )
  stack.defer(countClients(sessions, members, clock))
  let server: Server | undefined
  let phase: Phase = 'starting'
  const whyNot = (): string | undefined => {
    const { whenIsolated } = config
    const certificateEndsAt = trust.credentials.identity.notAfter
    const { isIsolated } = isolation
    return whyNotReady({ phase, isIsolated, whenIsolated, certificateEndsAt }, clock.now())
  }
  // Before the port: whether a node starts or stops is asked of it too.
  const metrics = stack.use(
    await MetricsServer.start({
      config: config.metrics,
      source: {
        name,
        version: VERSION,
        counts,
        fanOut,
        sessions,
        overlay,
        members,
        whitelist: () => replica.whitelist,
        trust,
        port: () => server,
        maxConnections: config.limits.maxConnections,
        isIsolated: () => isolation.isIsolated,
        isReady: () => whyNot() === undefined,
        clock,
      },
      whyNotReady: whyNot,
      clock,
      log,
    }),
  )
  server = await Server.listen({
    config,
    trust,
    sessions,
    overlay,
    signers,
    counts,
    log,
    gate: gate.promise,
    service: {
      node: name,
      run: source,
      version: VERSION,
      sensors: feeds.sensors,
      actuator: opened.actuator,
      fanOut,
      clock,
    },
    operatorMethods: operator =>
      operatorMethods({
        operator,
        replica,
        storedChanges,
        members,
        sessions,
        clock,
        isIsolated: () => isolation?.isIsolated ?? false,
        aloneMs: () => overlay.alone,
      }),
  })
  stack.use(server)
  const watch = new CredentialWatch({
    credentials,
    load: async () =>
      loadCredentials({ dir: config.certs, role: 'node', name }, { now: clock.now() }),
    apply: next =>
      renewNode(next, { trust, self, signers, server, members, sessions, overlay, log }),
    clock,
    log,
  })
  stack.use(watch)
  if (config.advertise.length === 0) members.advertise([formatAddress(server.address)])

  if (config.peers.length > 0) {
    const isSynced = await awaitFirstSync(overlay, config.gossip.firstSyncMs, clock)
    if (!isSynced) log.warn({}, 'no exchange with a peer yet: the list may be stale')
  }
  gate.resolve()
  phase = 'serving'
  if (isRemoved(name)) sayRemoved(name, log)
  log.info(
    {
      address: formatAddress(server.address),
      ...(metrics !== undefined && { metrics: formatAddress(metrics.address) }),
      changes: replica.whitelist.changes,
    },
    'serving',
  )

  const running = stack.move()
  return {
    name,
    address: server.address,
    metrics: metrics?.address,
    fridge: opened.fridge,
    reload: async () => watch.reload(),
    get certificateEndsAt() {
      return trust.credentials.identity.notAfter
    },
    [Symbol.asyncDispose]: async () => {
      phase = 'stopping'
      await running.disposeAsync()
    },
  }
}

interface Deciding {
  readonly replica: Replica
  readonly sessions: Sessions
  readonly members: Members
  readonly overlay: Overlay
  readonly counts: Counts
  readonly clock: Clock
  readonly log: Log
}

/** Decide again on everyone that changes are about, then tell the cluster that it is done. */
function confirm(applied: readonly Applied[], deciding: Deciding): void {
  const { replica, sessions, members, overlay, counts, clock, log } = deciding
  const cuts = new Map<Subject, number>()
  for (const { entry } of applied) {
    const { subject, kind } = entry.change
    counts.applied[kind] += 1
    if (cuts.has(subject)) continue
    if (roleOf(subject) === 'client') cuts.set(subject, sessions.review(subject))
    // What a revoked operator or node had granted may be void with it: everyone is looked at.
    else cuts.set(subject, sessions.reviewAll() + overlay.review())
  }
  const bySource = new Map<Source, AppliedChange[]>()
  for (const { entry, receivedAt } of applied) {
    const { source, sequence, subject, kind, operator } = entry.change
    const tookMs = Math.round((clock.monotonic() - receivedAt) * 1_000) / 1_000
    const cut = kind === 'revocation' ? (cuts.get(subject) ?? 0) : 0
    log.info({ subject, kind, operator, source, sequence, tookMs, cut }, 'change applied')
    if (subject === subjectOf('node', members.self.name)) sayRemoved(members.self.name, log)
    const changes = bySource.get(source) ?? []
    changes.push({ sequence, tookMs, cut })
    bySource.set(source, changes)
  }
  for (const [source, changes] of bySource) replica.confirmations.reportApplied(source, changes)
  members.noteApplied(
    applied.map(({ entry }) => entry.change),
    replica.whitelist.changes,
  )
}

/** Its peers only hang up on it: whoever looks for the reason looks here. */
function sayRemoved(name: Name, log: Log): void {
  const fix = 'give it a new name: fridge certs issue node NAME'
  log.error({ fix }, `this node was removed from the list, and no peer takes node/${name} any more`)
}

/** Keep the number of clients in this node's entry of *members*. @returns what stops it */
function countClients(sessions: Sessions, members: Members, clock: Clock): () => void {
  let timer: Disposable
  const count = (): void => {
    const { clients } = sessions
    if (members.self.clients !== clients) members.update({ clients })
    timer = clock.after(COUNT_CLIENTS_MS, count)
  }
  count()
  return () => timer[Symbol.dispose]()
}
