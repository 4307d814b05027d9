import type { KeyObject } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import type { Source } from '../identity/names.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import {
  isSought,
  keyOf,
  MAX_APPLIED_CHANGES,
  parseConfirmation,
  rankOf,
  signConfirmation,
  verifyConfirmation,
  type AppliedChange,
  type Confirmation,
  type SignedConfirmation,
} from './confirmation.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Answer, Held } from './question.ts'
import { Questions } from './questions.ts'
import { Tallies } from './tallies.ts'
import { Ways } from './ways.ts'

export interface ConfirmationRelayOptions {
  /** This run of this node. */
  readonly source: Source
  /** Whether this node accepts changes in a source, or did before. Default: where it is named like the run. */
  readonly isOwn?: (source: Source) => boolean
  readonly signers: Signers
  /** This node's own certificate and key. */
  readonly self: { readonly signer: Signer; readonly key: KeyObject }
  readonly clock: Clock
  /** What this node holds, for those who ask. Default nothing. */
  readonly held?: (about: Source | undefined) => Pick<Held, 'changes' | 'applied'>
}

/** How long confirmations for one neighbour are gathered, in milliseconds. */
const GATHER_MS = 5

/** Confirmations in one frame. */
const MAX_FRAME = 128

/** Confirmations that wait to leave; more are dropped. */
const MAX_WAITING = 4_096

/** Confirmations that were passed on and are kept, to be sent another way. */
const MAX_KEPT = 2_048

/** How long they are worth that, in milliseconds: as long as operators wait who say nothing else. */
const AGAIN_MS = 10_000

/** By how many ways goes an answer about a source: it is asked for where the one way was too slow. */
const WAYS_OF_SOUGHT = 2

/** Sources of which this node remembers what it has told them last. */
const MAX_TOLD = 64

/** How many confirmations that were passed on are remembered. */
const MAX_KNOWN = 16_384

/** A node that took so long for a change says so by itself, in milliseconds. */
const SLOW_MS = 1_000

/** How long after a question a tally that does not hold is a reason for another one, in milliseconds. */
const ASK_AGAIN_MS = 1_000

/** A confirmation on its way. */
interface Passing {
  /** The source that is to hear it. */
  readonly to: Source
  readonly signed: SignedConfirmation
  readonly isSought: boolean
  /** The neighbour that brought it; absent for this node's own. */
  readonly from?: DocumentStream
  /** Until when it goes again if its way is gone, on the monotonic clock. */
  readonly until: number
}

/**
 * Brings each confirmation to the accepting node, which waits for it: to the neighbour that brought
 * the newest change of that node, and from there on in the same way. So a change costs each node a
 * few frames instead of one from every node over every link. A neighbour held all that it
 * brought before this node did, so there are no circles.
 *
 * When that neighbour is gone, what went to it lately goes again, by another that brought the
 * change; by all neighbours when none of them did. A neighbour that sends here what this node
 * would send to it has lost its own way: it is none any more. What is lost or late all the same is
 * asked for: answers go the same way, and those about a source by a second one as well.
 */
export class ConfirmationRelay implements Disposable {
  /** What nodes ask each other. */
  readonly questions: Questions
  /** The words of many nodes, as one. */
  readonly tallies: Tallies
  readonly #options: ConfirmationRelayOptions
  readonly #neighbours = new Set<DocumentStream>()
  /** Those that have not been sent yet what waits for a way. */
  readonly #newcomers = new Set<DocumentStream>()
  readonly #ways = new Ways<DocumentStream>()
  /** Neighbours that are gone: what they brought may still be under way. */
  readonly #gone = new WeakSet<DocumentStream>()
  /** What this node tells of itself, by whom it tells and whether it was asked, and `until` as above. */
  readonly #own = new Map<string, { readonly said: Confirmation; readonly until: number }>()
  /** What of it is still to be told. */
  readonly #untold = new Set<string>()
  /**
   * What waits to leave, by the source that is to hear it and the node that confirms: the newest
   * confirmation of a node says all that its earlier ones said. Where it goes is decided when it
   * leaves: behind a change that this node brings a neighbour, that neighbour is no way to its source.
   */
  readonly #waiting = new Map<string, Passing>()
  /** What other nodes confirmed and has left, by the same. */
  readonly #kept = new Map<string, Passing>()
  readonly #checking = new Map<string, Promise<void>>()
  /** How far each node is known to have come, by the source that is to hear it, the node, and whether it was asked. */
  readonly #known = new Map<string, number>()
  readonly #listeners = new Set<(confirmation: Confirmation) => void>()
  /** What this node has done with its own latest changes. */
  #applied: Confirmation | undefined
  #gathering: Disposable | undefined
  #askedAt = -Infinity

