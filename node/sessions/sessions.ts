import {
  admit,
  intersect,
  publicRights,
  type Admission,
  type RefusalReason,
  type Rights,
} from './admission.ts'
import { at, type Clock } from '../lib/clock.ts'
import type { Identity } from '../identity/identity.ts'
import { roleOf, type Subject } from '../identity/names.ts'
import { isCertified, type BrowserParty, type OriginParty, type Party } from './party.ts'
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
  /** Who waits for a subject to be let in. */
  readonly #waiting = new Map<Subject, Set<() => void>>()

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

  /** How many sessions of clients are live, browsers included; operators come and go with each command. */
  get clients(): number {
    return this.#countRole('client')
  }

  /** How many pages are live, whether or not anybody has signed in there. */
  get pages(): number {
    return this.#countRole('origin')
  }

  /** How many sessions one subject has. */
  countOf(subject: Subject): number {
    return this.#bySubject.get(subject)?.size ?? 0
  }

  /** Whether a party that has no session yet may have one now, and a node a link. */
  admit(party: Party): Admission {
    const admission = this.#judge(party)
    if (this.#closedFor.size === 0 || !admission.admitted || !isServed(party)) return admission
    return { admitted: false, reason: 'not ready' }
  }

  #judge(party: Party): Admission {
    // An operator can still see here what is wrong.
    if (this.#isRemoved && party.role !== 'operator') {
      return { admitted: false, reason: 'node removed' }
    }
    if (this.#isIsolated && isServed(party)) return { admitted: false, reason: 'isolated' }
    if (isCertified(party) && !this.#isTrusted(party)) {
      return { admitted: false, reason: 'not trusted' }
    }
    return admit(party, this.#stateOf(party.subject), this.#clock.now())
  }

  /** Watch over a session that was just admitted. */
  add(session: Session, until: number): void {
    const admitted: Admitted = { session, expiry: undefined }
    for (const { subject } of partiesOf(session)) {
      let sessions = this.#bySubject.get(subject)
      if (sessions === undefined) this.#bySubject.set(subject, (sessions = new Map()))
      sessions.set(session, admitted)
    }
    this.#expireAt(until, admitted)
    this.#size += 1
  }

  delete(session: Session): void {
    const admitted = this.#bySubject.get(session.identity.subject)?.get(session)
    if (admitted === undefined) return
    admitted.expiry?.[Symbol.dispose]()
    for (const { subject } of partiesOf(session)) {
      const sessions = this.#bySubject.get(subject)
      sessions?.delete(session)
      if (sessions?.size === 0) this.#bySubject.delete(subject)
    }
    this.#size -= 1
  }

  /** How many of the pages nobody has signed in on. */
  get unsigned(): number {
    let unsigned = 0
    for (const session of this.all()) unsigned += Number(session.identity.role === 'origin')
    return unsigned
  }

  #countRole(role: 'client' | 'origin'): number {
    let count = 0
    for (const [subject, sessions] of this.#bySubject) {
      if (roleOf(subject) === role) count += sessions.size
    }
    return count
  }

  /** Whether a page may be let in on which nobody has signed in yet, and what it may read. */
  admitPage(origin: OriginParty): Admission {
    const admission = this.admit(origin)
    return admission.admitted ? { ...admission, rights: publicRights(admission) } : admission
  }

  /** Whether the browser of a page may sign in there, and what the two may together. */
  admitBrowser(browser: BrowserParty, origin: OriginParty): Judgement {
    const admission = this.admit(browser)
    if (!admission.admitted) return { refused: browser, reason: admission.reason }
    return this.#judgeAll([browser, origin])
  }

  /** Hear whenever a subject is decided on anew, until it is disposed. */
  await(subject: Subject, listener: () => void): Disposable {
    const listeners = this.#waiting.get(subject) ?? new Set()
    this.#waiting.set(subject, listeners.add(listener))
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#waiting.delete(subject)
      },
    }
  }

  /** Decide again on all sessions of a subject. @returns how many sessions were cut */
  review(subject: Subject): number {
    for (const listener of Array.from(this.#waiting.get(subject) ?? [])) listener()
    let cut = 0
    for (const admitted of Array.from(this.#bySubject.get(subject)?.values() ?? [])) {
      const { session } = admitted
      // Cutting the one before may have ended this one too.
      if (this.#bySubject.get(subject)?.has(session) !== true) continue
      const judgement = this.#judgeAll(partiesOf(session))
      if ('refused' in judgement) {
        this.delete(session)
        session.cut(judgement.reason, judgement.refused)
        this.#onCut(judgement.reason)
        cut += 1
      } else {
        admitted.expiry?.[Symbol.dispose]()
        this.#expireAt(judgement.until, admitted)
        session.narrow(judgement.rights)
      }
    }
    return cut
  }

  /** All parties of a connection must be admitted, and may together what each of them may. */
  #judgeAll([first, ...others]: Parties): Judgement {
    const admission = this.#judge(first)
    if (!admission.admitted) return { refused: first, reason: admission.reason }
    let { until } = admission
    // Before anybody signs in a page reads what is public, and calls nothing.
    let rights = first.role === 'origin' ? publicRights(admission) : admission.rights
    for (const party of others) {
      const next = this.#judge(party)
      if (!next.admitted) return { refused: party, reason: next.reason }
      until = Math.min(until, next.until)
      rights = intersect(rights, next.rights)
    }
    return { rights, until }
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

  /** Every session once, though a page may count under two subjects. */
  *all(): Iterable<Session> {
    for (const [subject, sessions] of this.#bySubject) {
      for (const session of sessions.keys()) if (session.identity.subject === subject) yield session
    }
  }

  #expireAt(until: number, admitted: Admitted): void {
    if (until === Infinity) return void (admitted.expiry = undefined)
    const { subject } = admitted.session.identity
    admitted.expiry = at(this.#clock, until, () => void this.review(subject))
  }
}

type Parties = readonly [Party, ...Party[]]

export type Judgement =
  | { readonly rights: Rights; readonly until: number }
  | { readonly refused: Party; readonly reason: RefusalReason }

function partiesOf({ identity, origin }: Session): Parties {
  return origin === undefined || origin.subject === identity.subject
    ? [identity]
    : [identity, origin]
}

/** Whether a party comes to be served, and not to change the list or to gossip. */
function isServed({ role }: Party): boolean {
  return role === 'client' || role === 'origin'
}
