import type { Random } from '../../node/lib/clock.ts'
import { errorCode } from '../../node/lib/errors.ts'
import { subjectOf, type Name, type Subject } from '../../node/identity/names.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import type { Change, ChangeRequest } from '../../node/whitelist/change.ts'
import { client, NOON, requestOf, wishOf } from '../support/replica-changes.ts'
import type { People } from '../support/replica-people.ts'
import { OPERATORS, type Former } from './former.ts'
import type { Counts, Report } from './report.ts'
import { countsOf, Promises } from './promises.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedClock } from './simulated-clock.ts'
import type { Backup, Snapshot } from './simulated-disk.ts'
import { SimulatedNetwork, type SimulatedLink } from './simulated-network.ts'
import { SimulatedNode } from './simulated-node.ts'

/** The names of all nodes that a schedule may run. */
export const NODES: readonly string[] = ['n1', 'n2', 'n3', 'n4', 'n5']

const SUBJECTS: readonly Subject[] = ['amber', 'basil', 'coral'].map(client)
const DAY_MS = 24 * 60 * 60 * 1_000
const STEPS = 60
/** How often an operator's program signs what is proposed anew. */
const ROUNDS = 3
/** How often nodes that have healed meet: a link may end so that all of it is asked for anew. */
const MEETINGS = 8

/**
 * Run random operations on random nodes over a network that delays, divides and loses, over
 * machines that die, sleep, fill up, lose writes, go back to old backups and to old memory, run
 * twice under one name and do not know the time; then heal it all. After each step, and in the
 * end, see that every promise has been kept.
 *
 * @throws with the seed in its message when one has not
 */
