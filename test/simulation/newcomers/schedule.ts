import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '../../../node/lib/errors.ts'
import { roleOf, subjectOf, type Subject } from '../../../node/identity/names.ts'
import type { Change, ChangeRequest, Checkpoint } from '../../../node/whitelist/change.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, NOON, requestOf, wishOf } from '../../support/replica-changes.ts'
import type { People } from '../../support/replica-people.ts'
import { Draws } from '../draws.ts'
import { OPERATORS, type Former } from '../former.ts'
import { Scheduler } from '../scheduler.ts'
import { withSharedSigners } from '../shared-signers.ts'
import { SimulatedClock } from '../simulated-clock.ts'
import { SimulatedNetwork } from '../simulated-network.ts'
import { callArchive } from './archive-call.ts'
import { wrongBy } from './comparison.ts'
import { noCounts, type Counts, type Report } from './counts.ts'
import { archiveOn, Machine } from './machine.ts'
import { Promises } from './promises.ts'

/** The names of all nodes that a schedule may run. */
export const NODES: readonly string[] = ['n1', 'n2', 'n3', 'n4']

const SUBJECTS: readonly Subject[] = ['amber', 'basil', 'coral'].map(client)
const STEPS = 40
/** Time enough for all nodes to say that they hold a checkpoint, if nothing happens meanwhile. */
const MAX_PAUSE_MS = 3_000
/** How often nodes that have healed meet: a newcomer waits for the word of two that are whole. */
const MEETINGS = 8

/**
 * Run random operations on nodes that archive their logs, over real databases: newcomers begin at
 * checkpoints, nodes die while a state is stored or rows are moved, archives are put elsewhere,
 * disks are lost and old backups come back; operators and nodes are removed meanwhile, and somebody
 * has the key of an authority that was withdrawn. Then heal it all. After each step, and in the end, see
 * that every promise has been kept.
 *
 * @throws with the seed in its message when one has not
 */
