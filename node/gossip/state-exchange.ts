import type { Name, Source } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Update } from './document-frames.ts'
import type { DurableList } from './durable-list.ts'
import type { Beginning } from './outgoing.ts'
import type { ReplicaLinks } from './replica-links.ts'
import { parseStanding, standingFrame } from './state-frames.ts'
import { StateIntake } from './state-intake.ts'
import { beginningOf, type StateSendingOptions } from './state-sending.ts'

export interface StateExchangeOptions extends Pick<StateSendingOptions, 'minArchived'> {
  readonly list: DurableList
  readonly store: Pick<ChangeStore, 'base' | 'find' | 'isComplete' | 'leftBehind'>
  readonly signers: Signers
  readonly links: ReplicaLinks
  /** A link begins to bring what a checkpoint states. */
  readonly onBrought: (from: DocumentStream) => void
  /** The list begins at a checkpoint, with so much of each source. */
  readonly onBegun: (clock: ReadonlyMap<Source, number>) => void
  /** Enough nodes have said by now that it may. */
  readonly onWitnessed: () => void
}

/** How many nodes say that a checkpoint stands before anybody is let in by a list that begins there. */
const WITNESSES = 2

/** How long after an exchange a node that lacks witnesses asks a peer anew, in milliseconds: it checks a checkpoint first. */
const ASK_ANEW_MS = 10_000

/**
 * What a node that holds nothing is sent of a list that begins at a checkpoint, and by whose word it
 * takes it for the list: that the checkpoint is true it cannot find out without what led there.
 */
export class StateExchange {
  readonly #options: StateExchangeOptions
  readonly #intake: StateIntake
  readonly #nodes = new WeakMap<DocumentStream, Name>()
  /** The checkpoints that stand at the other end of each link. */
  readonly #standing = new WeakMap<DocumentStream, ReadonlySet<string>>()
  /** The nodes that this one has all from that they hold, and where the checkpoint stands. */
  readonly #witnesses = new Set<Name>()
  /** How many other nodes there are, once it is known. */
  #others: number | undefined

  constructor(options: StateExchangeOptions) {
    this.#options = options
    this.#intake = new StateIntake({
      signers: options.signers,
      isEmpty: () => options.list.whitelist.changes === 0,
      onBrought: options.onBrought,
      begin: async (entries, begun, from) => {
        if (!(await options.list.beginWith(entries, begun))) return options.links.noteMissed(from)
        options.onBegun(options.list.whitelist.clock())
        // They were told that this node holds nothing.
        options.links.leaveOthers('this node begins its list at a checkpoint', from)
      },
    })
  }

  /** How many entries wait to be checked. */
  get backlog(): number {
    return this.#intake.backlog
  }

  /** Resolves when all that has come in is checked, and taken in or refused. */
  async settled(): Promise<void> {
    await this.#intake.settled()
  }

  /** Resolves when the list is not being stored that a peer has brought: until then nothing else may be. */
  async stored(): Promise<void> {
    await this.#intake.stored()
  }

  /** What a peer that holds nothing is sent. */
  beginningFor(attachmentsOf: (update: Update) => Iterable<object>): Beginning | undefined {
    const { list, signers } = this.#options
    return beginningOf({
      ...this.#options,
      list: () => list.whitelist,
      vouchers: signers,
      attachmentsOf,
    })
  }

  /** What a peer is told of the checkpoints that stand here. */
  openings(): Iterable<object> {
    return standingFrame(this.#options.list.whitelist.standingHashes)
  }

  /** Take a frame of a peer. @returns why it is refused, if it is; undefined if it is another */
  take(frame: object, from: DocumentStream): { readonly refused?: string } | undefined {
    if (!('standing' in frame)) {
      const isState = 'state' in frame || 'begins' in frame
      if (isState && !this.#nodes.has(from)) return { refused: 'a state came before the digest' }
      return this.#intake.take(frame, from)
    }
    const standing = parseStanding(frame)
    if (standing === undefined) return { refused: 'what stands at a peer is malformed' }
    if (this.#standing.has(from)) return { refused: 'what stands at a peer comes twice' }
    this.#standing.set(from, standing)
    return {}
  }

  /** A link is to a node. */
  met(from: DocumentStream, node: Name): void {
    this.#nodes.set(from, node)
  }

  /** All has come that the peer of a link held. */
  noteInStep(from: DocumentStream): void {
    const node = this.#nodes.get(from)
    const base = this.#options.store.base()
    if (node === undefined || base === undefined || from.wasWhole?.there !== true) return
    if (this.#standing.get(from)?.has(base.checkpoint) === true) this.#witnesses.add(node)
    else if (!this.isWitnessed) this.#askAnew(from)
  }

  /** A peer says what stands there as a link begins: it may have come to hold more by that link. */
  #askAnew(from: DocumentStream): void {
    this.#options.links.leaveLater(from, ASK_ANEW_MS, () =>
      this.isWitnessed ? undefined : 'this node asks anew which checkpoints stand there',
    )
  }

  /** Whether this node may take for the list what it holds: what led to it, or what enough nodes say. */
  get isWitnessed(): boolean {
    const { store } = this.#options
    if (store.base() === undefined || store.isComplete) return true
    if (this.#others === undefined) return false
    return this.#witnesses.size >= this.needed
  }

  /** How many more nodes have to say so; undefined where nobody is waited for. */
  get lacking(): number | undefined {
    return this.isWitnessed ? undefined : this.needed - this.#witnesses.size
  }

  /** How many nodes have to say so. */
  get needed(): number {
    return Math.min(WITNESSES, Math.max(this.#others ?? WITNESSES, 1))
  }

  /** There are so many other nodes, as far as this one knows. */
  noteOthers(others: number): void {
    this.#others = others
    this.#options.onWitnessed()
  }

  /** A link has ended. */
  forget(from: DocumentStream): void {
    this.#intake.forget(from)
  }
}
