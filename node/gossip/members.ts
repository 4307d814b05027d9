import type { KeyObject } from 'node:crypto'
import type { Clock, Random } from '../lib/clock.ts'
import { subscribeTo } from '../lib/listeners.ts'
import { isRun, nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import { absentNodes, type AbsentNodes } from './absent.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Update } from './document.ts'
import type { LinkMap } from './first-tree.ts'
import { Forgettings, isForgetting } from './forgettings.ts'
import { Liveness } from './liveness.ts'
import { SignedDocument } from './signed-document.ts'
import { MEMBERS_SPREADING } from './spreading.ts'
import { FULL_MESH } from './overlay-plan.ts'
import type { Member } from './member.ts'
import {
  PARTS,
  partAt,
  periodOf,
  placeOfPart,
  readWords,
  signedText,
  type Part,
  type PartValue,
} from './member-part.ts'
import { OwnMember, type OwnMemberOptions, type Say } from './own-member.ts'
import { OwnWords } from './own-words.ts'
import type { PeerClock } from './peer-clock.ts'
import { Runs } from './runs.ts'
import { SharedNames, type Opened } from './shared-names.ts'

export interface MembersOptions {
  /** What this node says of itself at first; when its certificate ends follows from `signer`. */
  readonly self: OwnMemberOptions['self']
  readonly signers: Signers
  /** This node's own certificate and private key. */
  readonly signer: Signer
  readonly key: KeyObject
  readonly clock: Clock
  readonly random: Random
  /** How long changes of this node's entry are gathered into one update, in milliseconds. */
  readonly gatherMs?: number
  /** How long a node that cannot be reached any more still counts as alive, in milliseconds. Default 2,000. */
  readonly suspicionMs?: number
  /** Whether a node was removed from the list: no node waits for it any more. Default none. */
  readonly isRemoved?: (name: Name) => boolean
  /** Nodes that are known, though perhaps none of their words is: from the log, or from disk. Default none. */
  readonly alsoKnown?: () => Iterable<Name>
  /** Nodes that operators have said will not come back. Default: none is, and no word of that is taken. */
  readonly forgettings?: Forgettings
}

/** The longest wait of a relay, in milliseconds: what it adds to a proof, not to a revocation. */
const RELAY_MS = 50

const SUSPICION_MS = 2_000

/** How often who is long dead is looked for, in milliseconds. */
const TIDY_MS = 10 * 60_000

/**
 * The *members* document: for each run of a node, what it says of itself, part by part, newest wins.
 * Held in memory; `LastWords` keeps some of it on disk. Nodes do not vote on which are alive: a node is alive if it can be reached
 * over links that both ends hold up.
 */
export class Members extends SignedDocument {
  readonly #names = new SharedNames()
  readonly #runs: Runs
  readonly #own: OwnMember
  readonly #liveness: Liveness
  readonly #isRemoved: (name: Name) => boolean
  readonly #alsoKnown: () => Iterable<Name>
  readonly #forgettings: Forgettings | undefined
  readonly #listeners = new Set<(member: Member, before: Member | undefined) => void>()
  readonly #random: Random
  readonly #ownWords: OwnWords
  #tidiedAt: number
  #pending = 0
  #settled: Promise<void> = Promise.resolve()

  constructor(options: MembersOptions) {
    const { self, signers, signer, key, clock, random } = options
    const { gatherMs = 5, suspicionMs = SUSPICION_MS } = options
    super(self.source, clock, MEMBERS_SPREADING, signers)
    this.#isRemoved = options.isRemoved ?? (() => false)
    this.#alsoKnown = options.alsoKnown ?? (() => [])
    this.#forgettings = options.forgettings
    this.#random = random
    this.#tidiedAt = clock.monotonic()
    this.#ownWords = new OwnWords({ clock, take: (update, from) => this.#check(update, from) })
    this.#liveness = new Liveness({
      self: self.source,
      clock,
      suspicionMs,
      runsOf: name => this.#runs.of(name),
      onDead: () => this.#tell(this.self, this.self),
    })
    this.#runs = new Runs({
      self: self.source,
      isLive: run => this.#liveness.isLive(run),
      awaited: this.#alsoKnown,
      onForgotten: (run, places) => {
        this.#liveness.forget(run)
        for (const place of places) this.forgetSource(place)
      },
    })
    this.#own = new OwnMember({
      self,
      signer,
      key,
      clock,
      random,
      gatherMs,
      size: () => this.#runs.size,
      publish: (update, words, signer) => this.#keep(update, { words, signer }),
    })
    this.#own.begin()
  }

  /** This node's own entry. */
  get self(): Member {
    return this.#own.member
  }

  /** Hear of each new or changed entry, and what it was before; this node's own included. */
  subscribe(listener: (member: Member, before: Member | undefined) => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** Change what this node says of itself; peers hear of links soon. @throws RangeError when vitals are longer than they take */
  say({ vitals, isUrgent = false, isInOrder = false, ...state }: Say): void {
    if (vitals !== undefined) this.#own.sayVitals(vitals, isUrgent)
    if (Object.keys(state).length > 0) this.#own.sayState(state, isInOrder)
  }

  /** How long until vitals that nobody waits for are told at the earliest, in milliseconds. */
  get vitalsInMs(): number {
    return this.#own.vitalsInMs
  }

  /** Say where this node can be reached, once it is known. */
  advertise(addresses: readonly string[]): void {
    this.#own.advertise(addresses)
  }

  /** Sign with another key and certificate from now on. */
  renew({ signer, key }: Pick<MembersOptions, 'signer' | 'key'>): void {
    this.#own.renew(signer, key)
  }

  /** Every entry, of the living and of the dead. */
  list(): Iterable<Member> {
    return this.#runs.members()
  }

  get(source: Source): Member | undefined {
    return this.#runs.get(source)
  }

  override get backlog(): number {
    return this.#pending
  }

  override async settled(): Promise<void> {
    await this.#settled
  }

  /** Whether a run can be reached from here over links, or could a moment ago. */
  isLive(source: Source): boolean {
    return this.#liveness.isLive(source)
  }

  /** Which runs are linked, as far as they can be reached. */
  get linkMap(): LinkMap {
    return this.#liveness
  }

  /** How many nodes can be reached, this one included. */
  get liveCount(): number {
    return this.#liveness.count
  }

  /** The nodes that can be reached from here over links, this one included. */
  live(): Map<Source, Member> {
    const live = new Map<Source, Member>()
    for (const source of this.#liveness.live()) {
      const member = this.get(source)
      if (member !== undefined) live.set(source, member)
    }
    return live
  }

  /** To be called often: say now and then that this node is still there, and forget who is long dead. */
  tidy(): void {
    const now = this.clock.monotonic()
    if (now - this.#tidiedAt < TIDY_MS) return
    this.#tidiedAt = now
    this.#own.refresh()
    this.#runs.forgetGhosts(this.clock.now())
  }

  /**
   * Each node that is known, cannot be reached, and did not leave in order, with its latest entry;
   * undefined where this run has heard no word of it.
   */
  unreachable(): AbsentNodes['unreachable'] {
    return this.#absent().unreachable
  }

  /** Each node whose last word was that it stops. */
  left(): AbsentNodes['left'] {
    return this.#absent().left
  }

  /** The runs of a node that are known. */
  runsOf(name: Name): readonly Source[] {
    return this.#runs.of(name)
  }

  /** What a run has said, part by part, as it was sent. */
  updatesOf(run: Source): ReadonlyMap<Part, Update> {
    return this.#runs.updatesOf(run)
  }

  /** Whether any other node is known that was neither removed nor forgotten, in reach or not. */
  get knowsOthers(): boolean {
    const isOther = ({ name }: Member): boolean => name !== this.self.name
    if (this.live().values().some(isOther)) return true
    const { unreachable, left } = this.#absent()
    return unreachable.size + left.size > 0
  }

  /** Say that this node stops: the last that is heard of it. */
  leave(): void {
    this.#own.leave()
  }

  /** Forget a node by the signed word of an operator, which has been checked. */
  forget(update: Update): void {
    const { taken = false, dropped } = this.#forgettings?.keep(update) ?? {}
    // A digest stays short, whatever operators say.
    if (dropped !== undefined) this.forgetSource(dropped)
    if (taken) this.publish(update)
  }

  /** Take up who was forgotten in earlier runs, and what other nodes said last in them: each is checked anew. */
  async recall(lastWords: readonly Update[] = []): Promise<void> {
    for (const update of (await this.#forgettings?.recall()) ?? []) this.publish(update)
    for (const update of lastWords) {
      const isOwn = nodeOf(partAt(update[2]).run) === this.self.name
      if (isOwn || isForgetting(update) || this.problemOf(update) !== undefined) continue
      const opened = await this.#open(update)
      if (typeof opened === 'object' && !this.isKnown(update)) this.#keep(update, opened)
    }
  }

  [Symbol.dispose](): void {
    this.#own[Symbol.dispose]()
    this.#ownWords[Symbol.dispose]()
    this.#liveness[Symbol.dispose]()
  }

  protected override problemOf(update: Update): string | undefined {
    const [, , place, ...rest] = update
    if (rest.length > 0) return 'a member has too many fields'
    if (isForgetting(update)) return Forgettings.problemOf(update)
    if (!isRun(partAt(place).run)) return 'a member is no run'
    const words = readWords(update)
    return typeof words === 'string' ? words : undefined
  }

  protected override sourcesOf(run: Source): readonly Source[] {
    return PARTS.map(part => placeOfPart(run, part))
  }

  protected override signersOf([value]: Update): readonly string[] {
    return [(value as PartValue).certificate]
  }

  /** In a large cluster most relays cross each other: a short random wait saves most of them. */
  protected override relayDelayMs(update: Update): number {
    // The link ends behind its last words.
    if (this.isLastWord(update)) return 0
    return this.#runs.size <= FULL_MESH ? 0 : this.#random() * RELAY_MS
  }

  protected override isLastWord([, , place]: Update): boolean {
    return this.self.left === true && partAt(place).run === this.id
  }

  protected override isKnown([, sequence, source]: Update): boolean {
    return sequence <= (this.sources[source] ?? 0)
  }

  protected override take(update: Update, from: DocumentStream): void {
    if (partAt(update[2]).run === this.id) {
      from.refuse('a member claims to be this node')
      return
    }
    this.#ownWords.hear(update, from)
  }

  protected override attached({ certificates }: DocumentStream, clock: PeerClock): void {
    // Who holds what a node has said holds the certificate that it is signed with.
    certificates?.infer(({ identity }) =>
      this.#runs.signedWith(identity).some(([, sequence, place]) => clock.get(place) === sequence),
    )
  }

  protected override detached(from: DocumentStream): void {
    this.#ownWords.forget(from)
  }

  #check(update: Update, from: DocumentStream): void {
    if (this.isKnown(update) || !this.startCheck(update)) return
    this.#pending += 1
    const taken = this.#open(update).then(opened => {
      this.#pending -= 1
      this.endCheck(update)
      if (typeof opened === 'string') return from.refuse(opened)
      if (opened === undefined) return this.forget(update)
      if (this.isKnown(update)) return
      this.#keep(update, opened)
    })
    this.#settled = Promise.all([this.#settled, taken]).then(() => {})
  }

  protected override updatesAfter(
    clock: PeerClock,
    limit: number,
    only?: ReadonlySet<Source>,
  ): Update[] {
    const updates: Update[] = []
    // A peer asks for a few of many.
    for (const update of only === undefined ? this.#runs.updates() : this.#runs.updatesAt(only)) {
      if (updates.length < limit && update[1] > clock.get(update[2])) updates.push(update)
    }
    for (const update of this.#forgettings?.updates() ?? []) {
      if (only?.has(update[2]) === false) continue
      if (updates.length < limit && clock.get(update[2]) === 0) updates.push(update)
    }
    return updates
  }

  /**
   * @returns what its node has signed, undefined for a forgetting that its operator has signed, or
   *   why its link must end
   */
  async #open(update: Update): Promise<Opened | string | undefined> {
    const [value, sequence, place] = update
    if (isForgetting(update)) {
      return this.#forgettings === undefined
        ? 'no forgetting is taken'
        : this.#forgettings.check(update)
    }
    const { member: text, certificate, signature } = value as PartValue
    const signer = this.signers.get(certificate)
    if (signer === undefined) return 'the certificate of a node was not sent'
    const { role, name, subject } = signer.identity
    if (role !== 'node' || name !== nodeOf(place)) return `${subject} signs for ${place}`
    const signed = signedText(place, sequence, text)
    const holds = await this.signers.verify(signer, 'member', signed, signature)
    const words = holds ? readWords(update) : `a member is not signed by ${subject}`
    return typeof words === 'string' ? words : { words, signer }
  }

  #absent(): AbsentNodes {
    return absentNodes({
      members: this.list(),
      live: new Set(Array.from(this.#liveness.live(), nodeOf)),
      alsoKnown: this.#alsoKnown(),
      isRemoved: this.#isRemoved,
      isForgotten: (name, runs) => this.#forgettings?.covers(name, runs) === true,
    })
  }

  /** Keep a part of a run, and pass it on to every peer that lacks it. */
  #keep(said: Update, opened: Opened): void {
    const { update, words, signer } = this.#names.shareIn({ update: said, ...opened })
    const run = this.#names.of(partAt(update[2]).run)
    const before = this.get(run)
    const period = periodOf(signer)
    const now = this.clock.now()
    const member = this.#runs.keep(run, words, update, { period, now })
    if (words.part === 'state') {
      const { links, left = false } = words.state
      this.#liveness.hear(run, links, left)
    }
    this.publish(update)
    if (member !== undefined) this.#tell(member, before)
  }

  #tell(member: Member, before: Member | undefined): void {
    for (const listener of this.#listeners) listener(member, before)
  }
}
