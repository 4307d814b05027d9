import { errorCode } from '../../../node/lib/errors.ts'
import { parseName, subjectOf, type Subject } from '../../../node/identity/names.ts'
import { requestOf, wishOf } from '../../support/replica-changes.ts'
import { commitChange, type People } from '../../support/replica-people.ts'
import { Draws } from '../draws.ts'
import type { Backup } from '../simulated-disk.ts'
import { TIMES, type Machine } from './machine.ts'
import { formatPlan, planOf, type MachineEvent, type Operation, type Step } from './plan.ts'
import { ClusterPromises } from './promises.ts'
import { Thief } from './thief.ts'
import { ClusterWorld } from './world.ts'

/** How long a cluster that is well again may take to be one, in milliseconds. */
const HEAL_MS = 60_000
const LOOK_MS = 250
/** How long all may take to confirm a change when all is well, in milliseconds. */
const PROOF_MS = 2_500

/** What a schedule did, to see that it did something. */
export interface ClusterReport {
  readonly seed: number
  committed: number
  failed: number
  starts: number
  frozen: number
  divided: number
  copies: number
  thefts: number
  removed: number
  /** How long the cluster took to be one again, in milliseconds of the simulation. */
  healedMs: number
}

export interface ClusterOptions {
  readonly people: People
  /** The names of the nodes, which are their hosts. */
  readonly names: readonly string[]
  /** Which steps of the plan are taken: those of a failure that was shrunk. Default all. */
  readonly kept?: ReadonlySet<number> | undefined
}

/** The steps that a schedule takes, each with its number in the plan of its seed. */
export function stepsOf(seed: number, { names, kept }: ClusterOptions): [number, Step][] {
  return [...planOf(seed, names).entries()].filter(([index]) => kept?.has(index) !== false)
}

/**
 * Run a cluster of whole nodes, but for sockets, through what a seed lets happen; then mend it all.
 * After each step, and in the end, see that what clusters promise has been kept.
 *
 * @throws with the seed and the steps in its message when it has not
 */
export async function runCluster(seed: number, options: ClusterOptions): Promise<ClusterReport> {
  const schedule = new ClusterSchedule(seed, options)
  try {
    return await schedule.run()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const plan = formatPlan(stepsOf(seed, options))
    throw new Error(`SEED=${seed}: ${why}\n${plan}`, { cause })
  } finally {
    await schedule.end()
  }
}

class ClusterSchedule {
  readonly #seed: number
  readonly #options: ClusterOptions
  readonly #draws: Draws
  readonly #thief: Thief
  readonly #world: ClusterWorld
  readonly #promises: ClusterPromises
  readonly #backups = new Map<Machine, Backup>()
  readonly #report: ClusterReport
  #wishes = 0

