import { linksAccepted } from '../../../node/gossip/overlay-plan.ts'
import { nameOf, nodeOf, subjectOf, type Name, type Subject } from '../../../node/identity/names.ts'
import type { Identity } from '../../../node/identity/identity.ts'
import type { RefusalReason } from '../../../node/sessions/admission.ts'
import type { Session } from '../../../node/sessions/session.ts'
import { isStray, type Entry } from '../../../node/whitelist/entry.ts'
import { stateText } from '../../support/replica-model.ts'
import type { People } from '../../support/replica-people.ts'
import type { Machine, Run } from './machine.ts'
import { SUBJECTS } from './plan.ts'
import type { Thief } from './thief.ts'
import type { ClusterWorld } from './world.ts'

/** What a node may be sent for each node that there is, at once and a second, in bytes. */
const BYTES = { atOnce: 25_000, perSecond: 2_000 }
/** How often a machine may dial at each start for each node that there is, and a second. */
const DIALS = { atOnce: 1.25, perSecond: 1.6 }
/** Why a client may be cut or kept out while its grant stands. */
const MEANWHILE: ReadonlySet<RefusalReason> = new Set(['not ready'])

export interface ClusterPromisesOptions {
  readonly world: ClusterWorld
  readonly thief: Thief
  readonly people: People
}

/** What a cluster promises, watched from outside. */
export class ClusterPromises {
  readonly #options: ClusterPromisesOptions
  readonly #wrong = new Set<string>()
  /** What operators were told is done, by its text. */
  readonly #acknowledged = new Map<string, Name>()
  /** What was only on a disk that went back to an earlier state. */
  readonly #excused = new Set<string>()
  /** Hosts of machines that ran twice. */
  readonly #copied = new Set<string>()
  /** The clients that are connected, by the run that they are connected to. */
  readonly #clients = new WeakMap<Run, Map<Subject, Session>>()

  constructor(options: ClusterPromisesOptions) {
    this.#options = options
  }

  onWrong(what: string): void {
    this.#wrong.add(what)
  }

