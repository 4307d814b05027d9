import { admit, type Admission, type RefusalReason } from './admission.ts'
import { at, type Clock } from '../lib/clock.ts'
import type { Identity } from '../identity/identity.ts'
import { roleOf, type Subject } from '../identity/names.ts'
import type { Session } from './session.ts'
import type { SubjectState } from '../whitelist/merge.ts'

interface Admitted {
  readonly session: Session
  expiry: Disposable | undefined
}

/**
 * Why no further client is admitted: no exchange with a peer has been complete, signatures are not
 * being checked, or changes not stored.
 */
export type ClosedFor = 'incomplete' | 'unchecked' | 'unstored'

/**
 * Every live session, by its subject. Nothing else decides which of them stay: at connect, when the
 * list changes, and when time is up.
 */
export class Sessions {
  readonly #bySubject = new Map<Subject, Map<Session, Admitted>>()
  readonly #clock: Clock
  readonly #stateOf: (subject: Subject) => SubjectState
  readonly #isTrusted: (identity: Identity) => boolean
  readonly #onCut: (reason: RefusalReason) => void
  #size = 0
  #isIsolated = false
  #isRemoved = false
  readonly #closedFor = new Set<ClosedFor>()

  /**
   * @param isTrusted whether an authority that is trusted now vouches for a peer
   * @param onCut hears why each session was cut that may not stay
   */
  constructor(
    clock: Clock,
    stateOf: (subject: Subject) => SubjectState,
    isTrusted: (identity: Identity) => boolean = () => true,
    onCut: (reason: RefusalReason) => void = () => {},
  ) {
    this.#clock = clock
    this.#stateOf = stateOf
    this.#isTrusted = isTrusted
    this.#onCut = onCut
  }

  /** How many sessions are live. */
  get size(): number {
    return this.#size
  }

  /** How many sessions of clients are live; operators come and go with each command. */
  get clients(): number {
    let clients = 0
    for (const [subject, sessions] of this.#bySubject) {
      if (roleOf(subject) === 'client') clients += sessions.size
    }
    return clients
  }

  /** How many sessions one subject has. */
  countOf(subject: Subject): number {
    return this.#bySubject.get(subject)?.size ?? 0
  }

  /** Whether a client or an operator that has no session yet may have one now, and a node a link. */
  admit(identity: Identity): Admission {
    const admission = this.#judge(identity)
    if (this.#closedFor.size === 0 || !admission.admitted || identity.role !== 'client')
      return admission
    return { admitted: false, reason: 'not ready' }
  }

  #judge(identity: Identity): Admission {
    // An operator can still see here what is wrong.
    if (this.#isRemoved && identity.role !== 'operator') {
      return { admitted: false, reason: 'node removed' }
    }
    if (this.#isIsolated && identity.role === 'client')
      return { admitted: false, reason: 'isolated' }
    if (!this.#isTrusted(identity)) return { admitted: false, reason: 'not trusted' }
    return admit(identity, this.#stateOf(identity.subject), this.#clock.now())
  }

  /** Watch over a session that was just admitted. */
  add(session: Session, until: number): void {
    const { subject } = session.identity
    let sessions = this.#bySubject.get(subject)
    if (sessions === undefined) this.#bySubject.set(subject, (sessions = new Map()))
    const admitted: Admitted = { session, expiry: undefined }
    sessions.set(session, admitted)
    this.#expireAt(until, admitted)
    this.#size += 1
  }

  delete(session: Session): void {
    const sessions = this.#bySubject.get(session.identity.subject)
    const admitted = sessions?.get(session)
    if (sessions === undefined || admitted === undefined) return
    admitted.expiry?.[Symbol.dispose]()
    sessions.delete(session)
    this.#size -= 1
    if (sessions.size === 0) this.#bySubject.delete(session.identity.subject)
  }

  /** Decide again on all sessions of a subject. @returns how many sessions were cut */
  review(subject: Subject): number {
    let cut = 0
    for (const admitted of Array.from(this.#bySubject.get(subject)?.values() ?? [])) {
      const { session } = admitted
      // Cutting the one before may have ended this one too.
      if (this.#bySubject.get(subject)?.has(session) !== true) continue
      const admission = this.#judge(session.identity)
      if (admission.admitted) {
        admitted.expiry?.[Symbol.dispose]()
        this.#expireAt(admission.until, admitted)
        session.narrow(admission.rights)
      } else {
        this.delete(session)
        session.cut(admission.reason)
        this.#onCut(admission.reason)
        cut += 1
      }
    }
    return cut
  }

  /** Decide again on all sessions. @returns how many sessions were cut */
  reviewAll(): number {
    let cut = 0
    for (const subject of Array.from(this.#bySubject.keys())) cut += this.review(subject)
    return cut
  }

  /** While isolated, no client is admitted and none stays. */
  setIsolated(isIsolated: boolean): void {
    if (this.#isIsolated === isIsolated) return
    this.#isIsolated = isIsolated
    this.reviewAll()
  }

  /** This node itself was removed from the list: no client is admitted any more and none stays. */
  setRemoved(): void {
    this.#isRemoved = true
    this.reviewAll()
  }

  /**
   * While closed, for any reason, no further client is admitted: the node holds what it cannot check
   * or cannot store, and any of it may be a removal. Clients that have a session stay, as the list says.
   */
  setClosed(reason: ClosedFor, isClosed: boolean): void {
    if (isClosed) this.#closedFor.add(reason)
    else this.#closedFor.delete(reason)
  }

  *all(): Iterable<Session> {
    for (const sessions of this.#bySubject.values()) yield* sessions.keys()
  }

  #expireAt(until: number, admitted: Admitted): void {
    const { subject } = admitted.session.identity
    admitted.expiry = at(this.#clock, until, () => void this.review(subject))
  }
}
