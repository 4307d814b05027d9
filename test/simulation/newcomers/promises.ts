import type { Name, Source } from '../../../node/identity/names.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { placeText, statesOf } from '../../support/replica-model.ts'
import type { Refused, SimulatedLink } from '../simulated-network.ts'
import type { Machine, MachineEvents } from './machine.ts'

/** How many nodes have to say that a checkpoint stands at which a list begins. */
const WITNESSES = 2

interface Met {
  /** How far each end had heard each source. */
  readonly clocks: ReadonlyMap<Name, ReadonlyMap<Source, number>>
  /** The ends whose lists were whole. */
  readonly whole: ReadonlySet<Name>
}

/** What a cluster promises whose logs are archived and whose newcomers begin at a checkpoint. */
export class Promises implements MachineEvents {
  readonly #machines: () => readonly Machine[]
  readonly #former: ReadonlySet<string>
  readonly #wrong = new Set<string>()
  /** Every change that was ever durable somewhere, by where it stands. */
  readonly #entries = new Map<string, Entry>()
  readonly #met = new WeakMap<SimulatedLink, Met>()
  /** A newcomer that knows of one other node alone. */
  #lone: Name | undefined
  /** By its name, those whose lists are whole and that each machine has all from, since it started. */
  readonly #witnesses = new Map<Name, Set<Name>>()

  /** @param former the fingerprints of certificates of an authority that was withdrawn */
  constructor(machines: () => readonly Machine[], former: ReadonlySet<string>) {
    this.#machines = machines
    this.#former = former
  }

  onWrong(what: string): void {
    this.#wrong.add(what)
  }

  onRun({ name }: Machine): void {
    this.#witnesses.set(name, new Set())
  }

  onKept(entry: Entry): void {
    const place = placeText(entry.change)
    const there = this.#entries.get(place) ?? entry
    if (there.hash !== entry.hash) this.onWrong(`${place} was used twice`)
    this.#entries.set(place, entry)
  }

  /** All changes that were ever kept, as far as a clock has heard of them. */
  readonly logUpTo = (clock: ReadonlyMap<Source, number>): Entry[] =>
    [...this.#entries.values()].filter(
      ({ change }) => change.sequence <= (clock.get(change.source) ?? 0),
    )

  /** A link begins. */
  met(link: SimulatedLink, ends: readonly Machine[]): void {
    this.#met.set(link, {
      clocks: new Map(ends.map(({ name, replica }) => [name, replica.whitelist.clock()])),
      whole: new Set(
        ends.filter(({ replica }) => replica.wholeness.wasWhole).map(({ name }) => name),
      ),
    })
  }

  onSynced(machine: Machine, link: SimulatedLink): void {
    const met = this.#met.get(link)
    const peer = link.names.find(name => name !== machine.name) as Name | undefined
    if (link.ended || met === undefined || peer === undefined) return
    const clock = machine.replica.whitelist.clock()
    for (const [source, sequence] of met.clocks.get(peer) ?? []) {
      if ((clock.get(source) ?? 0) >= sequence) continue
      this.onWrong(`${machine.name} is in step with ${peer} and lacks ${sequence} of ${source}`)
    }
    if (met.whole.has(peer)) this.#witnesses.get(machine.name)?.add(peer)
    machine.isReset = false
    machine.replica.stateExchange.noteOthers(this.#othersOf(machine))
  }

  /** How many other nodes one knows of. */
  #othersOf({ name }: Machine): number {
    return name === this.#lone ? 1 : this.#machines().length - 1
  }

  /** A newcomer is started with one other node as the only one that it knows, while the rest is off. */
  startedAlone({ name }: Machine): void {
    this.#lone = name
  }

  /** Honest nodes never end a link for what the other has sent. */
  onRefused({ by, of, reason }: Refused): void {
    this.onWrong(`${by} refused ${of}: ${reason}`)
  }

  /** A node lets its log begin at a checkpoint: whoever has not lost its list since must hold that. */
  archived(machine: Machine): void {
    const hash = machine.store.base()?.checkpoint
    for (const other of this.#machines()) {
      if (hash === undefined || other.isReset || other.replica.whitelist.cutOf(hash)) continue
      this.onWrong(`${machine.name} archived behind a checkpoint that ${other.name} lacks`)
    }
  }

  /** Whether a node holds each checkpoint at which the log of another begins. */
  holdsBases({ replica }: Machine): boolean {
    return this.#machines().every(({ store }) => {
      const base = store.base()
      return base === undefined || replica.whitelist.cutOf(base.checkpoint) !== undefined
    })
  }

  /** A node has nothing left to do: its list is what the definition makes of all that it stands for. */
  settled(machine: Machine): void {
    for (const what of machine.defined.settled()) this.onWrong(`${machine.name} ${what}`)
    this.#checkFormer(machine)
    const { isOpen, isNewcomer, store, name } = machine
    if (!isOpen) return
    const needed = Math.min(WITNESSES, this.#othersOf(machine))
    const witnesses = this.#witnesses.get(name)?.size ?? 0
    const hasBegunThere = isNewcomer && store.base() !== undefined && !store.isComplete
    if (hasBegunThere && witnesses < needed) {
      this.onWrong(`${name} lets clients in by the word of ${witnesses} nodes, not ${needed}`)
    }
    machine.isNewcomer = false
  }

  /** Behind a checkpoint that stands the former authority lets nobody in. */
  #checkFormer({ name, replica, store }: Machine): void {
    const { whitelist } = replica
    for (const [subject, { grants }] of whitelist.subjects()) {
      for (const { change, id } of grants) {
        const isCovered = whitelist.standingCheckpoints.every(
          ({ heads }) => (heads.get(change.source)?.sequence ?? 0) >= change.sequence,
        )
        const by = store.find(change, id)?.signatures.operatorCertificate ?? ''
        if (isCovered || !this.#former.has(by)) continue
        this.onWrong(`${name} lets ${subject} in by a former authority`)
      }
    }
  }

  /** All nodes have heard each other. */
  healed(): void {
    const [first, ...others] = this.#machines()
    if (first === undefined) return
    const states = statesOf(first.replica.whitelist).join('\n')
    for (const node of [first, ...others]) {
      if (!node.isOpen) this.onWrong(`${node.name} lets nobody in though all is well`)
      if (statesOf(node.replica.whitelist).join('\n') === states) continue
      this.onWrong(`${node.name} has another list than ${first.name}`)
    }
  }

  /** @throws when one was not kept */
  assertKept(): void {
    if (this.#wrong.size > 0) throw new Error([...this.#wrong].join('\n'))
  }
}
