import type { NodeConfig } from '../config/config.ts'
import type { Identity } from '../identity/identity.ts'
import { subjectOf, type Name } from '../identity/names.ts'
import { formatAddress } from '../lib/address.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Lookout } from '../lib/lookout.ts'
import { VERSION } from '../lib/version.ts'
import { READS_VERSION } from '../whitelist/change.ts'
import { awaitFirstSync, type FirstSyncs } from './first-sync.ts'
import type { Forgettings } from './forgettings.ts'
import { Isolation } from './isolation.ts'
import { ListedNodes } from './listed-nodes.ts'
import { Members, type MembersOptions } from './members.ts'
import { LastWords } from './last-words.ts'
import type { OpenList } from './open-list.ts'
import type { Replica } from './replica.ts'
import { Overlay } from './overlay.ts'
import type { OverlayOptions } from './overlay-options.ts'
import { PeerMemory } from './peer-memory.ts'

export interface JoinOptions extends Pick<OverlayOptions, 'resolve' | 'dial' | 'onLinkEnded'> {
  readonly config: Pick<
    NodeConfig,
    'name' | 'advertise' | 'peers' | 'gossip' | 'isolatedAfterMs' | 'whenIsolated'
  >
  readonly list: Pick<
    OpenList,
    | 'source'
    | 'ownSource'
    | 'replica'
    | 'signers'
    | 'self'
    | 'ownRemoval'
    | 'forgettings'
    | 'proofAgainst'
    | 'peerFile'
    | 'lastWordsFile'
  >
  /** Whether a node may be connected now; that it keeps to one chain of changes is looked at here. */
  readonly admits: (peer: Identity) => boolean
  /** A link has been brought up to date. */
  readonly onSynced: () => void
  /** The last peer has been out of reach for too long, or one is in reach again. */
  readonly onIsolated: (isIsolated: boolean) => void
  readonly lookout: Lookout
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A node among others. Dispose it to leave them, with a word to each. */
export interface Cluster extends AsyncDisposable {
  readonly members: Members
  readonly overlay: Overlay
  readonly isolation: Isolation
  /** Whether there are others as far as it knows: by its configuration, its list, its last run, or their own word. */
  readonly hasPeers: () => boolean
}

/** Dial peers and gossip with them from now on. */
export function joinCluster(options: JoinOptions): Cluster {
  const { config, list, onSynced, clock, log } = options
  const { replica, ownRemoval, peerFile, lastWordsFile, signers } = list
  const stack = new AsyncDisposableStack()
  const isRemoved = (node: Name): boolean =>
    replica.stateOf(subjectOf('node', node)).revocations.size > 0
  const listed = stack.use(new ListedNodes(replica))
  const memory = new PeerMemory({ file: peerFile, isRemoved, clock, log })
  const alsoKnown = (): Name[] => [...listed.names(), ...memory.names()]
  const members = stack.use(openMembers(options, { isRemoved, alsoKnown }))
  replica.confirmations.tallies.follow(members)
  replica.followLinks(members.linkMap)
  const remembered = memory.peers.filter(peer => !isRemoved(peer.name))
  const overlay = stack.use(openOverlay(options, { isRemoved, members, remembered }))
  // Those who have not heard of it yet are told nothing by the list of this node any more.
  stack.use(
    ownRemoval.subscribe(() => overlay.cutAll('node removed', 'this node has been removed')),
  )
  const lastWords = new LastWords({ file: lastWordsFile, signers, isRemoved, clock, log })
  void members.recall(lastWords.recall()).then(() => lastWords.follow(members))
  stack.use(members.subscribe(() => noteReturned(members, list.forgettings)))
  memory.follow(members)
  stack.use(memory)
  stack.use(lastWords)
  const hasPeers = (): boolean =>
    config.peers.length > 0 || overlay.links().length > 0 || members.knowsOthers
  list.ownSource.follow(hasPeers)
  const isolation = stack.use(watchIsolation(options, overlay, hasPeers))
  stack.use(
    overlay.subscribe(() => {
      onSynced()
      isolation.look()
      askWitnesses(replica, members, options)
    }),
  )
  return {
    members,
    overlay,
    isolation,
    hasPeers,
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  }
}

function openMembers(
  { config, list, clock, random }: JoinOptions,
  known: Required<Pick<MembersOptions, 'isRemoved' | 'alsoKnown'>>,
): Members {
  const { replica, source, signers, self, forgettings } = list
  return new Members({
    clock,
    random,
    signers,
    signer: self.signer,
    key: self.key,
    forgettings,
    ...known,
    self: {
      name: config.name,
      source,
      addresses: config.advertise.map(formatAddress),
      version: VERSION,
      reads: READS_VERSION,
      startedAt: clock.now(),
      tallyKey: replica.confirmations.tallies.key.publicKey,
      links: [],
    },
  })
}

function openOverlay(
  options: JoinOptions,
  known: Required<Pick<OverlayOptions, 'remembered'>> & {
    readonly members: Members
    readonly isRemoved: (node: Name) => boolean
  },
): Overlay {
  const { config, list, admits, resolve, dial, onLinkEnded, clock, random, log } = options
  const { replica, ownRemoval, proofAgainst } = list
  const { members, remembered, isRemoved } = known
  return new Overlay({
    self: config.name,
    documents: { whitelist: replica, members },
    seeds: config.peers.map(formatAddress),
    remembered,
    ...(resolve && { resolve }),
    dial,
    admits: peer => admits(peer) && !replica.whitelist.hasEquivocated(peer.name),
    removals: {
      has: isRemoved,
      isOwn: () => ownRemoval.removal !== undefined,
      hasForked: node => replica.whitelist.hasEquivocated(node),
      proofOf: proofAgainst,
    },
    onProof: (proof, peer) => void ownRemoval.take(proof, peer),
    ...(onLinkEnded && { onLinkEnded }),
    times: config.gossip,
    clock,
    random,
    log,
  })
}

/** A forgotten node that is live in a run of which nobody knew then has come back. */
function noteReturned(
  members: Pick<Members, 'live'>,
  forgettings: Pick<Forgettings, 'names' | 'heard'>,
): void {
  const forgotten = forgettings.names()
  if (forgotten.size === 0) return
  for (const { name, source } of members.live().values()) {
    if (forgotten.has(name)) forgettings.heard(name, source)
  }
}

function watchIsolation(
  { config, lookout, onIsolated, clock, log }: JoinOptions,
  overlay: Overlay,
  hasPeers: () => boolean,
): Isolation {
  const { whenIsolated, isolatedAfterMs, gossip } = config
  return new Isolation({
    clock,
    lookout,
    isolatedAfterMs,
    times: gossip,
    heard: () => overlay.heard(),
    hasPeers,
    onSlept: sleptMs => {
      log.warn({ sleptMs: Math.round(sleptMs) }, 'this node did not run: its links are old')
      overlay.cutAll('asleep', 'this node did not run for too long')
    },
    onChange: isIsolated => {
      log.warn(
        { whenIsolated },
        isIsolated ? 'isolated: no peer in reach' : 'a peer is in reach again',
      )
      onIsolated(isIsolated)
    },
  })
}

/** Let as many nodes say that the list begins where it does as there are, and say that this is waited for. */
function askWitnesses(
  { stateExchange, wholeness }: Replica,
  members: Pick<Members, 'live'>,
  { config, log }: Pick<JoinOptions, 'config' | 'log'>,
): void {
  const others = new Set(Array.from(members.live().values(), member => member.name))
  others.delete(config.name)
  stateExchange.noteOthers(Math.max(others.size, config.peers.length))
  if (wholeness.isWhole || stateExchange.isWitnessed) return
  log.warn(
    { nodes: stateExchange.needed },
    'the list begins at a checkpoint: no client is let in before so many nodes say that it stands',
  )
}

/**
 * Where this node knows of others, wait for the first exchange with one. Where none answers, a list
 * that was complete once is served by, unless an isolated node is to refuse; the beginning of one
 * never is, however long it takes.
 * @returns whether clients may be let in; if not, they may after the first exchange
 */
export async function catchUp(
  { overlay, hasPeers }: Pick<Cluster, 'hasPeers'> & { readonly overlay: FirstSyncs },
  { replica: { wholeness } }: { readonly replica: Pick<Replica, 'wholeness'> },
  { gossip, whenIsolated }: Pick<NodeConfig, 'gossip' | 'whenIsolated'>,
  clock: Clock,
  log: Log,
): Promise<boolean> {
  if (!hasPeers()) {
    wholeness.noteAlone()
    return true
  }
  if (await awaitFirstSync(overlay, gossip.firstSyncMs, clock)) return true
  // For how long it was off no clock tells: that it has heard nobody since is all that it knows.
  const isServed = wholeness.isWhole && whenIsolated === 'serve'
  if (isServed) log.warn({}, 'no exchange with a peer yet: the list may be stale')
  else log.warn({}, 'no exchange with a peer yet: no client is let in before one is complete')
  return isServed
}
