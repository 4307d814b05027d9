import type { Duplex } from 'node:stream'
import type { Dialed } from '../../../node/gossip/overlay-options.ts'
import type { Signers } from '../../../node/identity/signers.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import type { People } from '../../support/replica-people.ts'
import type { Draws } from '../draws.ts'
import { rememberingVerifier } from '../shared-signers.ts'
import { SimulatedTime } from '../simulated-time.ts'
import { SimulatedWire } from '../simulated-wire.ts'
import { Machine, type MachineEvents } from './machine.ts'
import type { Thief } from './thief.ts'

/** When a connection to an address that swallows packets is given up, ms. */
const BLACK_HOLE_MS = 3_000

export interface WorldOptions {
  readonly people: People
  readonly draws: Draws
  readonly events: MachineEvents
  /** Alters what one of the nodes says. */
  readonly thief: Thief
}

/** The machines of a cluster, and the network between them. */
export class ClusterWorld {
  readonly time = new SimulatedTime()
  /** What of the packets is lost. */
  loss = 0
  /** How often each machine has dialed. */
  readonly dials = new Map<string, number>()
  /** How often each machine was turned on. */
  readonly starts = new Map<string, number>()
  /** How many bytes each machine has been sent. */
  readonly received = new Map<string, number>()
  readonly #options: WorldOptions
  readonly #machines = new Map<string, Machine>()
  readonly #wires = new Set<SimulatedWire>()
  readonly #verifier = rememberingVerifier()
  readonly #signers: Signers
  #sides = new Map<string, number>()
  /** Ways on which everything is lost: `FROM TO`. */
  readonly #lost = new Set<string>()

  constructor(options: WorldOptions) {
    this.#options = options
    this.#signers = options.people.signers(new MemoryStore())
  }

  get machines(): readonly Machine[] {
    return [...this.#machines.values()]
  }

  machine(host: string): Machine {
    const machine = this.#machines.get(host)
    if (machine === undefined) throw new RangeError(`there is no ${host}`)
    return machine
  }

  /** Put a machine up, not turned on yet. @param host default: named like its node */
  add(name: string, seeds: readonly string[], host = name): Machine {
    const { people, draws, events } = this.#options
    const machine = new Machine({
      name,
      host,
      seeds,
      people,
      signers: this.#signers,
      verifier: this.#verifier,
      time: this.time,
      random: draws.random,
      onStart: () => this.starts.set(host, (this.starts.get(host) ?? 0) + 1),
      dial: async (from, to, signal) => this.#dial(from, to, signal),
      events,
    })
    this.#machines.set(host, machine)
    return machine
  }

  /** Turn a machine off at once. @param isSilent nobody is told: its power is gone, and so is its line */
  async kill(machine: Machine, isSilent: boolean): Promise<void> {
    for (const wire of this.#wiresOf(machine.host)) {
      if (isSilent) wire.swallow()
      wire.cut()
    }
    await machine.stop()
  }

  /** Divide the machines. What is under way between the sides is lost, and told to nobody. */
  partition(sideOf: (host: string) => number): void {
    this.#sides = new Map(this.machines.map(({ host }) => [host, sideOf(host)]))
    this.#swallow()
  }

  /** Lose all that one machine sends to another. */
  loseWay(from: string, to: string): void {
    this.#lost.add(`${from} ${to}`)
    this.#swallow()
  }

  /** Reset all connections between two machines. */
  cut(one: string, other: string): void {
    for (const wire of this.#wiresOf(one)) if (wire.names.includes(other)) wire.cut()
  }

  /** The network is whole again. */
  heal(): void {
    this.#sides = new Map()
    this.#lost.clear()
    this.loss = 0
  }

  #canSend(from: string, to: string): boolean {
    const isApart = (this.#sides.get(from) ?? 0) !== (this.#sides.get(to) ?? 0)
    return !isApart && !this.#lost.has(`${from} ${to}`)
  }

  #swallow(): void {
    for (const wire of this.#openWires()) {
      const [one, other] = wire.names
      if (!this.#canSend(one, other)) wire.swallow([one])
      if (!this.#canSend(other, one)) wire.swallow([other])
    }
  }

  #openWires(): SimulatedWire[] {
    for (const wire of this.#wires) if (wire.closed) this.#wires.delete(wire)
    return [...this.#wires]
  }

  #wiresOf(host: string): SimulatedWire[] {
    return this.#openWires().filter(({ names }) => names.includes(host))
  }

  async #dial(from: Machine, host: string, signal: AbortSignal): Promise<Dialed> {
    this.dials.set(from.host, (this.dials.get(from.host) ?? 0) + 1)
    const { people, draws, thief } = this.#options
    const delayMs = 2 + draws.below(20)
    const target = this.#machines.get(host)
    const isHeard = this.#canSend(from.host, host) && this.#canSend(host, from.host)
    if (!isHeard || target?.clock.isFrozen === true) {
      await from.clock.sleep(BLACK_HOLE_MS, signal)
      throw new Error(`${host} does not answer`)
    }
    // TCP and TLS 1.3: two ways there and back.
    await from.clock.sleep(4 * delayMs, signal)
    if (target?.run === undefined) throw new Error(`${host} refuses the connection`)
    const wire = new SimulatedWire(from.asEnd, target.asEnd, {
      time: this.time,
      random: draws.random,
      delayMs,
      loss: () => this.loss,
      alter: (sender, text) => thief.alter(sender, text),
      onArrival: (_, receiver, text) => {
        this.received.set(receiver, (this.received.get(receiver) ?? 0) + text.length)
      },
    })
    this.#wires.add(wire)
    this.#swallow()
    const [here, there]: readonly [Duplex, Duplex] = wire.ends
    const [peer, own] = [from, target].map(({ name }) => people.node(name).signer.identity)
    if (peer === undefined || own === undefined) throw new RangeError('a wire has two ends')
    target.receive({ socket: there, peer, own, from: `${from.host}:1` })
    return { socket: here, peer: own, own: peer }
  }
}
