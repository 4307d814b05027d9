import type { People } from '../support/replica-people.ts'
import { NOON } from '../support/replica-changes.ts'
import type { Draws } from './draws.ts'
import type { Promises } from './promises.ts'
import type { Counts } from './report.ts'
import type { Scheduler } from './scheduler.ts'
import { SimulatedClock } from './simulated-clock.ts'
import type { Backup, Snapshot } from './simulated-disk.ts'
import type { SimulatedLink, SimulatedNetwork } from './simulated-network.ts'
import { SimulatedNode } from './simulated-node.ts'

const DAY_MS = 24 * 60 * 60 * 1_000

export interface MachinesOptions {
  readonly draws: Draws
  readonly people: People
  readonly scheduler: Scheduler
  readonly network: SimulatedNetwork
  readonly promises: Promises
  readonly count: Counts
  /** Whether peers are named in the configuration of the nodes. */
  readonly hasSeeds: boolean
}

/**
 * The machines of a schedule, and all that befalls them and the network between them: they die,
 * sleep, fill up, lose writes, go back to old backups and to old memory, run twice under one name
 * and do not know the time.
 */
export class Machines {
  readonly #options: MachinesOptions
  readonly #nodes: SimulatedNode[] = []
  readonly #backups: { node: SimulatedNode; backup: Backup }[] = []
  readonly #snapshots: { node: SimulatedNode; snapshot: Snapshot }[] = []
  #drawn = 0

  constructor(options: MachinesOptions) {
    this.#options = options
  }

  get nodes(): readonly SimulatedNode[] {
    return this.#nodes
  }

