import type { DocumentStream } from './document-stream.ts'

/** The links of the replica, and which of them bring changes without a hole. */
export class ReplicaLinks {
  readonly #links = new Set<DocumentStream>()
  /** Links whose peer has sent all that this node lacked at their start. */
  readonly #inStep = new WeakSet<DocumentStream>()
  /** Links that have brought something, and by far not all that their peers held at their start. */
  readonly #bringing = new Set<DocumentStream>()
  /** Links that have brought what could not be stored: what they bring next stands behind a hole. */
  readonly #missed = new Set<DocumentStream>()
  /** Links that have been ended for that. */
  readonly #left = new WeakSet<DocumentStream>()

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
  }

  noteInStep(link: DocumentStream): void {
    this.#inStep.add(link)
    this.#bringing.delete(link)
  }

  isInStep(link: DocumentStream): boolean {
    return this.#inStep.has(link)
  }

  /** A link that is not in step has brought something. */
  noteBringing(link: DocumentStream): void {
    this.#bringing.add(link)
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

  /** Whether this node has ended a link, so that what it brings is passed over. */
  hasLeft(link: DocumentStream): boolean {
    return this.#left.has(link)
  }

  /** Ask anew for what could not be stored. */
  leaveMissed(text: string): void {
    for (const link of Array.from(this.#missed)) this.#leave(link, text)
    this.#missed.clear()
  }

  /** Say anew to whoever may build on it that this node holds but the beginning of a list. */
  leaveNewcomers(text: string, except: DocumentStream): void {
    for (const link of Array.from(this.#links)) {
      const { here, there } = link.wasWhole ?? { here: true, there: true }
      if (here === undefined && there !== true && link !== except) this.#leave(link, text)
    }
  }

  /** Say anew to whoever holds but the beginning of a list, or was told so, that this node holds all of it. */
  leaveBeginners(text: string): void {
    for (const link of Array.from(this.#links)) {
      const { here, there } = link.wasWhole ?? { here: true, there: true }
      if (there !== true && (here === false || there === false)) this.#leave(link, text)
    }
  }

  /** Ask anew for all that this node lacks. */
  leaveAll(text: string): void {
    for (const link of Array.from(this.#links)) this.#leave(link, text)
  }

  #leave(link: DocumentStream, text: string): void {
    this.#left.add(link)
    link.leave(text)
  }
}
