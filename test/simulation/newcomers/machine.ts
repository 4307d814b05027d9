import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Archiving } from '../../../node/gossip/archiving.ts'
import type { Commit } from '../../../node/gossip/commit.ts'
import { OwnSource } from '../../../node/gossip/own-source.ts'
import { Replica } from '../../../node/gossip/replica.ts'
import { parseName, sourceOf, type Name, type Source } from '../../../node/identity/names.ts'
import type { Signers } from '../../../node/identity/signers.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { backupDatabase } from '../../../node/storage/backup.ts'
import { sealKeyOf } from '../../../node/storage/log-seal.ts'
import type { NodeStore } from '../../../node/storage/node-store.ts'
import { DATABASE_FILE } from '../../../node/storage/sqlite-database.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import type { Change, Checkpoint } from '../../../node/whitelist/change.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { archivingOf } from '../../support/archiving.ts'
import { commitChange, type People, type Person } from '../../support/replica-people.ts'
import { DefinedList } from '../defined-list.ts'
import type { SimulatedClock } from '../simulated-clock.ts'
import type { Peer, SimulatedLink } from '../simulated-network.ts'

/** Few enough that the lists of a schedule are long. */
const MIN_ARCHIVED = 1

/** What a machine tells whoever watches over its promises. */
export interface MachineEvents {
  readonly onKept: (entry: Entry) => void
  readonly onSynced: (machine: Machine, link: SimulatedLink) => void
  readonly onRun: (machine: Machine) => void
}

export interface MachineOptions {
  readonly name: string
  /** Where its folder is. */
  readonly root: string
  readonly people: People
  readonly clock: SimulatedClock
  /** Another number each time: that of a run, or of a source. */
  readonly draw: () => number
  /** Every change that was ever kept somewhere, to make the definition of. */
  readonly logUpTo: (clock: ReadonlyMap<Source, number>) => readonly Entry[]
  /** Who knows the certificates of all. */
  readonly judge: Signers
  readonly events: MachineEvents
}

/** One start of a machine. */
interface Run {
  readonly source: Source
  readonly store: NodeStore
  readonly replica: Replica
  readonly archiving: Archiving
  readonly signers: Signers
  readonly defined: DefinedList
}

/** A node over a real database: its folder outlives each run, which ends as by `kill -9`. */
export class Machine {
  readonly name: Name
  readonly folder: string
  /** Whether it lost its list, or a part of it, and has not been in step with anybody since. */
  isReset = false
  /** Whether its list was not whole when it started last, and it has let nobody in since. */
  isNewcomer = true
  /** Whether it dies as soon as a part of a state is written, and what is to happen then. */
  diesBeginning: (() => void) | undefined
  readonly #options: MachineOptions
  #run: Run

