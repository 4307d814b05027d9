import { Forgettings } from '../../../node/gossip/forgettings.ts'
import { joinCluster, type Cluster } from '../../../node/gossip/join.ts'
import { openByList } from '../../../node/gossip/opening.ts'
import type { Dialed } from '../../../node/gossip/overlay-options.ts'
import { OwnRemoval } from '../../../node/gossip/own-removal.ts'
import { OwnSource } from '../../../node/gossip/own-source.ts'
import { findRemoval, makeRemovalProof } from '../../../node/gossip/removal-proof.ts'
import { findFork, makeForkProof } from '../../../node/gossip/fork-proof.ts'
import type { OpenList } from '../../../node/gossip/open-list.ts'
import type { OwnSigner } from '../../../node/identity/own-signer.ts'
import { Replica } from '../../../node/gossip/replica.ts'
import {
  parseName,
  sourceOf,
  subjectOf,
  type Name,
  type Source,
} from '../../../node/identity/names.ts'
import type { Signers } from '../../../node/identity/signers.ts'
import type { Verifier } from '../../../node/identity/verifier.ts'
import type { Random } from '../../../node/lib/clock.ts'
import type { Log } from '../../../node/lib/log.ts'
import { Lookout } from '../../../node/lib/lookout.ts'
import { Counts } from '../../../node/sessions/counts.ts'
import { startEnforcement } from '../../../node/sessions/enforcement.ts'
import { Sessions } from '../../../node/sessions/sessions.ts'
import { Channel } from '../../../node/wire/channel.ts'
import { PEER_LIMITS } from '../../../node/wire/limits.ts'
import { NOON } from '../../support/replica-changes.ts'
import type { People, Person } from '../../support/replica-people.ts'
import { DefinedList } from '../defined-list.ts'
import { SharedSigners } from '../shared-signers.ts'
import { SimulatedDisk, type Backup, type SimulatedStore } from '../simulated-disk.ts'
import type { WireEnd } from '../simulated-wire.ts'
import { MachineClock, type SimulatedTime } from '../simulated-time.ts'

/** The configuration of all nodes: patience is short, so that a schedule need not be long. */
export const TIMES = {
  heartbeatMs: 1_000,
  deadAfterMs: 3_000,
  redialMinMs: 250,
  redialMaxMs: 4_000,
  firstSyncMs: 2_000,
} as const

const ISOLATED_AFTER_MS = 5_000

/** What a machine does to the world. */
export interface MachineEvents {
  /** A node ends a link because its peer broke the protocol. */
  readonly onHostile: (machine: Machine, why: string) => void
  readonly onWrong: (what: string) => void
}

export interface MachineOptions {
  readonly name: string
  /** The host of its address: its name, or for a copy of it another one. */
  readonly host?: string
  readonly seeds: readonly string[]
  readonly people: People
  /** Reads and traces each certificate once for all nodes. */
  readonly signers: Signers
  readonly verifier: Verifier
  readonly time: SimulatedTime
  readonly random: Random
  readonly onStart: () => void
  readonly dial: (from: Machine, host: string, signal: AbortSignal) => Promise<Dialed>
  readonly events: MachineEvents
}

/** One start of the node of a machine. */
export interface Run {
  readonly source: Source
  readonly replica: Replica
  readonly signers: Signers
  readonly sessions: Sessions
  readonly ownRemoval: OwnRemoval
  readonly cluster: Cluster
  readonly defined: DefinedList
  /** What proves to a node that it is out. */
  readonly proofAgainst: OpenList['proofAgainst']
  readonly stack: AsyncDisposableStack
}

/** The list of a node that starts, before it joins others. */
interface OpenedList extends Omit<Run, 'cluster' | 'stack'> {
  readonly ownSource: OwnSource
  readonly self: Person
}