export async function runSchedule(seed: number, people: People, former: Former): Promise<Report> {
  const root = mkdtempSync(join(tmpdir(), 'fridge-newcomers-'))
  const schedule = new Schedule(seed, people, former, root)
  try {
    return await schedule.run()
  } catch (cause) {
    throw new Error(`SEED=${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  } finally {
    schedule.stop()
    rmSync(root, { recursive: true })
  }
}

class Schedule {
  readonly #seed: number
  readonly #people: People
  readonly #former: Former
  readonly #draws: Draws
  readonly #scheduler: Scheduler
  readonly #network: SimulatedNetwork
  readonly #promises: Promises
  readonly #machines: Machine[] = []
  readonly #restores: (() => void)[] = []
  readonly #count: Counts = noCounts()
  /** What is under way beside the scheduler, and waits for nothing but itself. */
  #work: Promise<unknown> = Promise.resolve()
  #wishes = 0
  #drawn = 0

  constructor(seed: number, people: People, former: Former, root: string) {
    this.#seed = seed
    this.#people = withSharedSigners(people)
    this.#former = former
    const draws = new Draws(seed)
    this.#draws = draws
    this.#scheduler = new Scheduler(async () => {
      await this.#work
      for (const machine of this.#machines) await machine.settled()
    })
    this.#network = new SimulatedNetwork({
      scheduler: this.#scheduler,
      random: draws.random,
      maxDelayMs: draws.pick([1, 20, 200]),
      onRefused: refused => this.#promises.onRefused(refused),
    })
    const fingerprints = former.values().map(({ signer }) => signer.identity.fingerprint)
    this.#promises = new Promises(() => this.#machines, new Set(fingerprints))
    const judge = this.#people.signers(new MemoryStore())
    for (const name of NODES) judge.learn(people.node(name).signer.chain)
    for (const name of OPERATORS) judge.learn(people.operator(name).signer.chain)
    for (const { signer } of former.values()) judge.learn(signer.chain)
    const count = 3 + draws.below(NODES.length - 2)
    for (const name of NODES.slice(0, count)) {
      const machine = new Machine({
        name,
        root,
        people: this.#people,
        judge,
        clock: new SimulatedClock(this.#scheduler, NOON),
        draw: () => (this.#drawn += 1),
        logUpTo: this.#promises.logUpTo,
        events: this.#promises,
      })
      this.#machines.push(machine)
    }
  }

  async run(): Promise<Report> {
    this.#meet()
    let at = 0
    for (let step = 0; step < STEPS; step += 1) {
      at += this.#draws.below(MAX_PAUSE_MS)
      this.#scheduler.after(at, async () => this.#step())
    }
    await this.#scheduler.run()
    await this.#heal()
    this.#promises.healed()
    this.#promises.assertKept()
    return this.#count
  }

  stop(): void {
    for (const machine of this.#machines) machine.stop()
  }

  async #step(): Promise<void> {
    const machine = this.#draws.pick(this.#machines)
    const dice = this.#draws.random()
    if (dice < 0.36) {
      for (let left = 1 + this.#draws.below(3); left > 0; left -= 1) await this.#operate(machine)
    } else if (dice < 0.4) await this.#checkpoint(machine)
    else if (dice < 0.52) await this.#archiveBehind(machine)
    else await this.#befall(machine, dice)
    await this.#settle()
  }

  async #settle(): Promise<void> {
    await this.#scheduler.settle()
    for (const one of this.#machines) this.#promises.settled(one)
    this.#promises.assertKept()
  }

  /** Something happens to a machine, or to the network. @param dice what, from 0.52 to 1 */
  async #befall(machine: Machine, dice: number): Promise<void> {
    const { name } = machine
    const isArchived = this.#machines.some(({ store }) => store.base() !== undefined)
    if (dice < 0.7) this.#meet()
    else if (dice < 0.72) this.#connect(machine, this.#draws.pick(this.#machines))
    else if (dice < 0.75) this.#partition()
    else if (dice < 0.84 && !isArchived) this.#meet()
    else if (dice < 0.84) this.#empty(machine)
    else if (dice < 0.88) this.#lose(machine, () => machine.hideArchives(), 'hidden')
    else if (dice < 0.9) this.#lose(machine, () => machine.returnArchives(), 'restarts')
    else if (dice < 0.93) this.#lose(machine, () => machine.restart(), 'restarts')
    else if (dice < 0.96) {
      const restore = await machine.backUp()
      this.#restores.push(() => {
        this.#network.disconnect(name)
        restore()
      })
    } else if (this.#restores.length > 0) {
      this.#draws.pick(this.#restores)()
      this.#count.restored += 1
    }
  }

  #lose(machine: Machine, lose: () => unknown, what: keyof Counts): void {
    this.#network.disconnect(machine.name)
    if (lose() !== false) this.#count[what] += 1
  }

  /** A node begins with nothing beside one that has archived, and may die in the middle of what that sends. */
  #empty(machine: Machine): void {
    // Of a list that no node holds whole nobody can say what it is.
    if (this.#whole().every(one => one === machine)) return
    this.#lose(machine, () => machine.empty(), 'emptied')
    if (this.#draws.chance(0.4)) {
      machine.diesBeginning = () => {
        this.#lose(machine, () => machine.restart(), 'interrupted')
      }
    }
    const archived = this.#machines.filter(({ store }) => store.base() !== undefined)
    if (archived.length > 0) this.#connect(machine, this.#draws.pick(archived))
  }

  /** An operator asks for a change of a client, or now and then for the removal of an author. */
  async #operate(machine: Machine): Promise<void> {
    const [first] = OPERATORS
    if (first === undefined || !this.#mayAccept(machine)) return
    const isWithdrawal = this.#draws.chance(0.08)
    const operator = isWithdrawal ? first : this.#draws.pick(OPERATORS)
    const subject = isWithdrawal ? this.#author() : this.#draws.pick(SUBJECTS)
    const kind = isWithdrawal || this.#draws.chance(0.4) ? 'revocation' : 'grant'
    const request = { ...requestOf(kind, subject), operator, wish: this.#wish() } as ChangeRequest
    // Somebody has the key of an authority that was withdrawn.
    const isFormer = !isWithdrawal && this.#draws.chance(0.15)
    const change = machine.replica.propose(request)
    const isDone = await this.#commit(machine, change, 'committed', isFormer)
    if (isDone && isFormer) this.#count.former += 1
    if (isDone && roleOf(subject) === 'node') this.#count.withdrawn += 1
  }

  /** Who is removed: an operator, or the last of the nodes. */
  #author(): Subject {
    const [, ...removable] = OPERATORS
    const last = this.#machines.at(-1)
    return last !== undefined && this.#draws.chance(0.3)
      ? subjectOf('node', last.name)
      : subjectOf('operator', this.#draws.pick(removable))
  }

  async #checkpoint(machine: Machine): Promise<void> {
    if (!this.#mayAccept(machine)) return
    const [operator = this.#draws.pick(OPERATORS)] = OPERATORS
    const request = { kind: 'checkpoint', operator, wish: this.#wish() } as const
    const { source, replica } = machine
    try {
      const checkpoint = await replica.proposeCheckpoint(request)
      for (const what of await wrongBy(this.#machines, checkpoint)) this.#promises.onWrong(what)
      if (machine.source === source) await this.#commit(machine, checkpoint, 'checkpoints')
    } catch (error) {
      // It may die of what it was asked to archive before.
      if (machine.source === source) throw error
    }
  }

  /** Who went back to an old list is asked for nothing before it has caught up, nor who was removed. */
  #mayAccept(machine: Machine): boolean {
    const { isOpen, isRemoved } = machine
    return isOpen && !isRemoved && this.#promises.holdsBases(machine)
  }

  /** @returns whether it was committed */
  async #commit(
    machine: Machine,
    change: Change,
    what: keyof Counts,
    isFormer = false,
  ): Promise<boolean> {
    const person = this.#people.operator(change.operator)
    const by = isFormer ? (this.#former.get(change.operator) ?? person) : person
    try {
      const { outcome } = await machine.commit(change, by)
      if (outcome === 'committed') this.#count[what] += 1
      return outcome === 'committed'
    } catch (error) {
      if (errorCode(error) !== 'ERR_REVOKED') throw error
      return false
    }
  }

  /** As `whitelist checkpoint --archive` does; another operator may make a checkpoint meanwhile. */
  async #archiveBehind(machine: Machine): Promise<void> {
    this.#meet()
    await this.#checkpoint(machine)
    for (const one of this.#machines) if (this.#draws.chance(0.7)) this.#archive(one)
    if (this.#draws.chance(0.2)) await this.#checkpoint(this.#draws.pick(this.#machines))
  }

  /** An operator asks a node to archive, which may die meanwhile. */
  #archive(machine: Machine): void {
    const { source } = machine
    const others = this.#machines.filter(other => other !== machine)
    const turns = this.#draws.chance(0.3) ? this.#draws.below(6) : undefined
    const die = (): void => this.#lose(machine, () => machine.restart(), 'killed')
    const run = async (checkpoint: Checkpoint): Promise<{ changes: number }> => {
      if (machine.source !== source) throw new Error('the node has died')
      const archived = archiveOn(
        machine,
        checkpoint,
        turns === undefined ? undefined : { turns, die },
      )
      this.#work = Promise.allSettled([archived])
      const changes = await archived
      this.#promises.archived(machine)
      return { changes }
    }
    const answer = callArchive(machine, others, run)
    void answer.then(
      () => (this.#count.archived += 1),
      () => (this.#count.unarchived += 1),
    )
  }

  #partition(): void {
    const sides = new Map<string, number>(
      this.#machines.map(({ name }) => [name, this.#draws.below(2)]),
    )
    this.#network.partition(name => sides.get(name) ?? 0)
  }

  /** Link each two nodes that are not linked. */
  #meet(): void {
    this.#network.heal()
    for (const [index, one] of this.#machines.entries()) {
      for (const other of this.#machines.slice(index + 1)) this.#connect(one, other)
    }
  }

  #connect(one: Machine, other: Machine): void {
    const areLinked = this.#network.links.some(
      ({ names }) => names.includes(one.name) && names.includes(other.name),
    )
    if (one === other || areLinked) return
    const link = this.#network.connect(one.peer, other.peer)
    if (link !== undefined) this.#promises.met(link, [one, other])
  }

  #wish(): string {
    this.#wishes += 1
    return wishOf(`${this.#seed} ${this.#wishes}`)
  }

  /** Give everyone its archives back, and a way to everyone else. */
  async #heal(): Promise<void> {
    for (const machine of this.#machines) {
      machine.diesBeginning = undefined
      this.#network.disconnect(machine.name)
      machine.returnArchives()
    }
    await this.#scheduler.run()
    await this.#beginAlone()
    for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
      this.#meet()
      await this.#scheduler.run()
      await this.#settle()
    }
    this.#count.begun = this.#machines.filter(({ store }) => !store.isComplete).length
  }

  /** Where one node alone has the whole list, what README says: a newcomer is started with it alone. */
  async #beginAlone(): Promise<void> {
    const [whole, another] = this.#whole()
    if (whole === undefined || another !== undefined) return
    const newcomer = this.#draws.pick(this.#machines.filter(one => one !== whole))
    newcomer.restart()
    this.#promises.startedAlone(newcomer)
    this.#connect(newcomer, whole)
    await this.#scheduler.run()
    this.#network.disconnect(newcomer.name)
  }

  /** The nodes whose lists are whole, as they say themselves. */
  #whole(): Machine[] {
    return this.#machines.filter(({ replica }) => replica.wholeness.wasWhole === true)
  }
}