  constructor(options: MachineOptions) {
    this.#options = options
    this.name = parseName(options.name)
    this.folder = join(options.root, options.name)
    mkdirSync(this.#away, { recursive: true })
    this.#run = this.#start()
  }

  get replica(): Replica {
    return this.#run.replica
  }

  get store(): NodeStore {
    return this.#run.store
  }

  get source(): Source {
    return this.#run.source
  }

  get signers(): Signers {
    return this.#run.signers
  }

  get archiving(): Archiving {
    return this.#run.archiving
  }

  get clock(): SimulatedClock {
    return this.#options.clock
  }

  /** Whether clients are let in by its list. */
  get isOpen(): boolean {
    return this.replica.wholeness.hasExchanged
  }

  /** Whether it knows that it was removed. */
  get isRemoved(): boolean {
    return this.replica.whitelist.hasRemoved(this.name)
  }

  /** Its list beside the definition of it. */
  get defined(): DefinedList {
    return this.#run.defined
  }

  get peer(): Peer {
    const { replica } = this.#run
    const { events } = this.#options
    return {
      name: this.name,
      document: replica,
      wasWhole: () => replica.wholeness.wasWhole,
      onSynced: link => {
        if (replica === this.#run.replica) events.onSynced(this, link)
      },
    }
  }

  async settled(): Promise<void> {
    await this.#run.replica.settled()
  }

  /** Die, and start again from what the disk holds by then. */
  restart(meanwhile: () => void = () => {}): void {
    this.stop()
    meanwhile()
    this.#run = this.#start()
  }

  stop(): void {
    const { store, archiving, replica } = this.#run
    // The disk first: nothing that the others do as they end is done by who is killed.
    store[Symbol.dispose]()
    archiving[Symbol.dispose]()
    replica[Symbol.dispose]()
  }

  /** Its disk is lost. */
  empty(): void {
    this.restart(() => {
      rmSync(this.folder, { recursive: true })
      mkdirSync(this.#away, { recursive: true })
    })
    this.isReset = true
  }

  /** Archives are put elsewhere, as by who needs the space. @returns whether there was one */
  hideArchives(): boolean {
    const archives = archivesIn(this.folder)
    if (archives.length === 0) return false
    this.restart(() => {
      for (const name of archives) renameSync(join(this.folder, name), join(this.#away, name))
    })
    return true
  }

  /** What was put elsewhere comes back. */
  returnArchives(): void {
    const archives = archivesIn(this.#away)
    if (archives.length === 0) return
    this.restart(() => {
      for (const name of archives) {
        // What was made in its place meanwhile is the one that the database knows.
        const target = join(this.folder, name)
        if (!existsSync(target)) renameSync(join(this.#away, name), target)
      }
    })
  }

  /** @returns what puts the copy into the place of the database */
  async backUp(): Promise<() => void> {
    const copy = join(this.#options.root, `${this.name}-${this.#options.draw()}.db`)
    await backupDatabase(this.#file, copy)
    return () => {
      this.restart(() => {
        for (const ending of ['-wal', '-shm']) rmSync(`${this.#file}${ending}`, { force: true })
        copyFileSync(copy, this.#file)
      })
      this.isReset = true
    }
  }

  async commit(change: Change, by: Person): Promise<Commit> {
    return commitChange(this.replica, change, by, this.#run.signers)
  }

  get #file(): string {
    return join(this.folder, DATABASE_FILE)
  }

  get #away(): string {
    return join(this.folder, 'away')
  }

  #start(): Run {
    const { people, clock, draw, logUpTo, judge, events } = this.#options
    const { signer, key } = people.node(this.name)
    const store = openSqliteStore(this.#file, sealKeyOf(key))
    if (!store.isSealed) throw new Error(`${this.name} finds no seal over its own log`)
    this.#dieBeginning(store)
    this.isNewcomer = ['new', 'beginning'].includes(store.extent())
    const signers = people.signers(store)
    const known = signers.learn(signer.chain)
    if (typeof known === 'string') throw new Error(known)
    const drawSource = (): Source => sourceOf(this.name, draw().toString(16).padStart(16, '0'))
    const source = drawSource()
    const kept = store.ownSource()
    const ownSource = new OwnSource({
      ...(kept !== undefined && { kept }),
      draw: drawSource,
      keep: one => store.keepOwnSource(one),
    })
    const self = { signer: known, key }
    const replica = new Replica({
      source,
      ownSource,
      store,
      signers,
      self,
      clock,
      wholeness: store,
      minArchived: MIN_ARCHIVED,
    })
    ownSource.follow(() => true)
    replica.subscribe(applied => {
      for (const { entry } of applied) events.onKept(entry)
    })
    const run: Run = {
      source,
      store,
      replica,
      signers,
      archiving: archivingOf({ replica, store }),
      defined: new DefinedList({
        list: () => replica.whitelist,
        log: () => logUpTo(replica.whitelist.clock()),
        signers: judge,
      }),
    }
    replica.checks.start()
    events.onRun(this)
    return run
  }

  /** Let the machine die behind the first slice of a state, if it is to. */
  #dieBeginning(store: NodeStore): void {
    const beginWith = store.beginWith.bind(store)
    const death = (): (() => void) | undefined => {
      const die = this.diesBeginning
      this.diesBeginning = undefined
      return die
    }
    store.beginWith = function* (...args) {
      const steps = beginWith(...args)
      const die = death()
      if (die === undefined) return yield* steps
      steps.next()
      die()
      throw new FridgeError('ERR_DATABASE', 'the node has died')
    }
  }
}

/** When a machine dies: so many turns of the loop from now. */
export interface Death {
  readonly turns: number
  readonly die: () => void
}

/** Let a machine archive, and die meanwhile if it is to. */
export async function archiveOn(
  { archiving }: Machine,
  checkpoint: Checkpoint,
  death?: Death,
): Promise<number> {
  const archived = archiving.run(checkpoint)
  await Promise.allSettled([archived, death === undefined ? undefined : dieLater(death)])
  return (await archived).changes
}

async function dieLater({ turns, die }: Death): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn()
  die()
}

function archivesIn(folder: string): string[] {
  return readdirSync(folder).filter(name => /^archive-\d+\.db$/.test(name))
}
