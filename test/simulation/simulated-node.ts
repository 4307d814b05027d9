import { setImmediate as nextTurn } from 'node:timers/promises'
import { catchUp } from '../../node/gossip/join.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import type { EndedSource } from '../../node/gossip/own-past.ts'
import type { Replica } from '../../node/gossip/replica.ts'
import { carriedBy } from '../../node/gossip/update.ts'
import type { Update } from '../../node/gossip/document.ts'
import { parseName, type Name, type Source } from '../../node/identity/names.ts'
import type { Signers } from '../../node/identity/signers.ts'
import type { Log } from '../../node/lib/log.ts'
import {
  idOf,
  readChange,
  type Change,
  type ChangeId,
  type ChangeRequest,
  type CheckpointRequest,
  type Revocation,
} from '../../node/whitelist/change.ts'
import {
  entriesIn,
  entryHash,
  isStray,
  type Entry,
  type Stray,
} from '../../node/whitelist/entry.ts'
import { commitChange, type Person } from '../support/replica-people.ts'
import type { DefinedList } from './defined-list.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { SimulatedDisk, type Backup, type Image, type Snapshot } from './simulated-disk.ts'
import type { Peer, SimulatedLink } from './simulated-network.ts'
import { openRun, type Run, type RunOptions } from './simulated-run.ts'

/** How long a node waits for a first exchange before it looks at what its own list is worth. */
const FIRST_SYNC_MS = 300

/** What a node tells whoever watches over its promises. */
export interface NodeEvents {
  /** A change is durable at a node. */
  readonly onKept: (node: SimulatedNode, entry: Entry) => void
  /** A node has seen another one sign two changes at one place. */
  readonly onLiar: (node: SimulatedNode, strays: readonly Stray[]) => void
  /** A source of a node is not used any more. */
  readonly onEnded: (node: SimulatedNode, ended: EndedSource) => void
  /** A node holds all that its peer held when they met. */
  readonly onExchanged: (node: SimulatedNode, link: SimulatedLink) => void
  /** A node lets clients in from now on. */
  readonly onOpen: (node: SimulatedNode) => void
  /** A node has looked in vain for somebody, and lets nobody in by its list. */
  readonly onShut: (node: SimulatedNode) => void
  readonly onWrong: (what: string) => void
}

export interface NodeOptions extends Pick<RunOptions, 'people' | 'clock' | 'draw'> {
  readonly name: string
  /** What it is called in this simulation: its name, or for a copy of it another one. */
  readonly label?: string
  /** Whether peers are named in its configuration. */
  readonly hasSeeds: boolean
  readonly events: NodeEvents
  /** What its disk holds at its first start. Default nothing. */
  readonly image?: Image
}

const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** One node: its disk outlives it, everything else is born anew with each run. */
export class SimulatedNode {
  readonly name: Name
  readonly label: string
  readonly clock: SimulatedClock
  readonly disk = new SimulatedDisk()
  readonly #options: NodeOptions
  #links: () => readonly SimulatedLink[] = () => []
  /** Whether it has taken in a part of what a peer holds, and not all of it yet. */
  #isHalf = false
  /** Whether it was in step with a peer since, and could note that. */
  #wasInStep = false
  #run: Run

  constructor(options: NodeOptions) {
    this.name = parseName(options.name)
    this.label = options.label ?? options.name
    this.clock = options.clock
    this.#options = options
    if (options.image !== undefined) this.disk.revert(options.image)
    this.#run = this.#start()
  }

  get replica(): Replica {
    return this.#run.replica
  }

  get source(): Source {
    return this.#run.source
  }

  get peer(): Peer {
    const run = this.#run
    return {
      name: this.label,
      document: run.replica,
      wasWhole: () => run.replica.wholeness.wasWhole,
      whenAwake: task => this.clock.whenAwake(task),
      onFrame: (frame, link) => this.#hear(run, frame, link),
      onSynced: link => this.#exchange(run, link),
    }
  }

  /** Whether clients are let in by its list. */
  get isOpen(): boolean {
    return this.#run.isOpen
  }

  /** Whether an exchange with a peer has been complete since it started. */
  get hasExchanged(): boolean {
    return this.#run.hasExchanged
  }

  get isHalf(): boolean {
    return this.#isHalf
  }

  get wasInStep(): boolean {
    return this.#wasInStep
  }

  /** Whether its disk takes what is written. */
  get isWorking(): boolean {
    return this.#run.replica.storage.failing === undefined
  }

