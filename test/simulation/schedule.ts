import type { Random } from '../../node/lib/clock.ts'
import { errorCode } from '../../node/lib/errors.ts'
import {
  nodeOf,
  parseName,
  roleOf,
  subjectOf,
  type Name,
  type Subject,
} from '../../node/identity/names.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { buildWhitelist } from '../../node/whitelist/build.ts'
import { idOf, type Change, type ChangeId } from '../../node/whitelist/change.ts'
import { isStray, type Entry } from '../../node/whitelist/entry.ts'
import { differences, evaluateLog } from '../../node/whitelist/evaluate.ts'
import { OpenedLog } from '../../node/whitelist/opened-log.ts'
import { client, NOON, requestOf } from '../support/replica-changes.ts'
import type { People, Person } from '../support/replica-people.ts'
import { placeText, stateText } from '../support/replica-model.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedClock } from './simulated-clock.ts'
import type { Backup } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedNode } from './simulated-node.ts'
import { ALL_VOUCHED } from '../support/vouchers.ts'

/** The names of all nodes that a schedule may run. */
export const NODES: readonly string[] = ['n1', 'n2', 'n3', 'n4', 'n5']

/** The operators of all schedules; the first is never removed. */
export const OPERATORS: readonly Name[] = ['olga', 'oscar', 'otto'].map(parseName)

const SUBJECTS: readonly Subject[] = ['amber', 'basil', 'coral'].map(client)
const DAY_MS = 24 * 60 * 60 * 1_000
const STEPS = 60

/** What a schedule did, to see that it did something. */
export interface Report {
  readonly seed: number
  readonly nodes: number
  /** How many changes were acknowledged. */
  readonly committed: number
  /** How many commits were told to try again. */
  readonly again: number
  /** How many commits failed because the disk was full. */
  readonly failed: number
  /** How many commits were refused because their operator or their node had been removed. */
  readonly refused: number
  /** How many operators and nodes were removed, however often each. */
  readonly withdrawn: number
  /** How many changes the definition lets have no effect, because their authors were removed. */
  readonly voided: number
  readonly restarts: number
  readonly restored: number
  readonly partitions: number
  /** How many checkpoints stood in the end. */
  readonly checkpoints: number
  /** How many subjects had a grant that stood in the end. */
  readonly standing: number
}

/**
 * Run random operations on random nodes over a network that delays, divides and loses, over
 * machines that die, fill up, go back to old backups and do not know the time; then heal it all,
 * and see that every promise has been kept.
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

/** Operators by their names, with certificates of an authority that was withdrawn. */
export type Former = ReadonlyMap<Name, Person>

/** Make such certificates for all operators of a schedule. */
export async function makeFormer(people: People): Promise<Former> {
  const made = OPERATORS.map(async (name): Promise<[Name, Person]> => {
    return [name, await people.issue('operator', name, { byFormer: true })]
  })
  return new Map(await Promise.all(made))
}

