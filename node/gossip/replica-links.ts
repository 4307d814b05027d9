import type { DocumentStream } from './document-stream.ts'

/** The links of the replica, and which of them bring changes without a hole. */
export class ReplicaLinks {
  readonly #links = new Set<DocumentStream>()
  /** Links whose peer has sent all that this node lacked at their start. */
  readonly #inStep = new WeakSet<DocumentStream>()
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
  }

  noteInStep(link: DocumentStream): void {
    this.#inStep.add(link)
  }

  isInStep(link: DocumentStream): boolean {
    return this.#inStep.has(link)
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

  /** Ask anew for all that this node lacks. */
  leaveAll(text: string): void {
    for (const link of Array.from(this.#links)) this.#leave(link, text)
  }

  #leave(link: DocumentStream, text: string): void {
    this.#left.add(link)
    link.leave(text)
  }
}
