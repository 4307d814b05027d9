import type { Archiving } from '../gossip/archiving.ts'
import { callRoll, type RollCallOptions } from '../gossip/roll-call.ts'
import type { Isolation } from '../gossip/isolation.ts'
import type { Member, Twin } from '../gossip/member.ts'
import type { LostChanges } from '../gossip/lost-changes.ts'
import type { Members } from '../gossip/members.ts'
import type { OwnName } from '../gossip/own-name.ts'
import type { OwnRemoval } from '../gossip/own-removal.ts'
import type { Held } from '../gossip/question.ts'
import type { Removal } from '../gossip/removal-proof.ts'
import type { Replica } from '../gossip/replica.ts'
import { twinsAmong } from '../gossip/twins.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import type { LostChange } from '../whitelist/lost-change.ts'

/** One node as `status` shows it. Of one that the answering node has not heard since its start only the name is known. */
export interface NodeReport {
  readonly name: Name
  readonly reachable: boolean
  /** Whether it was stopped in order; absent where it was not. */
  readonly left?: true
  readonly addresses: readonly string[]
  readonly version: string
  readonly startedAt: number
  readonly links: readonly Name[]
  /** How many changes it holds, and clients it serves; absent where it did not say so when it was asked. */
  readonly changes?: number
  readonly clients?: number
  /** From when on its certificate should be renewed, in milliseconds since 1970. */
  readonly certificateRenewFrom: number
  /** The last moment of its certificate, in milliseconds since 1970. */
  readonly certificateEndsAt: number
}

/** What `status` shows: the cluster as one node sees it. */
export interface StatusReport {
  /** The node that answered. */
  readonly node: Name
  /** How many changes it holds. */
  readonly changes: number
  /** How many subjects it knows. */
  readonly subjects: number
  /** How long that node has been without any peer, in milliseconds; 0 while it has one. */
  readonly aloneMs: number
  /** Whether that is longer than `isolatedAfterMs`: its view of the list may be stale. */
  readonly isolated: boolean
  /** Nodes that run twice under one name, and where each of the two is. */
  readonly twins?: readonly Twin[]
  /** What peers say that turn the node which answered away, because another runs under its name. */
  readonly nameInUse?: string
  /** Who removed the node that answered; absent while it belongs to its cluster. */
  readonly removed?: Removal
  /** Whether two changes at one place carry the signature of the node that answered; absent where not. */
  readonly forked?: true
  /** What the node that answered had accepted and gave up, until somebody asks for it again; absent where there is nothing. */
  readonly lost?: readonly LostChange[]
  /**
   * How many more nodes have to say that the list of the node that answered may begin at its
   * checkpoint, before it lets a client in; absent where nobody is waited for.
   */
  readonly lackingWitnesses?: number
  /** The archives of its log that are not beside its database; absent where none is missing. */
  readonly missingArchives?: readonly string[]
  readonly nodes: readonly NodeReport[]
}

export interface StatusOptions {
  readonly replica: Pick<Replica, 'whitelist'> & {
    readonly stateExchange: { readonly lacking: number | undefined }
  }
  readonly archiving: Pick<Archiving, 'missing'>
  readonly members: Pick<Members, 'self' | 'live' | 'left' | 'unreachable'>
  /** Whether this node itself is out: then it shows what it holds, and changes nothing. */
  readonly ownRemoval: Pick<OwnRemoval, 'removal' | 'isForked' | 'isOut'>
  /** What this node accepted and gave up. */
  readonly lostChanges: Pick<LostChanges, 'all'>
  /** Whether another machine runs under the name of this one. */
  readonly ownName: Pick<OwnName, 'inUse'>
  readonly isolation: Pick<Isolation, 'aloneMs' | 'isIsolated'>
}

export interface AskOptions extends StatusOptions {
  readonly replica: StatusOptions['replica'] & Pick<RollCallOptions, 'confirmations'>
  readonly members: StatusOptions['members'] & RollCallOptions['members']
  readonly clock: Clock
}

/** The longest wait for what nodes say that they hold, in milliseconds. */
const ROLL_CALL_MS = 1_000

/** The cluster, with what each node says that it holds. */
export async function askStatus(options: AskOptions): Promise<StatusReport> {
  const { replica, members, clock } = options
  const { confirmations } = replica
  const held = await callRoll({ confirmations, members, clock, timeoutMs: ROLL_CALL_MS })
  return statusOf(options, held)
}

/** What of a member is reported. */
type Reported = Omit<Member, 'source' | 'saidAt'>

/** What is known of a node that this run has not heard: nothing. */
const UNHEARD: Omit<Reported, 'name'> = {
  addresses: [],
  version: '',
  startedAt: 0,
  links: [],
  certificateRenewFrom: 0,
  certificateEndsAt: 0,
}

/**
 * The cluster as this node sees it, and how it is itself.
 * @param held what the nodes in reach hold, by their runs, as far as they have said
 */
function statusOf(options: StatusOptions, held: ReadonlyMap<Source, Held>): StatusReport {
  const { replica, archiving, members, ownRemoval, lostChanges, ownName, isolation } = options
  const { lacking } = replica.stateExchange
  const lost = lostChanges.all
  const twins = [...twinsAmong(members.live().values()).values()]
  const describe = (member: Reported, reachable: boolean, holds?: Held): NodeReport => ({
    name: member.name,
    reachable,
    ...(!reachable && member.left && { left: member.left }),
    addresses: member.addresses,
    version: member.version,
    startedAt: member.startedAt,
    links: member.links.map(nodeOf).sort(),
    ...(holds !== undefined && { changes: holds.changes, clients: holds.clients }),
    certificateRenewFrom: member.certificateRenewFrom,
    certificateEndsAt: member.certificateEndsAt,
  })
  return {
    node: members.self.name,
    changes: replica.whitelist.changes,
    subjects: replica.whitelist.size,
    aloneMs: Math.round(isolation.aloneMs),
    isolated: isolation.isIsolated,
    ...(twins.length > 0 && { twins }),
    ...(ownName.inUse !== undefined && { nameInUse: ownName.inUse }),
    ...(ownRemoval.removal !== undefined && { removed: ownRemoval.removal }),
    ...(ownRemoval.isForked && { forked: true }),
    ...(lost.length > 0 && { lost }),
    ...(lacking !== undefined && { lackingWitnesses: lacking }),
    ...(archiving.missing.length > 0 && { missingArchives: archiving.missing }),
    nodes: [
      ...Array.from(members.live().values(), member =>
        describe(member, true, held.get(member.source)),
      ),
      ...Array.from(members.left().values(), member => describe(member, false)),
      ...Array.from(members.unreachable(), ([name, member]) =>
        describe(member ?? { name, ...UNHEARD }, false),
      ),
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
}