class Schedule {
  readonly #seed: number
  readonly #random: Random
  readonly #scheduler: Scheduler
  readonly #network: SimulatedNetwork
  readonly #former: Former
  readonly #nodes: readonly SimulatedNode[]
  readonly #backups: { node: SimulatedNode; backup: Backup }[] = []
  /** Every change that was ever durable somewhere, by place. */
  readonly #kept = new Map<string, string>()
  readonly #acknowledged = new Set<string>()
  /** What was only on a disk that went back to a backup. */
  readonly #atRisk = new Set<string>()
  readonly #wrong: string[] = []
  /** When a wish was committed first, and when an author was removed: the order of real time. */
  readonly #committedAt = new Map<string, number>()
  readonly #removals: { readonly author: Subject; readonly place: string; readonly at: number }[] =
    []
  readonly #count = {
    committed: 0,
    again: 0,
    failed: 0,
    refused: 0,
    withdrawn: 0,
    restarts: 0,
    restored: 0,
    partitions: 0,
  }

  constructor(seed: number, people: People, former: Former) {
    this.#seed = seed
    this.#former = former
    this.#random = seededRandom(seed)
    this.#scheduler = new Scheduler(async () => {
      for (const { replica } of this.#nodes) await replica.settled()
    })
    this.#network = new SimulatedNetwork({
      scheduler: this.#scheduler,
      random: this.#random,
      maxDelayMs: this.#pick([1, 20, 200]),
    })
    const count = 2 + this.#below(NODES.length - 1)
    this.#nodes = NODES.slice(0, count).map(
      name =>
        new SimulatedNode({
          name,
          people,
          clock: new SimulatedClock(this.#scheduler, NOON + this.#within(DAY_MS)),
          onKept: (place, text) => this.#keep(place, text),
          onWrong: what => this.#wrong.push(what),
        }),
    )
  }

  async run(): Promise<Report> {
    let at = 0
    for (let step = 0; step < STEPS; step += 1) {
      at += this.#below(100)
      this.#scheduler.after(at, async () => this.#step())
    }
    await this.#scheduler.run()
    await this.#heal()
    return { seed: this.#seed, nodes: this.#nodes.length, ...this.#count, ...this.#check() }
  }

  async #step(): Promise<void> {
    const node = this.#pick(this.#nodes)
    const dice = this.#random()
    if (dice < 0.42) await this.#operate(node)
    else if (dice < 0.45) await this.#withdraw(node)
    else if (dice < 0.48) await this.#checkpoint(node)
    else if (dice < 0.7) this.#network.connect(node.peer, this.#pick(this.#others(node)).peer)
    else if (dice < 0.76) this.#cutOne()
    else if (dice < 0.8) this.#partition()
    else if (dice < 0.84) this.#network.heal()
    else if (dice < 0.89) this.#restart(node)
    else if (dice < 0.92) this.#backups.push({ node, backup: node.disk.backup() })
    else if (dice < 0.95) this.#restore()
    else if (dice < 0.98) node.clock.jump(this.#within(30 * DAY_MS))
    else this.#fill(node)
  }

  /** An operator asks for a change, and signs what is proposed: at once, or after a while. */
  async #operate(node: SimulatedNode): Promise<void> {
    const kind = this.#random() < 0.6 ? 'grant' : 'revocation'
    const operator = this.#pick(OPERATORS)
    const change = node.propose({ ...requestOf(kind, this.#pick(SUBJECTS)), operator })
    // Somebody has the key of an authority that was withdrawn.
    if (this.#random() < 0.1) await this.#commit(node, change, this.#former)
    else if (this.#random() < 0.7) await this.#commit(node, change)
    else this.#scheduler.after(this.#below(300), async () => this.#commit(node, change))
  }

  /** An operator removes another one, or a node; whose keys go on signing wherever it is not known. */
  async #withdraw(node: SimulatedNode): Promise<void> {
    const [first, ...removable] = OPERATORS
    const author =
      this.#random() < 0.6
        ? subjectOf('operator', this.#pick(removable))
        : subjectOf('node', this.#pick(this.#nodes.slice(1)).name)
    const operator = this.#random() < 0.7 ? (first ?? this.#pick(OPERATORS)) : this.#pick(removable)
    await this.#commit(node, node.propose({ ...requestOf('revocation', author), operator }))
  }

  /** An operator states what the list is: behind that the former authority adds nothing. */
  async #checkpoint(node: SimulatedNode): Promise<void> {
    const { wish } = requestOf('grant', this.#pick(SUBJECTS))
    const request = { kind: 'checkpoint', operator: this.#pick(OPERATORS), wish } as const
    await this.#commit(node, await node.proposeCheckpoint(request))
  }

  async #commit(node: SimulatedNode, change: Change, by?: Former): Promise<void> {
    // On its own: which of two things that verify signatures is done first, no seed decides.
    await this.#scheduler.settle()
    const before = node.disk.log.length
    try {
      const { outcome } = await node.commit(change, by?.get(change.operator))
      this.#count[outcome] += 1
      if (outcome === 'committed') this.#note(change)
      if (node.disk.log.length - before !== (outcome === 'committed' ? 1 : 0)) {
        this.#wrong.push(`${node.name} answered ${outcome} and wrote something else`)
      }
    } catch (error) {
      const isRevoked = errorCode(error) === 'ERR_REVOKED'
      if (!isRevoked && (errorCode(error) !== 'ERR_DATABASE' || !node.disk.isFull)) throw error
      this.#count[isRevoked ? 'refused' : 'failed'] += 1
      if (node.disk.log.length !== before || node.replica.whitelist.changes !== before) {
        this.#wrong.push(`${node.name} kept a part of a change that failed`)
      }
    }
  }

  #note(change: Change): void {
    this.#acknowledged.add(placeText(change))
    this.#committedAt.set(change.wish, this.#acknowledged.size)
    if (change.kind !== 'revocation' || roleOf(change.subject) === 'client') return
    this.#count.withdrawn += 1
    const { subject: author } = change
    this.#removals.push({ author, place: placeText(change), at: this.#acknowledged.size })
  }

  #keep(place: string, text: string): void {
    const known = this.#kept.get(place)
    if (known !== undefined && known !== text) this.#wrong.push(`${place} was used twice`)
    this.#kept.set(place, text)
  }

  #cutOne(): void {
    const { links } = this.#network
    if (links.length > 0) this.#pick(links).cut()
  }

  #partition(): void {
    const sides = new Map(this.#nodes.map(({ name }) => [String(name), this.#below(2)]))
    this.#network.partition(name => sides.get(name) ?? 0)
    this.#count.partitions += 1
  }

  #fill({ disk }: SimulatedNode): void {
    disk.isFull = true
    this.#scheduler.after(this.#below(1_000), () => {
      disk.isFull = false
    })
  }

  #restart(node: SimulatedNode): void {
    this.#network.disconnect(node.name)
    node.restart()
    this.#count.restarts += 1
  }

  #restore(): void {
    if (this.#backups.length === 0) return
    const { node, backup } = this.#pick(this.#backups)
    this.#network.disconnect(node.name)
    const elsewhere = this.#others(node).map(other => other.places())
    for (const place of node.places()) {
      if (!elsewhere.some(places => places.has(place))) this.#atRisk.add(place)
    }
    node.restore(backup)
    this.#count.restored += 1
  }

  /** Give everyone a disk that works and, in any order, a way to everyone else. */
  async #heal(): Promise<void> {
    this.#network.heal()
    for (const node of this.#nodes) node.disk.isFull = false
    for (const link of this.#network.links) link.cut()
    const shuffled = [...this.#nodes].sort(() => this.#random() - 0.5)
    for (const [index, node] of shuffled.entries()) {
      const earlier = shuffled.slice(0, index)
      if (earlier.length > 0) this.#network.connect(node.peer, this.#pick(earlier).peer)
    }
    await this.#scheduler.run()
    for (const { names, synced } of this.#network.links) {
      if (!synced) this.#wrong.push(`the link of ${names.join(' and ')} never synced`)
    }
  }

  /** @returns how many subjects have a grant that stands, how many grants are void, and what checkpoints stand */
  #check(): { standing: number; voided: number; checkpoints: number } {
    for (const { by, of, reason } of this.#network.refusals) {
      // The one thing for which an honest node may end the link of another.
      if (!/cannot store changes|cannot be kept/.test(reason)) {
        this.#wrong.push(`${by} refused ${of}: ${reason}`)
      }
    }
    const [first] = this.#nodes
    const held = first?.places() ?? new Set()
    for (const node of this.#nodes) {
      if (node.places().symmetricDifference(held).size > 0) {
        this.#wrong.push(`${node.name} does not hold the changes that ${first?.name} holds`)
      }
      for (const place of this.#acknowledged) {
        if (!held.has(place) && !this.#atRisk.has(place)) this.#wrong.push(`${place} was lost`)
      }
    }
    const log = (first?.disk.log ?? []).map(one => (isStray(one) ? one.entry : one))
    const evaluated = evaluateLog(log, first?.signers ?? ALL_VOUCHED)
    for (const { name, replica } of this.#nodes) {
      for (const subject of differences(replica.whitelist, evaluated)) {
        this.#wrong.push(`${name} has another list of ${subject} than the definition`)
      }
      for (const subject of SUBJECTS) {
        const state = stateText(replica.whitelist.state(subject))
        const expected = first?.replica.whitelist.state(subject)
        if (expected !== undefined && state !== stateText(expected)) {
          this.#wrong.push(`${name} has another list of ${subject} than ${first?.name}`)
        }
        this.#checkRemoveWins(log, subject)
      }
      this.#checkRemovedAuthors(held)
    }
    this.#checkFormer()
    if (this.#wrong.length > 0) throw new Error([...new Set(this.#wrong)].join('\n'))
    const built = buildWhitelist(new OpenedLog(log), first?.signers ?? ALL_VOUCHED)
    return {
      checkpoints: evaluated.checkpoints.size,
      standing: SUBJECTS.filter(subject => built.state(subject).grants.length > 0).length,
      voided: log.filter(entry => built.isVoid(entry)).length,
    }
  }

  /** Said once more, without the model: no grant stands beside a revocation that it has not seen. */
  #checkRemoveWins(log: readonly Entry[], subject: Subject): void {
    const byId = new Map<ChangeId, Change>(log.map(entry => [idOf(entry), entry.change]))
    for (const { replica, name } of this.#nodes) {
      for (const grant of replica.whitelist.state(subject).grants) {
        const seen = new Set<ChangeId>()
        const open: ChangeId[] = [grant.id]
        for (let id = open.pop(); id !== undefined; id = open.pop()) {
          if (seen.has(id)) continue
          seen.add(id)
          open.push(...(byId.get(id)?.seen ?? []))
        }
        for (const [id, change] of byId) {
          if (change.kind !== 'revocation' || change.subject !== subject || seen.has(id)) continue
          this.#wrong.push(`${name} has lost the revocation ${placeText(change)}`)
        }
      }
    }
  }

  /** What a removed author signed after its removal lets nobody in, whoever took it. */
  #checkRemovedAuthors(held: ReadonlySet<string>): void {
    for (const { replica, name } of this.#nodes) {
      for (const [subject, { grants }] of replica.whitelist.subjects()) {
        for (const { change } of grants) {
          const authors = [
            subjectOf('operator', change.operator),
            subjectOf('node', nodeOf(change.source)),
          ]
          const madeAt = this.#committedAt.get(change.wish) ?? Infinity
          for (const { author, place, at } of this.#removals) {
            if (!authors.includes(author) || at > madeAt || !held.has(place)) continue
            this.#wrong.push(`${name} lets ${subject} in by what ${author} signed when it was out`)
          }
        }
      }
    }
  }

  /** Behind a checkpoint that stands the former authority lets nobody in. */
  #checkFormer(): void {
    for (const { replica, name, disk } of this.#nodes) {
      const entries = disk.log.map(one => (isStray(one) ? one.entry : one))
      for (const [subject, { grants }] of replica.whitelist.subjects()) {
        for (const { change, id } of grants) {
          const entry = entries.find(({ hash }) => hash === id)
          const fingerprint = entry?.signatures.operatorCertificate
          const isFormer = this.#former
            .values()
            .some(({ signer }) => signer.identity.fingerprint === fingerprint)
          const isCovered = replica.whitelist.standingCheckpoints.every(
            ({ heads }) => (heads.get(change.source)?.sequence ?? 0) >= change.sequence,
          )
          if (isFormer && !isCovered) {
            this.#wrong.push(`${name} lets ${subject} in by a former authority`)
          }
        }
      }
    }
  }

  #others(node: SimulatedNode): readonly SimulatedNode[] {
    return this.#nodes.filter(other => other !== node)
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