  constructor(seed: number, options: ClusterOptions) {
    this.#seed = seed
    this.#options = options
    // Another stream than that of the plan: a plan that was shrunk happens in the same world.
    this.#draws = new Draws(seed + 0.5 * 2 ** 33)
    this.#thief = new Thief(this.#draws)
    const { people } = options
    const events = {
      onHostile: (machine: Machine, why: string) => this.#promises.onHostile(machine, why),
      onWrong: (what: string) => this.#promises.onWrong(what),
    }
    this.#world = new ClusterWorld({ people, draws: this.#draws, events, thief: this.#thief })
    this.#promises = new ClusterPromises({ world: this.#world, thief: this.#thief, people })
    this.#report = {
      seed,
      committed: 0,
      failed: 0,
      starts: 0,
      frozen: 0,
      divided: 0,
      copies: 0,
      thefts: 0,
      removed: 0,
      healedMs: 0,
    }
  }

  async run(): Promise<ClusterReport> {
    const { names } = this.#options
    const [first = ''] = names
    for (const name of names) this.#world.add(name, name === first ? [] : [first]).start()
    for (const [, { afterMs, operation }] of stepsOf(this.#seed, this.#options)) {
      await this.#world.time.pass(afterMs)
      await this.#promises.look()
      await this.#do(operation)
      await this.#world.time.settle()
      await this.#promises.look()
    }
    await this.#heal()
    await this.#prove()
    return this.#report
  }

  /** Turn everything off. */
  async end(): Promise<void> {
    for (const { clock } of this.#world.machines) clock.thaw()
    await Promise.all(this.#world.machines.map(async machine => machine.stop()))
  }

  async #do(operation: Operation): Promise<void> {
    const world = this.#world
    switch (operation.kind) {
      case 'grant':
        return this.#commit('grant', operation.subject, operation.host)
      case 'revoke':
        return this.#commit('revocation', operation.subject, operation.host)
      case 'remove':
        return this.#remove(operation.host, operation.node)
      case 'freeze':
        return this.#freeze(world.machine(operation.host), operation.ms)
      case 'fill disk':
        return this.#fillDisk(world.machine(operation.host), operation.ms)
      case 'set clock':
        return world.machine(operation.host).clock.jump(operation.ms)
      case 'cut':
        return world.cut(operation.host, operation.other)
      case 'lose way':
        return world.loseWay(operation.host, operation.other)
      case 'divide': {
        const { parts } = operation
        this.#report.divided += 1
        return world.partition(host => parts.findIndex(part => part.includes(host)))
      }
      case 'lose packets':
        world.loss = operation.share
        return undefined
      case 'mend network':
        return world.heal()
      default:
        return this.#doTo(world.machine(operation.host), operation.kind)
    }
  }

  async #doTo(machine: Machine, kind: MachineEvent): Promise<void> {
    const world = this.#world
    switch (kind) {
      case 'start':
        return this.#start(machine)
      case 'stop':
        // Whoever stands still does not stop.
        return machine.clock.isFrozen ? undefined : machine.stop()
      case 'crash':
      case 'power cut':
        machine.clock.thaw()
        return world.kill(machine, kind === 'power cut')
      case 'back up':
        this.#backups.set(machine, machine.backup())
        return undefined
      case 'restore': {
        const backup = this.#backups.get(machine)
        if (backup === undefined) return undefined
        machine.clock.thaw()
        await world.kill(machine, false)
        this.#promises.lose(machine)
        machine.restore(backup)
        return this.#start(machine)
      }
      case 'copy':
        return this.#copy(machine)
      case 'steal':
        // One thief is enough, and an operator must be left who can remove it.
        if (this.#thief.host !== undefined || machine.host === this.#options.names[0])
          return undefined
        this.#thief.steal(machine.host)
        this.#report.thefts += 1
        return undefined
    }
  }

  #start(machine: Machine): void {
    if (machine.run !== undefined) return
    machine.start()
    this.#promises.started(machine)
    this.#report.starts += 1
  }

  #copy(machine: Machine): void {
    if (this.#report.copies > 0) return
    const copy = this.#world.add(machine.name, [machine.host], `${machine.host}-copy`)
    copy.copyFrom(machine)
    this.#promises.copied(machine)
    copy.start()
    this.#promises.started(copy)
    this.#report.copies += 1
  }

  #freeze({ clock }: Machine, ms: number): void {
    if (clock.isFrozen) return
    clock.freeze()
    this.#report.frozen += 1
    this.#world.time.after(ms, () => clock.thaw())
  }

  #fillDisk({ disk }: Machine, ms: number): void {
    disk.isFull = true
    this.#world.time.after(ms, () => disk.repair())
  }

  async #remove(host: string, node: string): Promise<void> {
    // A node that removes itself while it is apart tells nobody any more.
    if (host === node) return
    // Some must be left: of two in five, and of one in three, a cluster is a cluster.
    if (this.#report.removed * 2 + 3 > this.#options.names.length) return
    const before = this.#report.committed
    await this.#commit('revocation', subjectOf('node', parseName(node)), host)
    this.#report.removed += this.#report.committed - before
  }

  async #commit(kind: 'grant' | 'revocation', subject: Subject, host: string): Promise<void> {
    const { run, clock } = this.#world.machine(host)
    if (run === undefined || clock.isFrozen || run.ownRemoval.removal !== undefined) return
    this.#wishes += 1
    const request = { ...requestOf(kind, subject), wish: wishOf(`${this.#seed} ${this.#wishes}`) }
    try {
      const operator = this.#options.people.operator()
      const commit = await commitChange(
        run.replica,
        run.replica.propose(request),
        operator,
        run.signers,
      )
      if (commit.outcome !== 'committed') return
      this.#promises.acknowledged(commit.entry)
      this.#report.committed += 1
    } catch (error) {
      const isExpected = ['ERR_DATABASE', 'ERR_REVOKED', 'ERR_REFUSED'].includes(
        String(errorCode(error)),
      )
      if (!isExpected) throw error
      this.#report.failed += 1
    }
  }

  /** Mend everything, turn the copies off, and wait until the rest is one cluster. */
  async #heal(): Promise<void> {
    const world = this.#world
    world.heal()
    for (const machine of world.machines) {
      machine.disk.repair()
      // An operator's certificate holds by no clock that is years off.
      machine.clock.setRight()
      machine.clock.thaw()
      if (machine.host === machine.name) continue
      this.#promises.lose(machine)
      await world.kill(machine, false)
    }
    // What it has held back on a link is asked for over the next one.
    const { host } = this.#thief
    if (host !== undefined) for (const machine of world.machines) world.cut(host, machine.host)
    this.#thief.leave()
    for (const machine of world.machines) if (machine.host === machine.name) this.#start(machine)
    const from = world.time.now
    // Who stood still believes what it hears once it is sure that it was not said long ago.
    do {
      while (this.#promises.apart().length > 0) {
        if (world.time.now - from > HEAL_MS) {
          throw new Error(`in ${HEAL_MS} ms ${this.#promises.apart().join('; ')}`)
        }
        await world.time.pass(LOOK_MS)
      }
      this.#report.healedMs = world.time.now - from
      await world.time.pass(2 * TIMES.heartbeatMs)
    } while (this.#promises.apart().length > 0)
    await this.#promises.look()
    this.#promises.healed()
  }

  /** One more change: all confirm it, and it says what it says everywhere. */
  async #prove(): Promise<void> {
    const [machine] = this.#promises.belonging()
    if (machine?.run === undefined) return
    const confirmed = new Set<string>([machine.run.source])
    using _subscription = machine.run.replica.confirmations.subscribe(({ node }) =>
      confirmed.add(node),
    )
    const { committed } = this.#report
    const [subject] = ['client/coral'] as Subject[]
    if (subject === undefined) return
    await this.#commit('grant', subject, machine.host)
    if (this.#report.committed === committed) throw new Error(`${machine.host} takes no change`)
    const silent = (): Machine[] =>
      this.#promises.belonging().filter(({ run }) => !confirmed.has(run?.source ?? ''))
    for (let waited = 0; waited < PROOF_MS && silent().length > 0; waited += LOOK_MS) {
      await this.#world.time.pass(LOOK_MS)
    }
    for (const { host } of silent()) this.#promises.onWrong(`${host} has not confirmed`)
    await this.#promises.look()
    for (const what of this.#promises.apart()) this.#promises.onWrong(`behind a change ${what}`)
    this.#promises.assertKept()
  }
}
