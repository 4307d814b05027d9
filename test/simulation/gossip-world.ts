import type { Duplex } from 'node:stream'
import { Members, type MembersOptions } from '../../node/gossip/members.ts'
import { Overlay } from '../../node/gossip/overlay.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import { Replica } from '../../node/gossip/replica.ts'
import { parseName, type Name } from '../../node/identity/names.ts'
import type { Signers } from '../../node/identity/signers.ts'
import { localVerifier } from '../../node/identity/verifier.ts'
import type { Random } from '../../node/lib/clock.ts'
import type { Log } from '../../node/lib/log.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import type { ChangeRequest } from '../../node/whitelist/change.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NOON, testSource } from '../support/replica-changes.ts'
import { commitRequest, type People } from '../support/replica-people.ts'
import { SharedSigners, trustingVerifier } from './shared-signers.ts'
import { MachineClock, SimulatedTime } from './simulated-time.ts'
import { SimulatedWire } from './simulated-wire.ts'
import { Traffic } from './traffic.ts'

/** As the configuration of a node has them by default, in milliseconds. */
const TIMES = { heartbeatMs: 2_000, deadAfterMs: 6_000, redialMinMs: 250, redialMaxMs: 30_000 }

/** When a connection to an address that swallows packets is given up, ms. */
const BLACK_HOLE_MS = 10_000

export interface WorldOptions {
  readonly people: People
  readonly seed?: number
  /** How long a byte is under way between two nodes, at least and at most or by their names, ms. Default 5 to 15. */
  readonly delayMs?: readonly [number, number] | ((one: string, other: string) => number)
  /** Whether signatures are really checked. Default: they are taken as genuine. */
  readonly checksSignatures?: boolean
  /** Up to how many nodes each confirms by itself. Default 64. */
  readonly singly?: number
  /** Makes the *members* of a node. Default: as each node has them at its start. */
  readonly makeMembers?: (options: MembersOptions) => Members
}

/** One node of the world: the gossip of the real code. */
export interface WorldNode {
  readonly name: Name
  readonly clock: MachineClock
  readonly replica: Replica
  readonly members: Members
  readonly overlay: Overlay
  readonly signers: Signers
  /** Links that were cut because a peer broke the protocol. */
  readonly refusals: string[]
}

/** When each node held the watched change first, and over how many links it had come. */
export interface Arrival {
  readonly atMs: number
  readonly hops: number
}

export interface Dial {
  readonly from: string
  readonly to: string
  readonly at: number
}

/**
 * Many nodes in one process: overlay, members, confirmations and list of the real code, over wires
 * that delay and lose, on time that moves from event to event.
 */
