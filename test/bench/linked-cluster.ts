import { awaitConfirmations } from '../../node/gossip/confirmations.ts'
import type { LinkMap } from '../../node/gossip/first-tree.ts'
import type { Member } from '../../node/gossip/member.ts'
import { linksAccepted, linksWanted } from '../../node/gossip/overlay-plan.ts'
import { Replica } from '../../node/gossip/replica.ts'
import type { Signer } from '../../node/identity/signers.ts'
import { nodeOf, type Name, type Source } from '../../node/identity/names.ts'
import type { Random } from '../../node/lib/clock.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import type { Verifier } from '../../node/identity/verifier.ts'
import { trustingVerifier, type SharedSigners } from '../simulation/shared-signers.ts'
import { MachineClock, SimulatedTime } from '../simulation/simulated-time.ts'
import { allLive } from './all-live.ts'
import { CommonSigners, named } from './common-signers.ts'
import { joinDocuments, sharesOf } from './document-wire.ts'
import { Ways } from './ways.ts'
import { memberOf } from '../support/bare-member.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { client, NOON, requestOf, testSource } from '../support/replica-changes.ts'
import { commitRequest, type People } from '../support/replica-people.ts'

/** How long a byte is under way between two nodes, at least and at most, ms. */
const DELAY_MS = { least: 5, most: 15 }

/** How long the accepting node waits for confirmations, ms. */
const MAX_WAIT_MS = 20_000

/** One node: its list with its confirmations, as all know its links. */
interface LinkedNode {
  readonly name: string
  readonly source: Source
  readonly replica: Replica
  /** The same, as what is gossiped. */
  readonly document: Replica
  readonly signers: SharedSigners
  /** The nodes that it is linked to, and how long a byte is under way to each, ms. */
  readonly peers: Map<LinkedNode, number>
  readonly clock: MachineClock
  copies: number
  copyBytes: number
}

interface OpenLink extends Disposable {
  readonly ends: readonly [LinkedNode, LinkedNode]
}

export interface LinkedClusterOptions {
  readonly people: People
  readonly size: number
  /** The nodes of which there are people: those that may accept a change. */
  readonly accepting: readonly string[]
  /** Default: every signature is taken as genuine. */
  readonly verifier?: Verifier
  /** Which nodes are linked, how far they are apart, and which packets are lost. Default 1. */
  readonly seed?: number
}

/** How a change came about. */
export interface Spreading {
  readonly lastMs: number
  readonly medianMs: number
  readonly hops: number
  readonly confirmedMs: number | undefined
  /** The nodes whose confirmation did not come. */
  readonly missing: readonly string[]
}

/**
 * A cluster too large to tell each node of each other: nodes begin linked at random as the overlay
 * links them, and look up in one map what *members* would tell each. List, trees, packing and
 * confirmations are the real ones.
 */
export class LinkedCluster implements Disposable {
  readonly time = new SimulatedTime()
  readonly #nodes: LinkedNode[] = []
  readonly #byName = new Map<Name, LinkedNode>()
  readonly #bySource = new Map<Source, LinkedNode>()
  /** The certificates of those that accept nothing, by their fingerprints. */
  readonly #common = new Map<string, Signer>()
  readonly #live = new Map<Source, Member>()
  readonly #neighbours = new Map<Source, readonly Source[]>()
  readonly #links = new Set<OpenLink>()
  readonly #random: Random
  readonly #ways: Ways<LinkedNode>
  readonly #bringers = new Map<LinkedNode, LinkedNode>()
  readonly #options: LinkedClusterOptions
  #arrivals = new Map<LinkedNode, { readonly atMs: number; readonly hops: number }>()
  #changes = 0
  #receivedBytes = 0
  #confirmationBytes = 0
  #digestBytes = 0