const ignore = (): void => {}
const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** A machine with a node of the real code: its disk and its files outlive each run of the node. */
export class Machine {
  readonly name: Name
  readonly host: string
  readonly disk = new SimulatedDisk()
  readonly clock: MachineClock
  readonly #options: MachineOptions
  readonly #files = new Map<string, string>()
  #runs = 0
  #run: Run | undefined

  constructor(options: MachineOptions) {
    this.#options = options
    this.name = parseName(options.name)
    this.host = options.host ?? options.name
    this.clock = new MachineClock(options.time, NOON)
  }

  /** Undefined while it is off. */
  get run(): Run | undefined {
    return this.#run
  }

  /** Where its wires end. */
  get asEnd(): WireEnd {
    return { name: this.host, clock: this.clock }
  }

  /** Turn it on. */
  start(): Run {
    this.#options.onStart()
    const stack = new AsyncDisposableStack()
    const store = this.disk.open()
    const run = { ...this.#openList(store, stack), stack }
    const cluster = this.#join(run, stack)
    this.#run = { ...run, cluster }
    void this.#openToClients(this.#run)
    return this.#run
  }

  /** Stop the node in order: it says so to its peers. */
  async stop(): Promise<void> {
    const run = this.#run
    this.#run = undefined
    await run?.stack.disposeAsync()
  }

  /** A connection of another node arrives. As the reception does, show it why it is turned away. */
  receive(dialed: Dialed): void {
    if (this.#run === undefined) return void dialed.socket.destroy()
    const { cluster, sessions, proofAgainst, source } = this.#run
    const admission = sessions.admit(dialed.peer)
    if (admission.admitted && cluster.overlay.accept(dialed)) return
    const channel = new Channel(dialed.socket, {
      limits: PEER_LIMITS,
      clock: this.clock,
      control: { opens: true, ...TIMES, hello: { source }, takesProof: true },
      onEnd: ignore,
    })
    if (admission.admitted) return channel.close(cluster.overlay.farewellTo(dialed.peer))
    const { reason } = admission
    const proof = reason === 'revoked' ? proofAgainst(dialed.peer.name) : undefined
    channel.close({ reason, text: 'turned away at the door', proof })
  }

  backup(): Backup {
    return this.disk.backup()
  }

  /** Put an old copy in the place of its database. What lies beside that goes with it. */
  restore(backup: Backup): void {
    this.disk.restore(backup)
  }

  /** Become a copy of another machine. */
  copyFrom(other: Machine): void {
    this.disk.revert(other.disk.image())
    for (const [name, text] of other.#files) this.#files.set(name, text)
  }

  #openList(store: SimulatedStore, stack: AsyncDisposableStack): OpenedList {
    const { people, signers: all, verifier } = this.#options
    const { clock, name } = this
    const signers = new SharedSigners(all, verifier, store)
    const { signer, key } = people.node(name)
    signers.learn(signer.chain)
    const draw = (): Source => this.#drawSource()
    const source = draw()
    const kept = this.disk.ownSource
    const ownSource = new OwnSource({
      ...(kept !== undefined && { kept }),
      draw,
      keep: one => store.keepOwnSource(one),
    })
    const self = { signer, key }
    const replica = stack.use(
      new Replica({ source, ownSource, wholeness: store, store, signers, self, clock }),
    )
    replica.checks.start()
    const ownRemoval = new OwnRemoval({ name, signers, file: this.#file('removed'), log: SILENT })
    const removalOf = (node: Name) => findRemoval(node, replica.whitelist, store)
    const own = removalOf(name)
    if (own !== undefined) ownRemoval.note(own)
    stack.use(replica.subscribe(applied => applied.forEach(({ entry }) => ownRemoval.note(entry))))
    const log = () => this.disk.log
    const defined = new DefinedList({ list: () => replica.whitelist, log, signers })
    stack.use(replica.subscribeSettled(() => defined.look()))
    const sessions = new Sessions(clock, subject => replica.stateOf(subject))
    stack.use(ownRemoval.subscribe(() => sessions.setRemoved()))
    stack.use(replica.storage.subscribe(why => sessions.setClosed('unstored', why !== undefined)))
    const forkOf = (node: Name) => {
      const fork = findFork(node, replica.whitelist, store)
      return fork && makeForkProof(fork, signers)
    }
    const noteOwnFork = (): void => {
      if (replica.whitelist.hasEquivocated(name)) ownRemoval.noteFork(forkOf(name))
    }
    noteOwnFork()
    stack.use(replica.subscribeEquivocation(noteOwnFork))
    const proofAgainst: OpenedList['proofAgainst'] = node => {
      const entry = removalOf(node)
      return entry === undefined ? forkOf(node) : makeRemovalProof(entry, signers)
    }
    return {
      source,
      ownSource,
      replica,
      signers,
      self,
      ownRemoval,
      defined,
      sessions,
      proofAgainst,
    }
  }

  #join(opened: OpenedList, stack: AsyncDisposableStack): Cluster {
    const { source, ownSource, replica, signers, self, ownRemoval, defined, sessions } = opened
    const { seeds, dial, events, random } = this.#options
    const { clock, name } = this
    const isRevoked = (operator: Name): boolean =>
      replica.whitelist.state(subjectOf('operator', operator)).revocations.size > 0
    const file = this.#file('forgotten')
    const forgettings = new Forgettings({ signers, isRevoked, file, log: SILENT })
    const list = {
      source,
      ownSource,
      replica,
      signers,
      // All that is read of it.
      self: self as unknown as OwnSigner,
      ownRemoval,
      forgettings,
      proofAgainst: opened.proofAgainst,
      peerFile: this.#file('peers'),
      lastWordsFile: this.#file('last-words'),
    }
    const cluster = stack.use(
      joinCluster({
        config: {
          name,
          advertise: [addressOf(this.host)],
          peers: seeds.map(addressOf),
          gossip: TIMES,
          isolatedAfterMs: ISOLATED_AFTER_MS,
          whenIsolated: 'refuse',
        },
        list,
        dial: async (address, signal) => dial(this, hostOf(address), signal),
        admits: peer => sessions.admit(peer).admitted,
        onSynced: ignore,
        onIsolated: is => sessions.setIsolated(is),
        onLinkEnded: ({ hostile, text }) => {
          if (hostile) events.onHostile(this, text)
        },
        lookout: stack.use(new Lookout(clock)),
        clock,
        random,
        log: SILENT,
      }),
    )
    const counts = new Counts()
    stack.use(
      startEnforcement({
        ...cluster,
        replica,
        sessions,
        counts,
        clock,
        log: SILENT,
        isStarting: () => false,
      }),
    )
    stack.use(
      replica.subscribe(applied => {
        const wrong = defined.merged(applied.map(({ entry }) => entry.change))
        for (const what of wrong) events.onWrong(`${this.host} ${what}`)
      }),
    )
    return cluster
  }

  /** As `start.ts` does. */
  async #openToClients(run: Run): Promise<void> {
    const { cluster, sessions } = run
    sessions.setClosed('incomplete', true)
    try {
      await openByList({
        config: { gossip: TIMES, whenIsolated: 'serve' },
        list: run,
        cluster,
        show: isComplete => sessions.setClosed('incomplete', !isComplete),
        clock: this.clock,
        log: SILENT,
      })
    } catch {
      // The machine was turned off meanwhile.
    }
  }

  #file(name: string) {
    return {
      path: name,
      read: () => this.#files.get(name),
      replace: (text: string) => {
        this.disk.assertWritable()
        this.#files.set(name, text)
      },
    }
  }

  #drawSource(): Source {
    this.#runs += 1
    const digits = Buffer.from(`${this.host} ${this.#runs}`).toString('hex').slice(-16)
    return sourceOf(this.name, digits.padStart(16, '0'))
  }
}

function addressOf(host: string): { host: string; port: number } {
  return { host, port: 1 }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}
