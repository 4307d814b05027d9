import type { Clock } from '../../node/lib/clock.ts'
import type { GossipDocument } from '../../node/gossip/document.ts'
import type { Source, Subject } from '../../node/identity/names.ts'
import type { ChangeRequest } from '../../node/whitelist/change.ts'
import type { OwnSource } from '../../node/gossip/own-source.ts'
import { MemoryStore } from './memory-store.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import { Replica } from '../../node/gossip/replica.ts'
import type { WholenessRecord } from '../../node/gossip/wholeness.ts'
import type { Signers } from '../../node/identity/signers.ts'
import type { CheckpointEntry } from '../../node/whitelist/cut.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'
import { Scheduler } from '../simulation/scheduler.ts'
import { SimulatedNetwork, type Peer, type SimulatedLink } from '../simulation/simulated-network.ts'
import { FakeClock } from './fake-clock.ts'
import { client, NOON, requestOf, testSource } from './replica-changes.ts'
import { statesOf } from './replica-model.ts'
import { commitChange, commitRequest, type People, type Person } from './replica-people.ts'

export interface TestReplicaOptions {
  /** Default: a store that forgets. */
  readonly store?: ChangeStore
  readonly clock?: Clock
  /** Which start of the node it is. Default 1. */
  readonly run?: number
  /** What numbers its changes. Default: a source for this run, named like it. */
  readonly ownSource?: OwnSource
  readonly wholeness?: WholenessRecord
  /** Default: the node's own. */
  readonly self?: Person
  readonly onUntrue?: (checkpoint: CheckpointEntry) => void
}

/** A replica, with what a test does to it. */
export interface TestReplica {
  readonly name: string
  readonly replica: Replica
  readonly signers: Signers
  readonly source: Source
  grant(subject: Subject): Promise<Commit>
  revoke(subject: Subject): Promise<Commit>
  request(request: ChangeRequest, operator?: Person): Promise<Commit>
  checkpoint(operator?: Person): Promise<Commit>
  /** Whether a grant of a subject stands in its list. */
  isIn(subject: Subject): boolean
  /** All that its list decides: equal lists have equal texts. */
  states(): string[]
}

export function openReplica(
  people: People,
  name: string,
  options: TestReplicaOptions = {},
): TestReplica {
  const { store = new MemoryStore(), clock = new FakeClock(NOON), run = 1, self } = options
  const { signer, key } = self ?? people.node(name)
  const signers = people.signers(store)
  const known = signers.learn(signer.chain)
  if (typeof known === 'string') throw new Error(known)
  const source = testSource(name, run)
  const replica = new Replica({
    source,
    ...(options.ownSource && { ownSource: options.ownSource }),
    store,
    ...(options.wholeness && { wholeness: options.wholeness }),
    signers,
    self: { signer: known, key },
    clock,
    ...(options.onUntrue && { onUntrue: options.onUntrue }),
  })
  const request: TestReplica['request'] = async (request, operator = people.operator()) =>
    commitRequest(replica, request, operator, signers)
  return {
    name,
    replica,
    signers,
    source,
    request,
    grant: async subject => request(requestOf('grant', subject)),
    revoke: async subject => request(requestOf('revocation', subject)),
    checkpoint: async (operator = people.operator()) => {
      const { subject: _, ...asked } = requestOf('revocation', client('nobody'))
      const by = { ...asked, kind: 'checkpoint', operator: operator.signer.identity.name } as const
      return commitChange(replica, await replica.proposeCheckpoint(by), operator, signers)
    },
    isIn: subject => replica.whitelist.state(subject).grants.length > 0,
    states: () => statesOf(replica.whitelist),
  }
}

/** Documents on a network without delay. */
export interface TestNetwork {
  readonly network: SimulatedNetwork
  readonly connect: (one: TestEnd, other: TestEnd) => SimulatedLink
  /** Resolves when nothing is under way any more. */
  readonly quiet: () => Promise<void>
}

/** Whatever gossips under a name. */
export type TestEnd = Pick<TestReplica, 'name'> & {
  readonly replica: GossipDocument & Settling
  /** What it says of its list when a link begins. Default: nothing. */
  readonly wasWhole?: () => boolean | undefined
}

interface Settling {
  settled(): Promise<void>
}

export function testNetwork(): TestNetwork {
  const ends = new Set<Settling>()
  const scheduler = new Scheduler(async () => {
    for (const end of ends) await end.settled()
  })
  const network = new SimulatedNetwork({ scheduler, random: () => 0, maxDelayMs: 1 })
  return {
    network,
    connect: (one, other) => {
      const link = network.connect(peerOf(one), peerOf(other))
      if (link === undefined) throw new Error('the two ends are apart')
      ends.add(one.replica).add(other.replica)
      return link
    },
    quiet: async () => {
      await scheduler.settle()
      await scheduler.run()
    },
  }
}

function peerOf({ name, replica, wasWhole }: TestEnd): Peer {
  return { name, document: replica, ...(wasWhole && { wasWhole }) }
}