  start(name: string, copied?: SimulatedNode): SimulatedNode {
    const { draws, people, scheduler, network, promises, hasSeeds } = this.#options
    const node: SimulatedNode = new SimulatedNode({
      name,
      ...(copied && { label: `the copy of ${name}`, image: copied.disk.image() }),
      people,
      clock: new SimulatedClock(scheduler, NOON + draws.within(DAY_MS)),
      hasSeeds,
      draw: () => (this.#drawn += 1),
      events: promises,
    })
    node.follow(() => network.links.filter(({ names }) => names.includes(node.label)))
    this.#nodes.push(node)
    return node
  }

  /** The nodes that a node may be linked to: none of its own name. */
  others(node: SimulatedNode): readonly SimulatedNode[] {
    return this.#nodes.filter(({ name }) => name !== node.name)
  }

  connect(node: SimulatedNode, other: SimulatedNode | undefined): SimulatedLink | undefined {
    const { network, promises } = this.#options
    if (other === undefined || node.clock.isAsleep || other.clock.isAsleep) return undefined
    const link = network.connect(node.peer, other.peer)
    if (link === undefined) return undefined
    promises.met(link, [node, other])
    for (const one of [node, other]) this.#tellOfTwins(one)
    return link
  }

  /** It dies while it catches up with a peer, and finds nobody when it starts again. */
  interrupt(node: SimulatedNode): void {
    const { draws, scheduler } = this.#options
    const link = this.connect(node, draws.pick(this.others(node)))
    scheduler.after(draws.below(150), () => {
      if (link !== undefined) this.#restartAlone(node)
    })
  }

  /** It is in step and cannot note it, works again for a while, and then finds nobody at its start. */
  interruptNote(node: SimulatedNode): void {
    const { draws, scheduler } = this.#options
    const link = this.connect(node, draws.pick(this.others(node)))
    if (link === undefined) return
    node.disk.failsToNote = true
    scheduler.after(1_500 + draws.below(1_000), () => this.#restartAlone(node))
  }

  cutOne(): void {
    const { draws, network } = this.#options
    if (network.links.length > 0) draws.pick(network.links).cut()
  }

  partition(): void {
    const { draws, network, count } = this.#options
    const sides = new Map(this.#nodes.map(({ label }) => [label, draws.below(2)]))
    network.partition(label => sides.get(label) ?? 0)
    count.partitions += 1
  }

  /** Its disk is full for a while, or loses the next few writes. */
  breakDisk({ disk }: SimulatedNode): void {
    const { draws, scheduler } = this.#options
    if (draws.chance(0.3)) {
      disk.failures = 1 + draws.below(3)
      return
    }
    disk.isFull = true
    scheduler.after(draws.below(1_500), () => {
      disk.isFull = false
    })
  }

  sleep({ clock }: SimulatedNode): void {
    const { draws, scheduler, count } = this.#options
    clock.suspend()
    count.naps += 1
    scheduler.after(draws.below(2_000), () => clock.wake())
  }

  /** Its clock is set to another time. */
  setClock({ clock }: SimulatedNode): void {
    clock.jump(this.#options.draws.within(30 * DAY_MS))
  }

  restart(node: SimulatedNode): void {
    const { network, count } = this.#options
    network.disconnect(node.label)
    node.restart()
    count.restarts += 1
  }

  backUp(node: SimulatedNode): void {
    this.#backups.push({ node, backup: node.backUp() })
  }

  restore(): void {
    const { draws, network, promises, count } = this.#options
    if (this.#backups.length === 0) return
    const { node, backup } = draws.pick(this.#backups)
    network.disconnect(node.label)
    promises.lose(node)
    node.restore(backup)
    count.restored += 1
  }

  takeSnapshot(node: SimulatedNode): void {
    this.#snapshots.push({ node, snapshot: node.snapshot() })
  }

  /** A virtual machine goes on from an earlier state of its disk and its memory. */
  resume(): void {
    const { draws, network, promises, count } = this.#options
    if (this.#snapshots.length === 0) return
    const { node, snapshot } = draws.pick(this.#snapshots)
    network.disconnect(node.label)
    promises.lose(node)
    node.resume(snapshot)
    promises.doubled(node, snapshot.candidate)
    count.resumed += 1
  }

  /** A copy of a whole machine starts beside it. */
  copy(node: SimulatedNode): void {
    const { promises, count } = this.#options
    if (count.twins > 0) return
    const { ownSource } = node.disk
    for (const one of [node, this.start(node.name, node)]) promises.doubled(one, ownSource)
    count.twins += 1
  }

  /** Every machine is well, and in reach of all others. */
  heal(): void {
    this.#options.network.heal()
    for (const { disk, clock } of this.#nodes) {
      disk.repair()
      clock.wake()
    }
  }

  /** Link all that are not of one name, each to one that came before it. */
  meet(): SimulatedLink[] {
    const { draws, network } = this.#options
    for (const link of network.links) link.cut()
    const isDoubled = ({ name }: SimulatedNode): boolean =>
      this.#nodes.filter(other => other.name === name).length > 1
    // Those of one name last: they are linked to others alone.
    const shuffled = [...this.#nodes]
      .sort(() => draws.random() - 0.5)
      .sort((one, other) => Number(isDoubled(one)) - Number(isDoubled(other)))
    return shuffled.flatMap((node, index) => {
      const earlier = shuffled.slice(0, index).filter(({ name }) => name !== node.name)
      const link = earlier.length > 0 ? this.connect(node, draws.pick(earlier)) : undefined
      return link === undefined ? [] : [link]
    })
  }

  #restartAlone(node: SimulatedNode): void {
    this.restart(node)
    this.#options.network.partition(label => (label === node.label ? 1 : 0))
  }

  /** Whoever is in reach of another run of its name hears of it by the members. */
  #tellOfTwins(node: SimulatedNode): void {
    const { network } = this.#options
    for (const twin of this.#nodes) {
      if (twin === node || twin.name !== node.name) continue
      if (!network.canReach(node.label, twin.label) || twin.clock.isAsleep) continue
      node.meetTwin(twin.source)
      twin.meetTwin(node.source)
    }
  }
}