export async function runSchedule(seed: number, people: People, former: Former): Promise<Report> {
  const schedule = new Schedule(seed, people, former)
  try {
    return await schedule.run()
  } catch (cause) {
    throw new Error(`SEED=${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}

class Schedule {
  readonly #seed: number
  readonly #people: People
  readonly #former: Former
  readonly #random: Random
  readonly #scheduler: Scheduler
  readonly #network: SimulatedNetwork
  readonly #promises: Promises
  readonly #nodes: SimulatedNode[] = []
  readonly #hasSeeds: boolean
  readonly #backups: { node: SimulatedNode; backup: Backup }[] = []
  readonly #snapshots: { node: SimulatedNode; snapshot: Snapshot }[] = []
  readonly #count: Counts = {
    committed: 0,
    again: 0,
    failed: 0,
    refused: 0,
    repeated: 0,
    restarts: 0,
    restored: 0,
    resumed: 0,
    twins: 0,
    naps: 0,
    partitions: 0,
  }
  #drawn = 0
  #wishes = 0

  constructor(seed: number, people: People, former: Former) {
    this.#seed = seed
    this.#former = former
    this.#people = people
    this.#random = seededRandom(seed)
    this.#scheduler = new Scheduler(async () => {
      for (const node of this.#nodes) await node.settled()
    })
    this.#network = new SimulatedNetwork({
      scheduler: this.#scheduler,
      random: this.#random,
      maxDelayMs: this.#pick([1, 20, 200]),
      onRefused: refused => this.#promises.onRefused(refused),
    })
    const fingerprints = former.values().map(({ signer }) => signer.identity.fingerprint)
    this.#promises = new Promises(() => this.#nodes, SUBJECTS, new Set(fingerprints))
    this.#hasSeeds = this.#random() < 0.6
    const count = 2 + this.#below(NODES.length - 1)
    for (const name of NODES.slice(0, count)) this.#start(name)
  }

  async run(): Promise<Report> {
    let at = 0
    for (let step = 0; step < STEPS; step += 1) {
      at += this.#below(100)
      this.#scheduler.after(at, async () => this.#step())
    }
    await this.#scheduler.run()
    await this.#heal()
    const entries = this.#promises.healed()
    this.#promises.assertKept()
    return {
      seed: this.#seed,
      nodes: this.#nodes.length,
      ...this.#count,
      withdrawn: this.#promises.withdrawn,
      ...countsOf(this.#pick(this.#nodes), entries, SUBJECTS),
    }
  }

  #start(name: string, copied?: SimulatedNode): SimulatedNode {
    const node: SimulatedNode = new SimulatedNode({
      name,
      ...(copied && { label: `the copy of ${name}`, image: copied.disk.image() }),
      people: this.#people,
      clock: new SimulatedClock(this.#scheduler, NOON + this.#within(DAY_MS)),
      hasSeeds: this.#hasSeeds,
      draw: () => (this.#drawn += 1),
      events: this.#promises,
    })
    node.follow(() => this.#network.links.filter(({ names }) => names.includes(node.label)))
    this.#nodes.push(node)
    return node
  }

  async #step(): Promise<void> {
    for (const one of this.#nodes) this.#promises.obeyed(one)
    const node = this.#pick(this.#nodes)
    const dice = this.#random()
    if (dice < 0.4) await this.#operate(node)
    else if (dice < 0.44) await this.#withdraw(node)
    else if (dice < 0.47) await this.#checkpoint(node)
    else if (dice < 0.64) this.#connect(node, this.#pick(this.#others(node)))
    else if (dice < 0.66) this.#interrupt(node)
    else if (dice < 0.7) this.#cutOne()
    else if (dice < 0.74) this.#partition()
    else if (dice < 0.78) this.#network.heal()
    else if (dice < 0.83) this.#restart(node)
    else if (dice < 0.86) this.#backups.push({ node, backup: node.disk.backup() })
    else if (dice < 0.89) this.#restore()
    else if (dice < 0.91) node.clock.jump(this.#within(30 * DAY_MS))
    else if (dice < 0.94) this.#breakDisk(node)
    else if (dice < 0.96) this.#sleep(node)
    else if (dice < 0.975) this.#snapshots.push({ node, snapshot: node.snapshot() })
    else if (dice < 0.99) this.#resume()
    else this.#copy(node)
    await this.#scheduler.settle()
    for (const one of this.#nodes) this.#promises.obeyed(one)
    this.#promises.assertKept()
  }

  /** An operator asks for a change, and signs what is proposed: at once, or after a while. */
  async #operate(node: SimulatedNode): Promise<void> {
    if (node.clock.isAsleep) return
    const kind = this.#random() < 0.6 ? 'grant' : 'revocation'
    const operator = this.#pick(OPERATORS)
    const request = this.#request(kind, this.#pick(SUBJECTS), operator)
    const change = node.propose(request)
    // Somebody has the key of an authority that was withdrawn.
    if (this.#random() < 0.1) await this.#commit(node, change, this.#former)
    else if (this.#random() < 0.7) await this.#ask(node, request, change)
    else this.#scheduler.after(this.#below(300), async () => this.#ask(node, request, change))
  }

  /** As an operator's program does: what is proposed anew is signed anew, for the same wish. */
  async #ask(node: SimulatedNode, request: ChangeRequest, first: Change): Promise<void> {
    let change = first
    for (let round = 0; round < ROUNDS; round += 1) {
      const outcome = await this.#commit(node, change)
      if (outcome === 'committed' && request.kind === 'revocation') this.#repeat(request, change)
      if (outcome !== 'again' || node.clock.isAsleep) return
      change = again(node.propose(request), first)
    }
  }

  /** The answer is lost, so the operator's program shows the wish to another node, some time. */
  #repeat(request: ChangeRequest, first: Change): void {
    if (this.#random() < 0.7) return
    this.#scheduler.after(this.#below(800), async () => {
      const node = this.#pick(this.#nodes)
      if (node.clock.isAsleep) return
      const behind = this.#promises.standingBehind(node, first)
      if ((await this.#commit(node, again(node.propose(request), first))) !== 'committed') return
      this.#count.repeated += 1
      const left = this.#promises.standingBehind(node, first)
      if (!behind.isSubsetOf(left)) {
        this.#promises.onWrong(`${node.label} let one wish shut ${request.subject} out twice`)
      }
    })
  }

  /** An operator removes another one, or a node; whose keys go on signing wherever it is not known. */
  async #withdraw(node: SimulatedNode): Promise<void> {
    if (node.clock.isAsleep) return
    const [first, ...removable] = OPERATORS
    const author =
      this.#random() < 0.6
        ? subjectOf('operator', this.#pick(removable))
        : subjectOf('node', this.#pick(this.#nodes.slice(1)).name)
    const operator = this.#random() < 0.7 ? (first ?? this.#pick(OPERATORS)) : this.#pick(removable)
    await this.#commit(node, node.propose(this.#request('revocation', author, operator)))
  }

  /** What an operator asks for: the same in every run of a seed, to the last byte. */
  #request(kind: ChangeRequest['kind'], subject: Subject, operator: Name): ChangeRequest {
    this.#wishes += 1
    return { ...requestOf(kind, subject), operator, wish: wishOf(`${this.#seed} ${this.#wishes}`) }
  }

  /** An operator states what the list is: behind that the former authority adds nothing. */
  async #checkpoint(node: SimulatedNode): Promise<void> {
    if (node.clock.isAsleep) return
    const operator = this.#pick(OPERATORS)
    const { wish } = this.#request('grant', this.#pick(SUBJECTS), operator)
    const request = { kind: 'checkpoint', operator, wish } as const
    await this.#commit(node, await node.proposeCheckpoint(request))
  }

  async #commit(
    node: SimulatedNode,
    change: Change,
    by?: Former,
  ): Promise<Commit['outcome'] | undefined> {
    if (node.clock.isAsleep) return undefined
    // On its own: which of two things that verify signatures is done first, no seed decides.
    await this.#scheduler.settle()
    this.#promises.obeyed(node)
    const before = node.disk.log.length
    const { changes } = node.replica.whitelist
    try {
      const commit = await node.commit(change, by?.get(change.operator))
      const { outcome } = commit
      this.#count[outcome] += 1
      if (commit.outcome === 'committed') this.#promises.acknowledged(commit.entry)
      if (node.disk.log.length - before !== (outcome === 'committed' ? 1 : 0)) {
        this.#promises.onWrong(`${node.label} answered ${outcome} and wrote something else`)
      }
      return outcome
    } catch (error) {
      const isRevoked = errorCode(error) === 'ERR_REVOKED'
      const isFailing = node.replica.storage.failing !== undefined
      if (!isRevoked && (errorCode(error) !== 'ERR_DATABASE' || !isFailing)) throw error
      this.#count[isRevoked ? 'refused' : 'failed'] += 1
      if (node.disk.log.length !== before || node.replica.whitelist.changes !== changes) {
        this.#promises.onWrong(`${node.label} kept a part of a change that failed`)
      }
      const isIn = node.replica.stateOf(change.subject).grants.length > 0
      if (!isRevoked && change.kind === 'revocation' && isIn) {
        this.#promises.onWrong(`${node.label} lets ${change.subject} in whom it cannot remove`)
      }
      return undefined
    }
  }

  #connect(node: SimulatedNode, other: SimulatedNode | undefined): SimulatedLink | undefined {
    if (other === undefined || node.clock.isAsleep || other.clock.isAsleep) return undefined
    const link = this.#network.connect(node.peer, other.peer)
    if (link === undefined) return undefined
    this.#promises.met(link, [node, other])
    for (const one of [node, other]) this.#tellOfTwins(one)
    return link
  }

  /** It dies while it catches up with a peer, and finds nobody when it starts again. */
  #interrupt(node: SimulatedNode): void {
    const link = this.#connect(node, this.#pick(this.#others(node)))
    this.#scheduler.after(this.#below(400), () => {
      if (link === undefined) return
      this.#restart(node)
      this.#network.partition(label => (label === node.label ? 1 : 0))
    })
  }

  /** Whoever is in reach of another run of its name hears of it by the members. */
  #tellOfTwins(node: SimulatedNode): void {
    for (const twin of this.#nodes) {
      if (twin === node || twin.name !== node.name) continue
      if (!this.#network.canReach(node.label, twin.label) || twin.clock.isAsleep) continue
      node.meetTwin(twin.source)
      twin.meetTwin(node.source)
    }
  }

  #cutOne(): void {
    const { links } = this.#network
    if (links.length > 0) this.#pick(links).cut()
  }

  #partition(): void {
    const sides = new Map(this.#nodes.map(({ label }) => [label, this.#below(2)]))
    this.#network.partition(label => sides.get(label) ?? 0)
    this.#count.partitions += 1
  }

  /** Its disk is full for a while, or loses the next few writes. */
  #breakDisk({ disk }: SimulatedNode): void {
    if (this.#random() < 0.3) {
      disk.failures = 1 + this.#below(3)
      return
    }
    disk.isFull = true
    this.#scheduler.after(this.#below(1_500), () => {
      disk.isFull = false
    })
  }

  #sleep({ clock }: SimulatedNode): void {
    clock.suspend()
    this.#count.naps += 1
    this.#scheduler.after(this.#below(2_000), () => clock.wake())
  }

  #restart(node: SimulatedNode): void {
    this.#network.disconnect(node.label)
    node.restart()
    this.#count.restarts += 1
  }

  #restore(): void {
    if (this.#backups.length === 0) return
    const { node, backup } = this.#pick(this.#backups)
    this.#network.disconnect(node.label)
    this.#promises.lose(node)
    node.restore(backup)
    this.#count.restored += 1
  }

  /** A virtual machine goes on from an earlier state of its disk and its memory. */
  #resume(): void {
    if (this.#snapshots.length === 0) return
    const { node, snapshot } = this.#pick(this.#snapshots)
    this.#network.disconnect(node.label)
    this.#promises.lose(node)
    node.resume(snapshot)
    this.#promises.doubled(node)
    this.#count.resumed += 1
  }

  /** A copy of a whole machine starts beside it. */
  #copy(node: SimulatedNode): void {
    if (this.#count.twins > 0) return
    this.#promises.copied(node, this.#start(node.name, node))
    this.#count.twins += 1
  }

  /** Give everyone a disk that works and, in any order, a way to everyone else. */
  async #heal(): Promise<void> {
    this.#network.heal()
    for (const { disk, clock } of this.#nodes) {
      disk.isFull = false
      disk.failures = 0
      clock.wake()
    }
    await this.#scheduler.run()
    for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
      const links = this.#meet()
      await this.#scheduler.run()
      if (links.every(link => link.synced && !link.ended)) return
    }
    this.#promises.onWrong('a link never synced')
  }

  #meet(): SimulatedLink[] {
    for (const link of this.#network.links) link.cut()
    const isDoubled = ({ name }: SimulatedNode): boolean =>
      this.#nodes.filter(other => other.name === name).length > 1
    // Those of one name last: they are linked to others alone.
    const shuffled = [...this.#nodes]
      .sort(() => this.#random() - 0.5)
      .sort((one, other) => Number(isDoubled(one)) - Number(isDoubled(other)))
    return shuffled.flatMap((node, index) => {
      const earlier = shuffled.slice(0, index).filter(({ name }) => name !== node.name)
      const link = earlier.length > 0 ? this.#connect(node, this.#pick(earlier)) : undefined
      return link === undefined ? [] : [link]
    })
  }

  /** The nodes that a node may be linked to: none of its own name. */
  #others(node: SimulatedNode): readonly SimulatedNode[] {
    return this.#nodes.filter(({ name }) => name !== node.name)
  }

  /** From -`limit` to `limit`. */
  #within(limit: number): number {
    return Math.round((this.#random() * 2 - 1) * limit)
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[this.#below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }
}

/** What is proposed anew for a wish: a removal goes on with what its first text had seen. */
function again(change: Change, first: Change): Change {
  return change.kind === 'revocation' ? { ...change, seen: first.seen } : change
}
