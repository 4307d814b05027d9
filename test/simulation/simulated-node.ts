import { parseName, sourceOf, WHOLE_LIST, type Name } from '../../node/identity/names.ts'
import type { Change, ChangeRequest, CheckpointRequest } from '../../node/whitelist/change.ts'
import { isStray } from '../../node/whitelist/entry.ts'
import type { Commit } from '../../node/gossip/commit.ts'
import { Replica } from '../../node/gossip/replica.ts'
import type { Signers } from '../../node/identity/signers.ts'
import { commitChange, type People, type Person } from '../support/replica-people.ts'
import { evaluateLog } from '../../node/whitelist/evaluate.ts'
import { placeText } from '../support/replica-model.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { SimulatedDisk, type Backup } from './simulated-disk.ts'
import type { Peer } from './simulated-network.ts'

export interface NodeOptions {
  readonly name: string
  readonly people: People
  readonly clock: SimulatedClock
  /** Called when a change is durable here: the place that it took, and its text. */
  readonly onKept: (place: string, text: string) => void
  /** Called when a list is found to differ from its definition. */
  readonly onWrong: (what: string) => void
}

/** One node: its disk outlives it, everything else is born anew with each run. */
export class SimulatedNode {
  readonly name: Name
  readonly clock: SimulatedClock
  readonly disk = new SimulatedDisk()
  readonly #options: NodeOptions
  #runs = 0
  #replica: Replica
  #signers: Signers

  constructor(options: NodeOptions) {
    this.name = parseName(options.name)
    this.clock = options.clock
    this.#options = options
    const { replica, signers } = this.#start()
    this.#replica = replica
    this.#signers = signers
  }

  get replica(): Replica {
    return this.#replica
  }

  get peer(): Peer {
    return { name: this.name, document: this.#replica }
  }

  /** Die without a word, and start again from what the disk holds. */
  restart(): void {
    this.#replica[Symbol.dispose]()
    const { replica, signers } = this.#start()
    this.#replica = replica
    this.#signers = signers
  }

  restore(backup: Backup): void {
    this.disk.restore(backup)
    this.restart()
  }

  propose(request: ChangeRequest): Change {
    return this.#replica.propose(request)
  }

  async proposeCheckpoint(request: CheckpointRequest): Promise<Change> {
    return this.#replica.proposeCheckpoint(request)
  }

  /** @param signer default: the operator whom the change names */
  async commit(
    change: Change,
    signer: Person = this.#options.people.operator(change.operator),
  ): Promise<Commit> {
    return commitChange(this.#replica, change, signer, this.#signers)
  }

  /** The certificates that it knows. */
  get signers(): Signers {
    return this.#signers
  }

  /** The places of all changes on its disk. */
  places(): Set<string> {
    return new Set(
      this.disk.log.map(one => placeText(isStray(one) ? one.entry.change : one.change)),
    )
  }

  #start(): { replica: Replica; signers: Signers } {
    const { people, clock, onKept } = this.#options
    const store = this.disk.open()
    const signers = people.signers(store)
    const { signer, key } = people.node(this.name)
    const known = signers.learn(signer.chain)
    if (typeof known === 'string') throw new Error(known)
    this.#runs += 1
    const replica = new Replica({
      source: sourceOf(this.name, this.#runs.toString(16).padStart(16, '0')),
      store,
      signers,
      self: { signer: known, key },
      clock,
    })
    replica.subscribeEquivocation(() =>
      this.#options.onWrong(`${this.name} sees an honest node as a liar`),
    )
    replica.subscribe(applied => {
      for (const { entry } of applied) onKept(placeText(entry.change), entry.text)
      for (const { entry } of applied) this.#check(replica, signers, entry.change)
    })
    replica.checkCheckpoints()
    return { replica, signers }
  }

  /** At every moment the list of a node is what the definition makes of the changes on its disk. */
  #check(replica: Replica, signers: Signers, { subject }: Change): void {
    const { whitelist } = replica
    const isChecking = [...whitelist.changesOf(WHOLE_LIST).values()].some(
      checkpoint => whitelist.checkpointEffect(checkpoint) === 'unchecked',
    )
    // It does nothing before the node has found out whether it is true.
    if (isChecking) return
    const standing = replica.whitelist.state(subject).grants.map(({ id }) => id)
    const expected = evaluateLog(this.disk.log, signers).subjects.get(subject)?.grants ?? new Set()
    if (expected.symmetricDifference(new Set(standing)).size > 0) {
      this.#options.onWrong(
        `${this.name} lets ${subject} in by [${standing.join()}], not [${[...expected].join()}]`,
      )
    }
  }
}
