import { errorCode } from '../../node/lib/errors.ts'
import { subjectOf, type Name, type Subject } from '../../node/identity/names.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import type { Change, ChangeRequest } from '../../node/whitelist/change.ts'
import { client, requestOf, wishOf } from '../support/replica-changes.ts'
import type { People } from '../support/replica-people.ts'
import { Draws } from './draws.ts'
import { OPERATORS, type Former } from './former.ts'
import { Machines } from './machines.ts'
import type { Counts, Report } from './report.ts'
import { countsOf, Promises } from './promises.ts'
import { Scheduler } from './scheduler.ts'
import { withSharedSigners } from './shared-signers.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** The names of all nodes that a schedule may run. */
export const NODES: readonly string[] = ['n1', 'n2', 'n3', 'n4', 'n5']

const SUBJECTS: readonly Subject[] = ['amber', 'basil', 'coral'].map(client)
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
  readonly #former: Former
  readonly #draws: Draws
  readonly #scheduler: Scheduler
  readonly #network: SimulatedNetwork
  readonly #promises: Promises
  readonly #machines: Machines
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
  #wishes = 0

  constructor(seed: number, people: People, former: Former) {
    this.#seed = seed
    this.#former = former
    const draws = new Draws(seed)
    this.#draws = draws
    this.#scheduler = new Scheduler(async () => {
      for (const node of this.#machines.nodes) await node.settled()
    })
    this.#network = new SimulatedNetwork({
      scheduler: this.#scheduler,
      random: draws.random,
      maxDelayMs: draws.pick([1, 20, 200]),
      onRefused: refused => this.#promises.onRefused(refused),
    })
    const fingerprints = former.values().map(({ signer }) => signer.identity.fingerprint)
    this.#promises = new Promises(() => this.#machines.nodes, SUBJECTS, new Set(fingerprints))
    this.#machines = new Machines({
      draws,
      people: withSharedSigners(people),
      scheduler: this.#scheduler,
      network: this.#network,
      promises: this.#promises,
      count: this.#count,
      hasSeeds: draws.chance(0.6),
    })
    const count = 2 + draws.below(NODES.length - 1)
    for (const name of NODES.slice(0, count)) this.#machines.start(name)
  }

  async run(): Promise<Report> {
    let at = 0
    for (let step = 0; step < STEPS; step += 1) {
      at += this.#draws.below(100)
      this.#scheduler.after(at, async () => this.#step())
    }
    await this.#scheduler.run()
    await this.#heal()
    const entries = this.#promises.healed()
    this.#promises.assertKept()
    return {
      seed: this.#seed,
      nodes: this.#machines.nodes.length,
      ...this.#count,
      withdrawn: this.#promises.withdrawn,
      ...countsOf(this.#draws.pick(this.#machines.nodes), entries, SUBJECTS),
    }
  }

  async #step(): Promise<void> {
    for (const one of this.#machines.nodes) this.#promises.obeyed(one)
    const node = this.#draws.pick(this.#machines.nodes)
    const dice = this.#draws.random()
    if (dice < 0.4) await this.#operate(node)
    else if (dice < 0.44) await this.#withdraw(node)
    else if (dice < 0.47) await this.#checkpoint(node)
    else this.#befall(node, dice)
    await this.#scheduler.settle()
    for (const one of this.#machines.nodes) this.#promises.settled(one)
    this.#promises.assertKept()
  }

  /** Something happens to a machine, or to the network. @param dice what, from 0.47 to 1 */
  #befall(node: SimulatedNode, dice: number): void {
    const machines = this.#machines
    if (dice < 0.63) machines.connect(node, this.#draws.pick(machines.others(node)))
    else if (dice < 0.65) machines.interrupt(node)
    else if (dice < 0.66) machines.interruptNote(node)
    else if (dice < 0.7) machines.cutOne()
    else if (dice < 0.74) machines.partition()
    else if (dice < 0.78) this.#network.heal()
    else if (dice < 0.83) machines.restart(node)
    else if (dice < 0.86) machines.backUp(node)
    else if (dice < 0.89) machines.restore()
    else if (dice < 0.91) machines.setClock(node)
    else if (dice < 0.94) machines.breakDisk(node)
    else if (dice < 0.96) machines.sleep(node)
    else if (dice < 0.975) machines.takeSnapshot(node)
    else if (dice < 0.99) machines.resume()
    else machines.copy(node)
  }

  /** An operator asks for a change, and signs what is proposed: at once, or after a while. */
  async #operate(node: SimulatedNode): Promise<void> {
    if (node.clock.isAsleep) return
    const kind = this.#draws.chance(0.6) ? 'grant' : 'revocation'
    const operator = this.#draws.pick(OPERATORS)
    const request = this.#request(kind, this.#draws.pick(SUBJECTS), operator)
    const change = node.propose(request)
    // Somebody has the key of an authority that was withdrawn.
    if (this.#draws.chance(0.1)) await this.#commit(node, change, this.#former)
    else if (this.#draws.chance(0.7)) await this.#ask(node, request, change)
    else this.#scheduler.after(this.#draws.below(300), async () => this.#ask(node, request, change))
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
    if (this.#draws.chance(0.7)) return
    this.#scheduler.after(this.#draws.below(800), async () => {
      const node = this.#draws.pick(this.#machines.nodes)
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
    const author = this.#draws.chance(0.6)
      ? subjectOf('operator', this.#draws.pick(removable))
      : subjectOf('node', this.#draws.pick(this.#machines.nodes.slice(1)).name)
    const operator = this.#draws.chance(0.7)
      ? (first ?? this.#draws.pick(OPERATORS))
      : this.#draws.pick(removable)
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
    const operator = this.#draws.pick(OPERATORS)
    const { wish } = this.#request('grant', this.#draws.pick(SUBJECTS), operator)
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

  /** Give everyone a disk that works and, in any order, a way to everyone else. */
  async #heal(): Promise<void> {
    this.#machines.heal()
    await this.#scheduler.run()
    for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
      const links = this.#machines.meet()
      await this.#scheduler.run()
      if (links.every(link => link.synced && !link.ended)) return
    }
    this.#promises.onWrong('a link never synced')
  }
}

/** What is proposed anew for a wish: a removal goes on with what its first text had seen. */
function again(change: Change, first: Change): Change {
  return change.kind === 'revocation' ? { ...change, seen: first.seen } : change
}
