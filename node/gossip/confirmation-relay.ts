import type { KeyObject } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import type { Source } from '../identity/names.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import {
  MAX_APPLIED_CHANGES,
  parseConfirmation,
  signConfirmation,
  verifyConfirmation,
  type AppliedChange,
  type Confirmation,
  type SignedConfirmation,
} from './confirmation.ts'
import type { DocumentStream } from './document.ts'

export interface ConfirmationRelayOptions {
  /** This run of this node. */
  readonly source: Source
  /** Whether this node accepts changes in a source, or did before. Default: where it is named like the run. */
  readonly isOwn?: (source: Source) => boolean
  readonly signers: Signers
  /** This node's own certificate and key. */
  readonly self: { readonly signer: Signer; readonly key: KeyObject }
  readonly clock: Clock
}

/** How long confirmations for one neighbour are gathered, in milliseconds. */
const GATHER_MS = 5

/** Confirmations in one frame. */
const MAX_FRAME = 128

/** Confirmations that wait for one neighbour; more are dropped. */
const MAX_WAITING = 1_024

/** Sources of which this node remembers what it has told them last. */
const MAX_TOLD = 64

/** How many confirmations that were passed on are remembered. */
const MAX_KNOWN = 16_384

/**
 * Brings each confirmation to the accepting node, which waits for it: to the neighbour that brought
 * the newest change of that node, and from there on in the same way. So a change costs each node a
 * few frames instead of one from every node over every link. A neighbour held all that it
 * brought before this node did, so there are no circles. A confirmation that is lost on its way
 * is made up for by *members*, which says how far each node has come.
 */
export class ConfirmationRelay implements Disposable {
  readonly #options: ConfirmationRelayOptions
  /** For each source the neighbour that brought its newest change. */
  readonly #paths = new Map<Source, DocumentStream>()
  /** Neighbours that are gone: what they brought may still be under way. */
  readonly #gone = new WeakSet<DocumentStream>()
  /** The latest changes that this node has applied, by the source that accepted them. */
  readonly #applied = new Map<Source, AppliedChange[]>()
  /** The sources of `#applied` that are still to be told. */
  readonly #untold = new Set<Source>()
  /**
   * What waits for each neighbour, by the source that is to hear it and the node that confirms: the
   * newest confirmation of a node says all that its earlier ones said.
   */
  readonly #waiting = new Map<DocumentStream, Map<string, SignedConfirmation>>()
  readonly #checking = new Map<string, Promise<void>>()
  /** How far each node is known to have come, by the source that is to hear it and the node. */
  readonly #known = new Map<string, number>()
  readonly #listeners = new Set<(confirmation: Confirmation) => void>()
  /** What this node has done with its own latest changes. */
  #own: Confirmation | undefined
  #gathering: Disposable | undefined

  constructor(options: ConfirmationRelayOptions) {
    this.#options = options
  }