  /** It has nothing left to do. @param isOfWhole whether the peer of a link could say that its list is whole */
  rest(isOfWhole: (link: SimulatedLink) => boolean): void {
    const isProven = this.#run.inStep.values().some(isOfWhole)
    if (isProven && !this.#isHalf && this.isWorking) this.#wasInStep = true
  }

  /** The removals that have arrived since it started, whatever its disk says. */
  get removals(): Map<ChangeId, Revocation> {
    return this.#run.removals
  }

  /** The texts of all changes on its disk. */
  texts(): Set<string> {
    return new Set(this.entries().map(({ text }) => text))
  }

  entries(): Entry[] {
    return this.disk.log.map(one => (isStray(one) ? one.entry : one))
  }

  /** Its list beside the definition of it. */
  get defined(): DefinedList {
    return this.#run.defined
  }

  get links(): readonly SimulatedLink[] {
    return this.#links()
  }

  follow(links: () => readonly SimulatedLink[]): void {
    this.#links = links
  }

  async settled(): Promise<void> {
    await this.#run.replica.settled()
  }

  /** Die without a word, and start again from what the disk holds. */
  restart(): void {
    this.#stop()
    this.#run = this.#start()
  }

  /** Start again from an old copy of the database. */
  restore(backup: Backup): void {
    this.#stop()
    this.disk.restore(backup)
    this.#isHalf = false
    this.#wasInStep = false
    this.#run = this.#start()
  }

  snapshot(): Snapshot {
    const { source, ownSource, isInUse, isOpen } = this.#run
    return {
      image: this.disk.image(),
      source,
      candidate: ownSource.candidate,
      isInUse,
      isOpen,
    }
  }

  /** Go on from where disk and memory were, as a virtual machine does, and not know it. */
  resume(snapshot: Snapshot): void {
    this.#stop()
    this.disk.revert(snapshot.image)
    this.#isHalf = false
    this.#wasInStep = false
    this.#run = this.#start(snapshot)
  }

  /** Another run of this name is heard of. */
  meetTwin(source: Source): void {
    if (this.#run.twins.has(source)) return
    this.#run.twins.add(source)
    this.#run.replica.noteTwin()
  }

  propose(request: ChangeRequest): Change {
    this.#run.isInUse = true
    return this.#run.replica.propose(request)
  }

  async proposeCheckpoint(request: CheckpointRequest): Promise<Change> {
    this.#run.isInUse = true
    return this.#run.replica.proposeCheckpoint(request)
  }

  /** @param signer default: the operator whom the change names */
  async commit(
    change: Change,
    signer: Person = this.#options.people.operator(change.operator),
  ): Promise<Commit> {
    const { replica, signers } = this.#run
    return commitChange(replica, change, signer, signers)
  }

  /** The certificates that it knows. */
  get signers(): Signers {
    return this.#run.signers
  }

  #stop(): void {
    this.clock.wake()
    const { replica, listed } = this.#run
    replica[Symbol.dispose]()
    listed[Symbol.dispose]()
  }

  #start(resumed?: Snapshot): Run {
    const { disk, name } = this
    const run = openRun({ ...this.#options, disk, name }, resumed)
    const { ownSource, replica } = run
    ownSource.follow(() => this.#hasPeers(run))
    if (resumed?.isInUse === true) {
      // What was in its memory: that this source may be used.
      ownSource.confirm()
      if (resumed.candidate !== undefined) ownSource.take()
    }
    this.#watch(run)
    replica.checks.start()
    if (!run.isOpen) void this.#open(run)
    return run
  }

  #watch(run: Run): void {
    const { replica, defined, brought, inStep } = run
    const { events } = this.#options
    replica.subscribeEquivocation(strays => events.onLiar(this, strays))
    replica.subscribeEnded(ended => events.onEnded(this, ended))
    replica.wholeness.subscribe(hasExchanged => {
      // By then it is known here that the link is in step.
      const known = hasExchanged ? replica.settled() : Promise.resolve()
      void known.then(() => this.#openOrShut(run))
    })
    replica.subscribeSettled(() => defined.look())
    replica.subscribe(applied => {
      for (const { entry } of applied) {
        const links = brought.get(entry.text) ?? []
        // Which of them it was taken from, only the node knows.
        if (links.some(link => !inStep.has(link))) this.#wasInStep = false
        if (links.length > 0 && !links.some(link => inStep.has(link))) this.#isHalf = true
      }
      for (const { entry } of applied) events.onKept(this, entry)
      const wrong = defined.merged(applied.map(({ entry }) => entry.change))
      for (const what of wrong) events.onWrong(`${this.label} ${what}`)
    })
  }

  #hasPeers({ listed }: Run): boolean {
    const isListed = [...listed.names()].some(name => name !== this.name)
    return this.#options.hasSeeds || isListed || this.#links().length > 0
  }

  /** Let clients in as soon as the list is one to let them in by. */
  async #open(run: Run): Promise<void> {
    const { clock } = this.#options
    const { replica, firstSync } = run
    const overlay = { firstSync: firstSync.promise, links: () => this.#links() as never[] }
    const cluster = { overlay, hasPeers: () => this.#hasPeers(run) }
    const config = {
      gossip: { firstSyncMs: FIRST_SYNC_MS } as never,
      whenIsolated: 'serve',
    } as const
    // In the constructor its links are not there yet.
    await nextTurn()
    const isComplete = await catchUp(cluster, { replica }, config, clock, SILENT)
    if (run === this.#run && !isComplete && !replica.wholeness.hasExchanged) {
      this.#options.events.onShut(this)
    }
    if (run !== this.#run) return
    run.isStarted = true
    this.#show(
      run,
      (isComplete || replica.wholeness.hasExchanged) && !replica.wholeness.isBeginning,
    )
  }

  /** Let clients in, or none any more, as what has come of the list allows. */
  #openOrShut(run: Run): void {
    const { hasExchanged } = run.replica.wholeness
    if (hasExchanged) run.firstSync.resolve()
    if (run.isStarted) this.#show(run, hasExchanged)
  }

  #show(run: Run, isOpen: boolean): void {
    if (run !== this.#run || run.isOpen === isOpen) return
    run.isOpen = isOpen
    if (isOpen) this.#options.events.onOpen(this)
  }

  #hear(run: Run, frame: unknown, link: SimulatedLink): void {
    if (!Array.isArray(frame)) return
    for (const { text, signatures } of entriesIn(carriedBy(frame as unknown as Update))) {
      run.brought.set(text, [...(run.brought.get(text) ?? []), link])
      const change = readChange(text)
      if (typeof change === 'string' || change.kind !== 'revocation') continue
      run.removals.set(idOf({ change, hash: entryHash(text, signatures) }), change)
    }
  }

  /** It has taken in all that came, and could store it. */
  #exchange(run: Run, link: SimulatedLink): void {
    if (link.ended || run !== this.#run) return
    run.inStep.add(link)
    run.hasExchanged = true
    this.#isHalf = false
    this.#openOrShut(run)
    this.#options.events.onExchanged(this, link)
  }
}