  constructor(options: LinkedClusterOptions) {
    this.#options = options
    const { people, size, accepting, seed = 1 } = options
    this.#random = seededRandom(seed)
    this.#ways = new Ways(seed + 1)
    const all = people.signers(new MemoryStore())
    for (let index = 0; index < size; index += 1) this.#open(accepting[index], index, all)
    this.#followMembers()
    for (const node of this.#nodes) this.#fill(node)
  }

  get links(): number {
    return this.#links.size
  }

  /** Bytes that have arrived since `resetCounts`, of a node on average. */
  get bytesOfNode(): number {
    return this.#receivedBytes / this.#nodes.length
  }

  /** Those of confirmations, of a node on average. */
  get confirmationBytesOfNode(): number {
    return this.#confirmationBytes / this.#nodes.length
  }

  /** Those of digests, of a node on average. */
  get digestBytesOfNode(): number {
    return this.#digestBytes / this.#nodes.length
  }

  /** Copies of changes that have arrived, of a node on average. */
  get copiesOfNode(): number {
    return this.#nodes.reduce((sum, { copies }) => sum + copies, 0) / this.#nodes.length
  }

  /** What a node would receive of one change if each sent it on over every link but one, bytes. */
  get floodBytesOfNode(): number {
    const sum = (of: 'copies' | 'copyBytes'): number =>
      this.#nodes.reduce((all, node) => all + node[of], 0)
    const { length } = this.#nodes
    return ((2 * this.#links.size - (length - 1)) / length) * (sum('copyBytes') / sum('copies'))
  }

  /**
   * When a flood of a change of a node would be at the last one: the fastest ways there are, over the
   * links that are open, with the packets that are about to be lost, past nodes that are frozen, ms.
   */
  floodLastMs(name: string): number {
    const atMs = this.#ways.flood(this.#named(name), ({ clock }) => !clock.isFrozen)
    const awake = [...atMs].filter(([{ clock }]) => !clock.isFrozen)
    return Math.max(...awake.map(([, ms]) => ms))
  }

  /** Lose this share of packets from now on. */
  lose(share: number): void {
    this.#ways.lose(share)
  }

  /** Nothing runs on a node from now on; its links stay. */
  freeze(name: string): void {
    this.#named(name).clock.freeze()
  }

  /** End the link between two nodes; both see it. */
  cut(one: string, other: string): void {
    const ends = [this.#named(one), this.#named(other)]
    for (const link of this.#links) {
      if (link.ends.every(end => ends.includes(end))) link[Symbol.dispose]()
    }
  }

  /** Which neighbour was the first to bring each node the last change. */
  get bringers(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.#bringers, ([to, from]) => [to.name, from.name]))
  }

  resetCounts(): void {
    this.#receivedBytes = 0
    this.#confirmationBytes = 0
    this.#digestBytes = 0
    for (const node of this.#nodes) Object.assign(node, { copies: 0, copyBytes: 0 })
  }

  /** Link the two ends of each pair, and let all come into step. */
  async link(): Promise<void> {
    const pairs = this.#nodes.flatMap(one =>
      Array.from(one.peers.keys(), other => [one, other] as const).filter(
        ([{ source }, other]) => source < other.source,
      ),
    )
    for (const [one, other] of pairs) this.#connect(one, other)
    await this.time.pass(200)
  }

  /** Remove somebody on a node, and wait until all hold it, and it is confirmed. */
  async change(name: string): Promise<Spreading> {
    const { people } = this.#options
    const node = this.#named(name)
    const from = this.time.now
    this.#arrivals = new Map()
    this.#bringers.clear()
    const confirmed = new Set<string>()
    const { replica, signers, clock } = node
    const request = requestOf('revocation', client(`client-${(this.#changes += 1)}`))
    const committed = await commitRequest(replica, request, people.operator(), signers)
    if (committed.outcome !== 'committed') throw new Error(`a change is ${committed.outcome}`)
    const over = new AbortController()
    const proof = awaitConfirmations(committed.entry.change, {
      confirmations: replica.confirmations,
      members: allLive(this.#live),
      clock,
      timeoutMs: MAX_WAIT_MS,
      committedAt: clock.monotonic(),
      onConfirmed: ({ node: by }) => confirmed.add(by),
      signal: over.signal,
    })
    const { length: size } = this.#nodes.filter(({ clock }) => !clock.isFrozen)
    await this.time.until('all hold it', () => this.#arrivals.size >= size)
    const arrivals = [...this.#arrivals.values()].toSorted((a, b) => a.atMs - b.atMs)
    const isConfirmed = (): boolean => confirmed.size >= size
    await this.time.until('all confirm', isConfirmed, { maxMs: MAX_WAIT_MS }).catch(() => {})
    over.abort()
    await proof
    return {
      lastMs: (arrivals.at(-1)?.atMs ?? Number.NaN) - from,
      medianMs: (arrivals[Math.floor(size / 2)]?.atMs ?? Number.NaN) - from,
      hops: Math.max(...arrivals.map(({ hops }) => hops)),
      confirmedMs: isConfirmed() ? this.time.now - from : undefined,
      missing: this.#nodes.filter(one => !confirmed.has(one.name)).map(one => one.name),
    }
  }

  /**
   * Part the cluster in two, change the list on both sides, and join it again.
   * @returns how long it took until all lists were equal, ms
   */
  async heal(name: string, other: string): Promise<number> {
    const half = new Set(this.#nodes.filter((_, index) => index % 2 === 0))
    const cut = [...this.#links].filter(({ ends: [one, two] }) => half.has(one) !== half.has(two))
    for (const link of cut) link[Symbol.dispose]()
    for (const by of [name, other]) {
      const { replica, signers } = this.#named(by)
      const request = requestOf('revocation', client(`client-${(this.#changes += 1)}`))
      await commitRequest(replica, request, this.#options.people.operator(), signers)
    }
    await this.time.pass(2_000)
    const from = this.time.now
    for (const { ends } of cut) this.#connect(...ends)
    const isEqual = (): boolean =>
      this.#nodes.every(({ replica }) => replica.whitelist.changes === this.#changes)
    await this.time.until('all lists are equal', isEqual)
    return this.time.now - from
  }

  [Symbol.dispose](): void {
    for (const link of this.#links) link[Symbol.dispose]()
    for (const { replica } of this.#nodes) replica[Symbol.dispose]()
  }

  #named(name: string): LinkedNode {
    const node = this.#byName.get(nodeOf(testSource(name)))
    if (node === undefined) throw new RangeError(`there is no ${name}`)
    return node
  }

  #open(accepts: string | undefined, index: number, all: ReturnType<People['signers']>): void {
    const { people, accepting, verifier = trustingVerifier } = this.#options
    const [first = ''] = accepting
    const name = accepts ?? `node-${index + 1}`
    const source = testSource(name)
    const signers = new CommonSigners(all, verifier, this.#common)
    // Nodes know each other's certificates from *members*.
    for (const one of accepting) signers.learn(people.node(one).signer.chain)
    const person = people.node(accepts ?? first)
    const self = accepts === undefined ? { ...person, signer: named(name, person.signer) } : person
    if (accepts === undefined) this.#common.set(self.signer.identity.fingerprint, self.signer)
    const clock = new MachineClock(this.time, NOON)
    const replica = new Replica({
      source,
      store: new MemoryStore(),
      signers,
      self,
      clock,
    })
    const peers = new Map<LinkedNode, number>()
    const node = {
      name,
      source,
      replica,
      document: replica,
      signers,
      peers,
      clock,
      copies: 0,
      copyBytes: 0,
    }
    this.#nodes.push(node)
    this.#byName.set(nodeOf(source), node)
    this.#bySource.set(source, node)
    replica.subscribe(applied => {
      this.#arrivals.set(node, { atMs: this.time.now, hops: this.#hopsTo(node) })
      for (const { entry } of applied) {
        const { source: by, sequence } = entry.change
        replica.confirmations.reportApplied(by, [{ sequence, tookMs: 0, cut: 0 }])
      }
    })
  }

  /** One hop more than the neighbour that was the first to hold it. */
  #hopsTo(node: LinkedNode): number {
    if (this.#arrivals.size === 0) return 0
    const around = Array.from(node.peers.keys(), peer => this.#arrivals.get(peer)?.hops ?? Infinity)
    return 1 + Math.min(...around)
  }

  #followMembers(): void {
    const map: LinkMap = {
      runOf: name => this.#byName.get(name)?.source,
      neighboursOf: run => this.#neighboursOf(run),
    }
    const members = this.#nodes.map(({ source, replica }) => ({
      source,
      tallyKey: replica.confirmations.tallies.key.publicKey,
    }))
    const live = new Map(members.map(member => [member.source, member]))
    for (const { source } of members) this.#live.set(source, memberOf(source))
    for (const { replica } of this.#nodes) {
      replica.followLinks(map)
      replica.confirmations.tallies.follow({
        liveCount: this.#nodes.length,
        list: () => members,
        live: () => live,
      })
    }
  }

  /** The fastest first, as nodes name them. Looked up once: each node asks for it anew. */
  #neighboursOf(run: Source): readonly Source[] {
    const known = this.#neighbours.get(run)
    if (known !== undefined) return known
    const peers = [...(this.#bySource.get(run)?.peers ?? [])].toSorted(([, a], [, b]) => a - b)
    const neighbours = peers.map(([{ source }]) => source)
    this.#neighbours.set(run, neighbours)
    return neighbours
  }

  /** Dial others at random until there are links enough, as the overlay does. */
  #fill(node: LinkedNode): void {
    const { length } = this.#nodes
    while (node.peers.size < Math.min(linksWanted(length), length - 1)) {
      const other = this.#nodes[Math.floor(this.#random() * length)]
      if (other === undefined || other === node || other.peers.size >= linksAccepted(length))
        continue
      const delayMs = DELAY_MS.least + this.#random() * (DELAY_MS.most - DELAY_MS.least)
      node.peers.set(other, delayMs)
      other.peers.set(node, delayMs)
    }
  }

  #connect(one: LinkedNode, other: LinkedNode): void {
    this.#ways.open(one, other, one.peers.get(other) ?? DELAY_MS.most)
    const wire = joinDocuments({
      ends: [one, other],
      time: this.time,
      delayMs: (from, to) => this.#ways.send(from, to, this.time.now),
      knowsNodes: true,
      onArrival: (to, from, bytes, frames) => this.#count(to, from, bytes, frames),
    })
    const link: OpenLink = {
      ends: [one, other],
      [Symbol.dispose]: () => {
        this.#links.delete(link)
        this.#ways.close(one, other)
        wire[Symbol.dispose]()
      },
    }
    this.#links.add(link)
  }

  #count(to: LinkedNode, from: LinkedNode, bytes: number, frames: readonly unknown[]): void {
    this.#receivedBytes += bytes
    for (const [kind, share] of sharesOf(bytes, frames, 'whitelist')) {
      if (kind === 'confirmations') this.#confirmationBytes += share
      if (kind === 'digests') this.#digestBytes += share
    }
    for (const frame of frames) {
      if (!Array.isArray(frame)) continue
      to.copies += 1
      to.copyBytes += JSON.stringify(frame).length
      if (!this.#arrivals.has(to) && !this.#bringers.has(to)) this.#bringers.set(to, from)
    }
  }
}
