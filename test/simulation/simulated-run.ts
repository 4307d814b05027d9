import { ListedNodes } from '../../node/gossip/listed-nodes.ts'
import { OwnSource } from '../../node/gossip/own-source.ts'
import { Replica } from '../../node/gossip/replica.ts'
import { sourceOf, type Name, type Source } from '../../node/identity/names.ts'
import type { Signers } from '../../node/identity/signers.ts'
import type { ChangeId, Revocation } from '../../node/whitelist/change.ts'
import type { People } from '../support/replica-people.ts'
import { DefinedList } from './defined-list.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import type { SimulatedDisk, Snapshot } from './simulated-disk.ts'
import type { SimulatedLink } from './simulated-network.ts'

/** One start of a node. */
export interface Run {
  readonly source: Source
  readonly ownSource: OwnSource
  readonly replica: Replica
  readonly signers: Signers
  readonly defined: DefinedList
  readonly listed: ListedNodes
  readonly firstSync: PromiseWithResolvers<void>
  /** The removals that have arrived here, stored or not. */
  readonly removals: Map<ChangeId, Revocation>
  /** The links that have brought each change. */
  readonly brought: Map<string, readonly SimulatedLink[]>
  /** The other runs of this name of which it has heard. */
  readonly twins: Set<Source>
  isInUse: boolean
  /** Whether it has waited for its first exchange, as long as it waits. */
  isStarted: boolean
  isOpen: boolean
  /** The links over which all has come that their peers held. */
  readonly inStep: Set<SimulatedLink>
  hasExchanged: boolean
}

export interface RunOptions {
  readonly name: Name
  readonly disk: SimulatedDisk
  readonly people: People
  readonly clock: SimulatedClock
  /** Another number each time: that of a run, or of a source. */
  readonly draw: () => number
}

/**
 * Open what a node keeps in memory over one run, by what its disk holds.
 * @param resumed the memory that it goes on with, where it does not know that it has started again
 */
export function openRun({ name, disk, people, clock, draw }: RunOptions, resumed?: Snapshot): Run {
  const store = disk.open()
  const signers = people.signers(store)
  const { signer, key } = people.node(name)
  const known = signers.learn(signer.chain)
  if (typeof known === 'string') throw new Error(known)
  const drawSource = (): Source => sourceOf(name, draw().toString(16).padStart(16, '0'))
  const source = resumed?.source ?? drawSource()
  const kept = resumed === undefined ? disk.ownSource : resumed.candidate
  const ownSource = new OwnSource({
    ...(kept !== undefined && { kept }),
    draw: drawSource,
    keep: one => store.keepOwnSource(one),
  })
  const self = { signer: known, key }
  const replica = new Replica({ source, ownSource, wholeness: store, store, signers, self, clock })
  return {
    source,
    ownSource,
    replica,
    signers,
    defined: new DefinedList({ list: () => replica.whitelist, log: () => disk.log, signers }),
    listed: new ListedNodes(replica),
    firstSync: Promise.withResolvers(),
    removals: new Map(),
    brought: new Map(),
    twins: new Set(),
    isInUse: resumed?.isInUse ?? false,
    isStarted: resumed?.isOpen ?? false,
    isOpen: resumed?.isOpen ?? false,
    inStep: new Set(),
    hasExchanged: false,
  }
}