  /** Hear of each confirmation for this run of this node; of its own latest at once. */
  subscribe(listener: (confirmation: Confirmation) => void): Disposable {
    this.#listeners.add(listener)
    if (this.#own !== undefined) listener(this.#own)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** A neighbour has brought a new change of a source. */
  heardFrom(source: Source, neighbour: DocumentStream): void {
    if (!this.#gone.has(neighbour)) this.#paths.set(source, neighbour)
  }

  /** A neighbour is gone. */
  forget(neighbour: DocumentStream): void {
    this.#gone.add(neighbour)
    for (const [source, path] of this.#paths) if (path === neighbour) this.#paths.delete(source)
    this.#waiting.delete(neighbour)
  }

  /** Tell a source that this node has applied its changes, in the order of their sequences. */
  reportApplied(to: Source, changes: readonly AppliedChange[]): void {
    const { source } = this.#options
    const own = this.#own?.to === to ? this.#own.changes : []
    const before = this.#isOwn(to) ? own : this.#applied.get(to)
    const latest = [...(before ?? []), ...changes].slice(-MAX_APPLIED_CHANGES)
    if (this.#isOwn(to)) {
      const applied = latest.at(-1)?.sequence ?? 0
      this.#own = { node: source, to, applied, changes: latest }
      this.#tell(this.#own)
    } else {
      keepNewest(this.#applied, to, latest, MAX_TOLD)
      this.#untold.add(to)
      this.#gather()
    }
  }

  /** Take a frame of a neighbour. @returns why it is refused, if it is */
  take(frame: object, from: DocumentStream): { readonly refused?: string } {
    const { confirmed, ...rest } = frame as Record<string, unknown>
    const isList = Array.isArray(confirmed) && confirmed.length <= MAX_FRAME
    if (!isList || Object.keys(rest).length > 0) return { refused: 'confirmations are malformed' }
    for (const value of confirmed as unknown[]) {
      const confirmation = parseConfirmation(value)
      if (typeof confirmation === 'string') return { refused: confirmation }
      this.#checkOnce(confirmation, value as SignedConfirmation, from)
    }
    return {}
  }

  /** How many confirmations are being checked. */
  get backlog(): number {
    return this.#checking.size
  }

  /** Resolves when the confirmations that have come are checked. */
  async settled(): Promise<void> {
    await Promise.all(this.#checking.values())
  }

  #checkOnce(confirmation: Confirmation, signed: SignedConfirmation, from: DocumentStream): void {
    const { to } = confirmation
    // This node knows no way to the source that it is for: not worth checking a signature.
    if (!this.#isOwn(to) && !this.#paths.has(to)) return
    const key = JSON.stringify(signed)
    if (!this.#isNews(confirmation) || this.#checking.has(key)) return
    const checked = this.#check(confirmation, signed, from)
    this.#checking.set(key, checked)
    void checked.then(() => this.#checking.delete(key))
  }

  [Symbol.dispose](): void {
    this.#gathering?.[Symbol.dispose]()
  }

  async #check(
    confirmation: Confirmation,
    signed: SignedConfirmation,
    from: DocumentStream,
  ): Promise<void> {
    const { signers } = this.#options
    const holds = await verifyConfirmation(confirmation, signed, signers)
    if (holds === false) return from.refuse('a confirmation is not signed by its node')
    // A node that joined a moment ago may not be known here yet: *members* will tell how far it is.
    if (holds === undefined || !this.#isNews(confirmation)) return
    this.#remember(confirmation)
    if (this.#isOwn(confirmation.to)) this.#tell(confirmation)
    else this.#passOn(confirmation, signed, from)
  }

  /** Whether a source is one that this node has accepted changes in, in this run or an earlier one. */
  #isOwn(source: Source): boolean {
    const { source: run, isOwn } = this.#options
    return isOwn?.(source) ?? source === run
  }

  #isNews({ to, node, applied }: Confirmation): boolean {
    return applied > (this.#known.get(`${to} ${node}`) ?? 0)
  }

  #remember({ to, node, applied }: Confirmation): void {
    keepNewest(this.#known, `${to} ${node}`, applied, MAX_KNOWN)
  }

  #tell(confirmation: Confirmation): void {
    for (const listener of this.#listeners) listener(confirmation)
  }

  #passOn({ to, node }: Confirmation, signed: SignedConfirmation, from?: DocumentStream): void {
    const next = this.#paths.get(to)
    if (next === undefined || next === from) return
    const waiting = this.#waiting.get(next) ?? new Map<string, SignedConfirmation>()
    if (waiting.size < MAX_WAITING) waiting.set(`${to} ${node}`, signed)
    this.#waiting.set(next, waiting)
    this.#gather()
  }

  #gather(): void {
    this.#gathering ??= this.#options.clock.after(GATHER_MS, () => {
      this.#flush()
      this.#gathering = undefined
    })
  }

  #flush(): void {
    const { source: node, self } = this.#options
    for (const to of this.#untold) {
      const changes = this.#applied.get(to) ?? []
      const applied = changes.at(-1)?.sequence
      // Of very many sources at once, as in a first exchange, only the latest are told.
      if (applied === undefined) continue
      const confirmation = { node, to, applied, changes }
      this.#passOn(confirmation, signConfirmation(confirmation, self))
    }
    this.#untold.clear()
    for (const [neighbour, waiting] of this.#waiting) {
      const confirmed = [...waiting.values()]
      for (let at = 0; at < confirmed.length; at += MAX_FRAME) {
        neighbour.send({ confirmed: confirmed.slice(at, at + MAX_FRAME) })
      }
    }
    this.#waiting.clear()
  }
}