export class GossipWorld {
  readonly time = new SimulatedTime()
  readonly traffic = new Traffic()
  readonly dials: Dial[] = []
  /** What of the packets is lost. */
  loss = 0
  readonly #options: WorldOptions
  readonly #random: Random
  readonly #nodes = new Map<string, WorldNode>()
  readonly #runs = new Map<string, number>()
  readonly #wires = new Set<SimulatedWire>()
  /** Addresses at which nothing answers, not even with a refusal. */
  readonly #blackHoles = new Set<string>()
  readonly #cutting = new Set<string>()
  readonly #signers: Signers
  #arrivals = new Map<string, Arrival>()
  #hops = new Map<string, number>()
  #watchedAt = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed ?? 1)
    this.#signers = options.people.signers(new MemoryStore())
  }

  get nodes(): readonly WorldNode[] {
    return [...this.#nodes.values()]
  }

  node(name: string): WorldNode {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`no ${name} runs`)
    return node
  }

  /**
   * @param seeds names: the address of a node is `NAME:1`
   * @param remembered names of nodes that it knew in its last run
   */
  start(
    name: string,
    seeds: readonly string[] = [],
    remembered: readonly string[] = [],
  ): WorldNode {
    const { people, checksSignatures = false } = this.#options
    const { makeMembers = options => new Members(options) } = this.#options
    const run = (this.#runs.get(name) ?? 0) + 1
    this.#runs.set(name, run)
    const clock = new MachineClock(this.time, NOON)
    const verifier = checksSignatures ? localVerifier : trustingVerifier
    const signers = new SharedSigners(this.#signers, verifier)
    const { signer, key } = people.node(name)
    signers.learn(signer.chain)
    const source = testSource(name, run)
    const self = { signer, key }
    const replica = new Replica({ source, store: new MemoryStore(), signers, self, clock })
    const members = makeMembers({
      clock,
      random: this.#random,
      signers,
      signer,
      key,
      self: {
        name: parseName(name),
        source,
        addresses: [`${name}:1`],
        version: '0.0.0',
        startedAt: clock.now(),
        tallyKey: replica.confirmations.tallies.key.publicKey,
        links: [],
      },
    })
    replica.confirmations.tallies.follow(members, this.#options.singly)
    replica.followLinks(members.linkMap)
    const refusals: string[] = []
    const overlay = new Overlay({
      self: parseName(name),
      documents: { whitelist: replica, members },
      seeds: seeds.map(seed => `${seed}:1`),
      remembered: remembered.map(peer => ({ name: parseName(peer), address: `${peer}:1` })),
      dial: async (to, signal) => this.#dial(name, to.slice(0, -2), clock, signal),
      admits: () => true,
      onLinkEnded: ({ hostile, text }) => {
        if (hostile) refusals.push(text)
      },
      times: TIMES,
      clock,
      random: this.#random,
      log: SILENT,
    })
    const node = { name: parseName(name), clock, replica, members, overlay, signers, refusals }
    this.#nodes.set(name, node)
    replica.subscribe(applied => {
      this.#arrivals.set(name, {
        atMs: this.time.now - this.#watchedAt,
        hops: this.#hops.get(name) ?? 0,
      })
      // As `sessions/enforcement.ts` does.
      for (const { entry } of applied) {
        const { source, sequence } = entry.change
        const cut = this.#cutting.has(name) ? 1 : 0
        replica.confirmations.reportApplied(source, [{ sequence, tookMs: 0, cut }])
      }
    })
    return node
  }

  /** Change the list on a node, and note when the change comes to each other. */
  async change(name: string, request: ChangeRequest): Promise<Commit> {
    const { replica, signers } = this.node(name)
    this.#arrivals = new Map()
    this.#hops = new Map([[name, 0]])
    this.#watchedAt = this.time.now
    return commitRequest(replica, request, this.#options.people.operator(), signers)
  }

  /** Where the last change has come to, by name. */
  get arrivals(): ReadonlyMap<string, Arrival> {
    return this.#arrivals
  }

  /** How many links are open, each counted once. */
  get wires(): number {
    for (const wire of this.#wires) if (wire.closed) this.#wires.delete(wire)
    return this.#wires.size
  }

  /**
   * End a node without a word of it.
   * @param options.resets whether its system lives on and resets its connections, as when a process is
   *   killed; else its peers hear nothing more, as after a power cut
   */
  async kill(name: string, { resets = true } = {}): Promise<void> {
    for (const wire of this.#wiresOf(name)) {
      if (resets) wire.cut()
      else wire.swallow()
    }
    await this.stop(name)
  }

  async stop(name: string): Promise<void> {
    const { overlay, members, replica } = this.node(name)
    this.#nodes.delete(name)
    await overlay[Symbol.asyncDispose]()
    members[Symbol.dispose]()
    replica[Symbol.dispose]()
  }

  /** A node cuts somebody with each change from now on. */
  cutsOn(name: string): void {
    this.#cutting.add(name)
  }

  /** Nobody answers there from now on: packets to it are dropped. */
  blackHole(name: string): void {
    this.#blackHoles.add(name)
    for (const wire of this.#wiresOf(name)) wire.swallow()
  }

  /** How long a byte is under way over the links of a node, ms, by the node at their other end. */
  delaysOf(name: string): ReadonlyMap<string, number> {
    const delays = this.#wiresOf(name).map(
      ({ names, delayMs }) => [names.find(one => one !== name) ?? '', delayMs] as const,
    )
    return new Map(delays)
  }

  /** Reset the connections between two nodes. @returns how many there were */
  cut(one: string, other: string): number {
    const between = this.#wiresOf(one).filter(({ names }) => names.includes(other))
    for (const wire of between) wire.cut()
    return between.length
  }

  /** Lose from now on what one node sends another over the connections that they have. */
  swallow(from: string, to: string): void {
    const between = this.#wiresOf(from).filter(({ names }) => names.includes(to))
    for (const wire of between) wire.swallow([from])
  }

  #wiresOf(name: string): SimulatedWire[] {
    return [...this.#wires].filter(wire => !wire.closed && wire.names.includes(name))
  }

  async #dial(from: string, to: string, clock: MachineClock, signal: AbortSignal) {
    this.dials.push({ from, to, at: this.time.now })
    // A machine that is frozen takes the connection and says nothing on it.
    if (this.#blackHoles.has(to) || this.#nodes.get(to)?.clock.isFrozen === true) {
      await clock.sleep(BLACK_HOLE_MS, signal)
      throw new Error(`${to} does not answer`)
    }
    const delayMs = this.#delayMs(from, to)
    // TCP and TLS 1.3: two ways there and back.
    await clock.sleep(4 * delayMs, signal)
    const target = this.#nodes.get(to)
    if (target === undefined) throw new Error(`${to} refuses the connection`)
    const identityOf = (name: string) => this.#options.people.node(name).signer.identity
    const count = this.traffic.connection()
    const wire = new SimulatedWire(
      { name: from, clock },
      { name: to, clock: target.clock },
      {
        time: this.time,
        random: this.#random,
        delayMs,
        loss: () => this.loss,
        onArrival: (sender, receiver, text) => {
          const hops = count(receiver, text) ? this.#hops.get(sender) : undefined
          if (hops !== undefined && !this.#hops.has(receiver)) this.#hops.set(receiver, hops + 1)
        },
      },
    )
    this.#wires.add(wire)
    const [here, there]: readonly Duplex[] = wire.ends
    if (here === undefined || there === undefined) throw new RangeError('a wire has two ends')
    const dialed = { socket: there, peer: identityOf(from), own: identityOf(to) }
    // The end that dialed has finished the handshake when its last message is still under way.
    target.clock.after(delayMs, () => {
      if (!target.overlay.accept(dialed)) there.destroy()
    })
    return { socket: here, peer: identityOf(to), own: identityOf(from) }
  }

  #delayMs(one: string, other: string): number {
    const { delayMs = [5, 15] } = this.#options
    if (typeof delayMs === 'function') return delayMs(one, other)
    const [least, most] = delayMs
    return Math.round(least + this.#random() * (most - least))
  }
}

const ignore = (): void => {}
const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