  constructor(options: ConfirmationRelayOptions) {
    this.#options = options
    this.questions = new Questions({
      ...options,
      neighbours: () => this.#neighbours,
      held: about => options.held?.(about) ?? { changes: 0 },
      answer: (to, answer, neighbour) => {
        this.heardFrom(to, neighbour)
        this.#answer(to, answer)
      },
    })
    this.tallies = new Tallies({
      ...options,
      onConfirmed: (node, to, applied) => this.#believe({ node, to, applied, changes: [] }),
      onFalse: to => this.#askAgain(to),
    })
  }

  /** Hear of each confirmation for this run of this node; of its own latest at once. */
  subscribe(listener: (confirmation: Confirmation) => void): Disposable {
    this.#listeners.add(listener)
    if (this.#applied !== undefined) listener(this.#applied)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** A neighbour is there from now on. */
  meet(neighbour: DocumentStream): void {
    this.#neighbours.add(neighbour)
    if (this.#sentLately(this.#ways.lost()).length === 0) return
    // The others have been sent it: once more for each that comes would be the more, the more come.
    this.#newcomers.add(neighbour)
    this.#gather()
  }

  /** A neighbour was the first to bring a new change of a source. */
  heardFrom(source: Source, neighbour: DocumentStream): void {
    if (!this.#gone.has(neighbour)) this.#ways.lead(source, neighbour)
  }

  /** A neighbour brings a change of a source: perhaps not as the first, and not checked yet. */
  broughtBy(source: Source, neighbour: DocumentStream): void {
    if (!this.#gone.has(neighbour)) this.#ways.add(source, neighbour)
  }

  /** A neighbour is gone. */
  forget(neighbour: DocumentStream): void {
    this.#gone.add(neighbour)
    this.#neighbours.delete(neighbour)
    this.#newcomers.delete(neighbour)
    this.#sendAgain(this.#ways.forget(neighbour))
  }

  /** Tell a source that this node has applied its changes, in the order of their sequences. */
  reportApplied(to: Source, changes: readonly AppliedChange[]): void {
    const { source: node } = this.#options
    const before = this.#isOwn(to) ? this.#applied : this.#own.get(to)?.said
    const latest = [...(before?.to === to ? before.changes : []), ...changes]
    const kept = latest.slice(-MAX_APPLIED_CHANGES)
    const said = { node, to, applied: kept.at(-1)?.sequence ?? 0, changes: kept }
    if (!this.#isOwn(to)) {
      const isPlain = changes.every(({ tookMs, cut }) => cut === 0 && tookMs < SLOW_MS)
      return this.#say(to, said, isPlain && this.tallies.add(to, said.applied))
    }
    this.#applied = said
    this.#tell(said)
  }

  #answer(to: Source, answer: Answer): void {
    const { source: node } = this.#options
    this.#say(`${to} ?`, { node, to, applied: 0, changes: [], answer })
  }

  #say(key: string, said: Confirmation, isTallied = false): void {
    // What was joined to the words of others is asked for if it is lost: else each would send its own to all.
    const until = this.#options.clock.monotonic() + (isTallied ? 0 : AGAIN_MS)
    keepNewest(this.#own, key, { said, until }, MAX_TOLD)
    if (!isTallied) this.#untold.add(key)
    this.#gather()
  }

  /** Take a frame of a neighbour. @returns why it is refused, if it is */
  take(frame: object, from: DocumentStream): { readonly refused?: string } {
    if ('ask' in frame) return this.questions.take(frame, from)
    if ('tallied' in frame) return this.#takeTallies(frame, from)
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

  #takeTallies(frame: object, from: DocumentStream): { readonly refused?: string } {
    const tallies = this.tallies.read(frame)
    if (typeof tallies === 'string') return { refused: tallies }
    for (const tally of tallies) {
      const { to } = tally
      if (this.#isOwn(to)) void this.tallies.check(tally)
      else if (this.#ways.isKnown(to)) {
        if (this.#ways.close(to, from)) this.#sendAgain([to])
        this.tallies.passOn(tally)
        this.#gather()
      }
    }
    return {}
  }

  /** A node is known to have applied changes of a source of this one. */
  #believe(confirmation: Confirmation): void {
    if (!this.#isNews(confirmation)) return
    this.#remember(confirmation)
    this.#tell(confirmation)
  }

  /** What came together does not hold: ask each by itself, now and then. */
  #askAgain(about: Source): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#askedAt < ASK_AGAIN_MS) return
    this.#askedAt = now
    this.questions.ask(about)
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
    if (!this.#isOwn(to)) {
      // This node never knew a way to the source that it is for: not worth checking a signature.
      if (!this.#ways.isKnown(to)) return
      // Sought ones also come from a neighbour of which this node is the second way.
      if (!isSought(confirmation) && this.#ways.close(to, from)) this.#sendAgain([to])
    }
    const key = JSON.stringify(signed)
    const isOwnWord = confirmation.node === this.#options.source
    if (isOwnWord || !this.#isNews(confirmation) || this.#checking.has(key)) return
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
    if (this.#isOwn(confirmation.to)) return this.#believe(confirmation)
    this.#remember(confirmation)
    this.#passOn(confirmation, signed, from)
  }

  /** Whether a source is one that this node has accepted changes in, in this run or an earlier one. */
  #isOwn(source: Source): boolean {
    const { source: run, isOwn } = this.#options
    return isOwn?.(source) ?? source === run
  }

  #isNews(confirmation: Confirmation): boolean {
    return rankOf(confirmation) > (this.#known.get(keyOf(confirmation)) ?? 0)
  }

  #remember(confirmation: Confirmation): void {
    keepNewest(this.#known, keyOf(confirmation), rankOf(confirmation), MAX_KNOWN)
  }

  #tell(confirmation: Confirmation): void {
    for (const listener of this.#listeners) listener(confirmation)
  }

  #passOn(confirmation: Confirmation, signed: SignedConfirmation, from: DocumentStream): void {
    const key = keyOf(confirmation)
    const until = this.#options.clock.monotonic() + AGAIN_MS
    const passing = { to: confirmation.to, signed, isSought: isSought(confirmation), from, until }
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(key, passing)
    keepNewest(this.#kept, key, passing, MAX_KEPT)
    this.#gather()
  }

  /** Send what was sent lately on the ways to some sources once more: these ways are gone. */
  #sendAgain(sources: readonly Source[]): void {
    if (sources.length === 0) return
    for (const [key, passing] of this.#sentLately(sources)) {
      if (passing === undefined) this.#untold.add(key)
      else this.#waiting.set(key, passing)
    }
    if (this.#waiting.size > 0 || this.#untold.size > 0) this.#gather()
  }

  /** What was sent lately to some sources, of other nodes, and the keys of what this node itself told them. */
  #sentLately(sources: readonly Source[]): (readonly [key: string, passing?: Passing])[] {
    const to = new Set(sources)
    const now = this.#options.clock.monotonic()
    const kept = [...this.#kept].filter(([, { to: one, until }]) => to.has(one) && until > now)
    const own = [...this.#own].filter(([, { said, until }]) => to.has(said.to) && until > now)
    return [...kept, ...own.map(([key]) => [key] as const)]
  }

  #gather(): void {
    this.#gathering ??= this.#options.clock.after(GATHER_MS, () => {
      this.#flush()
      this.#gathering = undefined
    })
  }

  #flush(): void {
    const forAll = new Set([...this.#waiting.keys(), ...this.#untold])
    const leaving = [...this.#waiting.values(), ...this.#signed(this.#untold)]
    const newcomers = [...this.#newcomers]
    const missed = newcomers.length === 0 ? [] : this.#sentLately(this.#ways.lost())
    const again = missed.filter(([key]) => !forAll.has(key))
    this.#untold.clear()
    this.#waiting.clear()
    this.#newcomers.clear()
    this.tallies.flush(to => this.#ways.first(to))
    for (const [neighbour, confirmed] of this.#byNeighbour(leaving)) send(neighbour, confirmed)
    if (again.length === 0) return
    const kept = again.flatMap(([, passing]) => passing ?? [])
    const own = this.#signed(again.flatMap(([key, passing]) => (passing === undefined ? key : [])))
    const confirmed = [...kept, ...own].map(({ signed }) => signed)
    for (const newcomer of newcomers) send(newcomer, confirmed)
  }

  #signed(keys: Iterable<string>): Passing[] {
    const { self } = this.#options
    return Array.from(keys).flatMap(key => {
      // Of very many sources at once, as in a first exchange, only the latest are told.
      const own = this.#own.get(key)
      if (own === undefined) return []
      const { said, until } = own
      return { to: said.to, signed: signConfirmation(said, self), isSought: isSought(said), until }
    })
  }

  /** By the way to each source, or ways; by all neighbours where that is gone. */
  #byNeighbour(leaving: readonly Passing[]): Map<DocumentStream, SignedConfirmation[]> {
    const byNeighbour = new Map<DocumentStream, SignedConfirmation[]>()
    for (const { to, signed, isSought: byMore, from } of leaving) {
      const ways = this.#ways.firstOf(to, byMore ? WAYS_OF_SOUGHT : 1)
      for (const neighbour of ways.length === 0 ? this.#neighbours : ways) {
        if (neighbour === from) continue
        const confirmed = byNeighbour.get(neighbour) ?? []
        confirmed.push(signed)
        byNeighbour.set(neighbour, confirmed)
      }
    }
    return byNeighbour
  }
}

function send(neighbour: DocumentStream, confirmed: readonly SignedConfirmation[]): void {
  for (let at = 0; at < confirmed.length; at += MAX_FRAME) {
    neighbour.send({ confirmed: confirmed.slice(at, at + MAX_FRAME) })
  }
}

/** Whether a frame is for the relay. */
export function isOfConfirmations(frame: object): boolean {
  return 'confirmed' in frame || 'ask' in frame || 'tallied' in frame
}
