import type { Clock } from '../lib/clock.ts'
import type { DocumentStream } from './document-stream.ts'

/** How long two ends may say nothing new of a fork before one asks for all of it anew, in milliseconds. */
const FORK_QUIET_MS = 1_000

/** The links of the replica, and which of them bring changes without a hole. */
export class ReplicaLinks implements Disposable {
  readonly #clock: Pick<Clock, 'after'>
  readonly #links = new Set<DocumentStream>()
  /** Links whose peer has sent all that this node lacked at their start. */
  readonly #inStep = new WeakSet<DocumentStream>()
  /** Links that have brought something, and by far not all that their peers held at their start. */
  readonly #bringing = new Set<DocumentStream>()
  /** Links that have brought what could not be stored: what they bring next stands behind a hole. */
  readonly #missed = new Set<DocumentStream>()
  /** Links that may bring what has seen another branch of a fork. */
  readonly #early = new WeakSet<DocumentStream>()
  /** When those of them that are open are ended for that, and others for another reason. */
  readonly #ends = new Map<DocumentStream, Disposable>()
  /** Links that have been ended for one of the two. */
  readonly #left = new WeakSet<DocumentStream>()

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock
  }

  add(link: DocumentStream): void {
    this.#links.add(link)
  }

  has(link: DocumentStream): boolean {
    return this.#links.has(link)
  }

  delete(link: DocumentStream): void {
    this.#links.delete(link)
    this.#missed.delete(link)
    this.#bringing.delete(link)
    this.#ends.get(link)?.[Symbol.dispose]()
    this.#ends.delete(link)
  }

  /** All has come that a peer held at the start of its link, unless that is asked for anew. */
  noteSynced(link: DocumentStream): boolean {
    if (!this.#links.has(link) || this.#early.has(link)) return false
    this.#inStep.add(link)
    this.#bringing.delete(link)
    return true
  }

  isInStep(link: DocumentStream): boolean {
    return this.#inStep.has(link)
  }

  /** A link that is not in step has brought something. */
  noteBringing(link: DocumentStream): void {
    // What was waiting to be checked may outlive its link.
    if (this.#links.has(link)) this.#bringing.add(link)
  }

  /** Whether more is to come over a link that has brought something. */
  get isBringing(): boolean {
    return this.#bringing.size > 0
  }

  /** Whether a link is in step whose peer had a whole list when it began. */
  get hasWhole(): boolean {
    return this.#links.values().some(link => link.wasWhole?.there === true && this.isInStep(link))
  }

  /** What a link has brought could not be stored. */
  noteMissed(link: DocumentStream): void {
    if (!this.#left.has(link)) this.#missed.add(link)
  }

  /**
   * A link brings changes that may have seen another branch of a fork than is known here. The two
   * ends find out step by step where the branches part; then what was seen can come.
   */
  noteEarly(link: DocumentStream): void {
    this.#early.add(link)
    this.leaveLater(link, FORK_QUIET_MS, () => 'this node asks anew for a branch of a fork')
  }

  /** End a link that is still open after `ms` through no fault of the peer's, if there is a reason by then. */
  leaveLater(link: DocumentStream, ms: number, reason: () => string | undefined): void {
    if (!this.#links.has(link)) return
    this.#ends.get(link)?.[Symbol.dispose]()
    const end = this.#clock.after(ms, () => {
      const text = reason()
      if (text !== undefined) this.leave(link, text)
    })
    this.#ends.set(link, end)
  }

  /** Whether what a link brings may have seen another branch of a fork. */
  isEarly(link: DocumentStream): boolean {
    return this.#early.has(link)
  }

  /** Whether this node has ended a link, so that what it brings is passed over. */
  hasLeft(link: DocumentStream): boolean {
    return this.#left.has(link)
  }

  /** End a link through no fault of the peer's: what it brings from here on is passed over. */
  leave(link: DocumentStream, text: string): void {
    this.#left.add(link)
    link.leave(text)
  }

  /** Ask anew for what could not be stored. */
  leaveMissed(text: string): void {
    for (const link of Array.from(this.#missed)) this.leave(link, text)
    this.#missed.clear()
  }

  /** Say anew to whoever may build on it that this node holds but the beginning of a list. */
  leaveNewcomers(text: string, except: DocumentStream): void {
    for (const link of Array.from(this.#links)) {
      const { here, there } = link.wasWhole ?? { here: true, there: true }
      if (here === undefined && there !== true && link !== except) this.leave(link, text)
    }
  }

  /** Begin all other links anew: what this node said when they began is no longer so. */
  leaveOthers(text: string, except: DocumentStream): void {
    for (const link of Array.from(this.#links)) if (link !== except) this.leave(link, text)
  }

  /** Say anew to whoever holds but the beginning of a list, or was told so, that this node holds all of it. */
  leaveBeginners(text: string): void {
    for (const link of Array.from(this.#links)) {
      const { here, there } = link.wasWhole ?? { here: true, there: true }
      if (there !== true && (here === false || there === false)) this.leave(link, text)
    }
  }

  /** Ask anew for all that this node lacks. */
  leaveAll(text: string): void {
    for (const link of Array.from(this.#links)) this.leave(link, text)
  }

  /** End none of them any more. */
  [Symbol.dispose](): void {
    for (const link of this.#links) this.delete(link)
  }
}