  /** Of honest nodes none breaks the protocol, to the best knowledge of the others. */
  onHostile({ host }: Machine, why: string): void {
    if (this.#options.thief.hasBeen || this.#copied.size > 0) return
    this.onWrong(`${host} says that a peer broke the protocol: ${why}`)
  }

  acknowledged({ text, change }: Entry): void {
    this.#acknowledged.set(text, nodeOf(change.source))
  }

  /** A disk goes back to an earlier state: what nobody else holds may be lost. */
  lose(machine: Machine): void {
    const others = this.#options.world.machines.filter(other => other !== machine)
    for (const text of textsOf(machine)) {
      if (!others.some(other => textsOf(other).has(text))) this.#excused.add(text)
    }
  }

  copied({ host }: Machine): void {
    this.#copied.add(host)
  }

  started(machine: Machine): void {
    machine.run?.replica.subscribeEnded(({ lost }) => {
      for (const { text } of lost) this.#excused.add(text)
    })
  }

  /** Look at every node that runs. @throws when something is wrong */
  async look(): Promise<void> {
    for (const machine of this.#options.world.machines) {
      const { run, clock } = machine
      if (run === undefined || clock.isFrozen) continue
      await run.replica.settled()
      for (const what of run.defined.settled()) this.onWrong(`${machine.host} ${what}`)
      this.#lookAtClients(machine, run)
      this.#lookAtLinks(machine, run)
    }
    this.#lookAtBounds()
    this.assertKept()
  }

  /** The machines whose nodes belong to the cluster. */
  belonging(): Machine[] {
    const { machines } = this.#options.world
    const running = machines.filter(({ run, clock }) => run !== undefined && !clock.isFrozen)
    const says = (by: Machine, of: Machine): boolean =>
      by.run?.replica.whitelist.hasRemoved(of.name) === true ||
      by.run?.replica.whitelist.hasEquivocated(of.name) === true
    // What a node accepts that all others have put out stays with it.
    const isOut = (machine: Machine): boolean =>
      running.some(
        by =>
          says(by, machine) &&
          !running.some(other => other !== machine && other !== by && says(other, by)),
      )
    return running.filter(machine => !isOut(machine))
  }

  /** Why the nodes that belong to the cluster are not yet one. */
  apart(): string[] {
    const belonging = this.belonging()
    const [first] = belonging
    if (first?.run === undefined) return []
    const sources = new Set(belonging.map(({ run }) => run?.source))
    const held = textsOf(first)
    const why: string[] = []
    for (const machine of belonging) {
      const { run, host } = machine
      if (run === undefined) continue
      if (run.replica.storage.failing !== undefined) why.push(`${host} cannot store changes yet`)
      const live = new Set(run.cluster.members.live().keys())
      if (!sources.isSubsetOf(live)) why.push(`${host} does not see all others`)
      if (textsOf(machine).symmetricDifference(held).size > 0) {
        why.push(`${host} does not hold what ${first.host} holds`)
      }
      const strangers = [...run.cluster.members.live().values()].filter(
        ({ source }) => !sources.has(source),
      )
      for (const { name } of strangers) why.push(`${host} sees ${name}, which is out or off`)
    }
    for (const { host, name, run } of this.#options.world.machines) {
      const isRemoved = first.run.replica.whitelist.hasRemoved(name)
      if (isRemoved && run !== undefined && run.ownRemoval.removal === undefined) {
        why.push(`${host} has not heard that it was removed`)
      }
    }
    return why
  }

  /** The cluster is well. */
  healed(): void {
    const belonging = this.belonging()
    const [first] = belonging
    if (first?.run === undefined) return
    const held = textsOf(first)
    const names = new Set(belonging.map(({ name }) => name))
    for (const [text, node] of this.#acknowledged) {
      // A node that is out and has not heard of it accepts what nobody takes from it.
      if (held.has(text) || this.#excused.has(text) || !names.has(node)) continue
      this.onWrong(`it was acknowledged and is lost: ${text}`)
    }
    for (const { host, run } of belonging) {
      if (run === undefined) continue
      const { cluster, replica, sessions } = run
      for (const subject of SUBJECTS) {
        const [state, expected] = [replica, first.run.replica].map(one =>
          stateText(one.stateOf(subject)),
        )
        if (state !== expected)
          this.onWrong(`${host} has another list of ${subject} than ${first.host}`)
        const isIn = replica.stateOf(subject).grants.length > 0
        if (sessions.admit(this.#identityOf(subject)).admitted !== isIn) {
          this.onWrong(`${host} ${isIn ? 'keeps out' : 'lets in'} ${subject} though all is well`)
        }
      }
      if (cluster.isolation.isIsolated) this.onWrong(`${host} takes itself for isolated`)
      const { members } = cluster
      for (const { name } of belonging) {
        if (members.unreachable().has(name))
          this.onWrong(`${host} says that ${name} is out of reach`)
        if (members.left().has(name)) this.onWrong(`${host} says that ${name} has left`)
      }
    }
    this.assertKept()
  }

  /** @throws when one was not kept */
  assertKept(): void {
    if (this.#wrong.size > 0) throw new Error([...this.#wrong].join('\n'))
  }

  /** A client that is let in stays connected until it is cut: who is removed is cut at once. */
  #lookAtClients({ host }: Machine, run: Run): void {
    const { sessions } = run
    const clients = this.#clients.get(run) ?? new Map<Subject, Session>()
    this.#clients.set(run, clients)
    for (const subject of SUBJECTS) {
      const identity = this.#identityOf(subject)
      const admission = sessions.admit(identity)
      if (clients.has(subject)) {
        if (!admission.admitted && !MEANWHILE.has(admission.reason)) {
          this.onWrong(`${host} has not cut ${subject}: ${admission.reason}`)
        }
      } else if (admission.admitted) {
        const session: Session = {
          identity,
          narrow: () => {},
          leave: () => {},
          cut: () => {
            clients.delete(subject)
            sessions.delete(session)
          },
        }
        clients.set(subject, session)
        sessions.add(session, admission.until)
      }
    }
  }

  /** Nobody is linked to whom it knows to be out, nor to more than it should be. */
  #lookAtLinks({ host, name }: Machine, { cluster, replica, ownRemoval }: Run): void {
    const links = cluster.overlay.links()
    for (const { peer } of links) {
      if (replica.stateOf(subjectOf('node', peer.name)).revocations.size > 0) {
        this.onWrong(`${host} is linked to ${peer.name}, which it knows to be removed`)
      }
      if (peer.name === name) this.onWrong(`${host} is linked to its own name`)
    }
    if (ownRemoval.removal !== undefined && links.length > 0) {
      this.onWrong(`${host} knows that it was removed, and has links`)
    }
    const names = links.map(({ peer }) => peer.name)
    if (new Set(names).size < names.length) this.onWrong(`${host} has two links to one node`)
    const nodes = this.#options.world.machines.length
    if (links.length > Math.max(linksAccepted(nodes), nodes))
      this.onWrong(`${host} has too many links`)
  }

  #lookAtBounds(): void {
    const { world } = this.#options
    const seconds = world.time.now / 1_000
    const nodes = world.machines.length
    for (const { host, run } of world.machines) {
      const bytes = world.received.get(host) ?? 0
      if (bytes > nodes * (BYTES.atOnce + seconds * BYTES.perSecond))
        this.onWrong(`${host} was sent ${bytes} bytes`)
      const dials = world.dials.get(host) ?? 0
      const starts = 1 + (world.starts.get(host) ?? 0)
      if (dials > starts * nodes * DIALS.atOnce + seconds * DIALS.perSecond) {
        this.onWrong(`${host} has dialed ${dials} times in ${seconds} s`)
      }
      if (run === undefined) continue
      const { members } = run.cluster
      const kept = [...members.list()].length
      if (kept > world.machines.length * 8) this.onWrong(`${host} keeps ${kept} members`)
    }
  }

  #identityOf(subject: Subject): Identity {
    const { identity } = this.#options.people.operator().signer
    return { ...identity, role: 'client', subject, name: nameOf(subject), notAfter: Infinity }
  }
}

function textsOf({ disk }: Machine): Set<string> {
  return new Set(disk.log.map(one => (isStray(one) ? one.entry : one).text))
}
