import type { KeyObject } from 'node:crypto'
import type { Clock, Random } from '../lib/clock.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import { signText } from '../identity/signature.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import { absentNodes, type AbsentNodes } from './absent.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Update } from './document.ts'
import { Forgettings, isForgetting } from './forgettings.ts'
import { SignedDocument } from './signed-document.ts'
import { MEMBERS_SPREADING } from './spreading.ts'
import { FULL_MESH } from './overlay-plan.ts'
import type { Place } from '../whitelist/change.ts'
import { withinLimits, type Member } from './member.ts'
import { periodOf, readMember, signedText, type MemberValue } from './member-value.ts'
import { OwnWords } from './own-words.ts'

/** What a node can say of itself; the rest of its entry never changes while it runs. */
export type MemberState = Pick<Member, 'links' | 'clients' | 'twins'>

export interface MembersOptions {
  /** What this node says of itself at first; when its certificate ends follows from `signer`. */
  readonly self: Omit<Member, 'certificateRenewFrom' | 'certificateEndsAt'>
  readonly signers: Signers
  /** This node's own certificate and private key. */
  readonly signer: Signer
  readonly key: KeyObject
  readonly clock: Clock
  readonly random: Random
  /** How long changes of this node's entry are gathered into one update, in milliseconds. */
  readonly gatherMs?: number
  /** Whether a node was removed from the list: no node waits for it any more. Default none. */
  readonly isRemoved?: (name: Name) => boolean
  /** Nodes that are known, though perhaps none of their words is: from the log, or from disk. Default none. */
  readonly alsoKnown?: () => Iterable<Name>
  /** Nodes that operators have said will not come back. Default: none is, and no word of that is taken. */
  readonly forgettings?: Forgettings
}

/** More entries than this, of nodes dead or alive, are not kept: the dead go first. */
const MAX_MEMBERS = 4_096

/** The longest wait of a relay, in milliseconds: what it adds to a proof, not to a revocation. */
const RELAY_MS = 50

/** Runs of one node that are kept: the latest is of use, and a node may say to have been started often. */
const MAX_RUNS = 8

/**
 * How long what no node waits for (clients, applied changes) is gathered in a large cluster, in
 * milliseconds for each known node on average: what all say of themselves then costs each the same, however many they are.
 */
const GATHER_MS_PER_NODE = 50

interface Entry {
  readonly member: Member
  readonly update: Update
}

/**
 * The *members* document: for each run of a node, what it says of itself, newest wins. Held in
 * memory only. Nodes do not vote on which are alive: a node is alive if it can be reached over
 * links that both ends hold up.
 */
export class Members extends SignedDocument {
  readonly #members = new Map<Source, Entry>()
  #signer: Signer
  #key: KeyObject
  readonly #random: Random
  readonly #gatherMs: number
  readonly #isRemoved: (name: Name) => boolean
  readonly #alsoKnown: () => Iterable<Name>
  readonly #forgettings: Forgettings | undefined
  readonly #listeners = new Set<(member: Member, before: Member | undefined) => void>()
  readonly #ownWords: OwnWords
  #self: Member
  #gathering: { timer: Disposable; dueAt: number } | undefined

  #pending = 0
  #settled: Promise<void> = Promise.resolve()

  constructor(options: MembersOptions) {
    const { self, signers, signer, key, clock, random, gatherMs = 5 } = options
    super(self.source, clock, MEMBERS_SPREADING, signers)
    this.#isRemoved = options.isRemoved ?? (() => false)
    this.#alsoKnown = options.alsoKnown ?? (() => [])
    this.#forgettings = options.forgettings
    this.#signer = signer
    this.#key = key
    this.#random = random
    this.#gatherMs = gatherMs
    this.#ownWords = new OwnWords({ clock, take: (update, from) => this.#check(update, from) })
    this.#self = { ...self, ...periodOf(signer) }
    this.#announce()
  }

  /** This node's own entry. */
  get self(): Member {
    return this.#self
  }

  /** Hear of each new or changed entry, and what it was before; this node's own included. */
  subscribe(listener: (member: Member, before: Member | undefined) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Change what this node says of itself. Peers hear of links within `gatherMs`, of the rest later. */
  update(state: Partial<MemberState>): void {
    this.#self = { ...this.#self, ...state }
    this.#gather(state.links === undefined ? this.#unhurriedMs() : this.#gatherMs)
  }

  /** Say where this node can be reached, once it is known. */
  advertise(addresses: readonly string[]): void {
    this.#self = { ...this.#self, addresses }
    this.#gather()
  }

  /** Sign with another key and certificate from now on. */
  renew({ signer, key }: Pick<MembersOptions, 'signer' | 'key'>): void {
    this.#signer = signer
    this.#key = key
    this.#self = { ...this.#self, ...periodOf(signer) }
    this.#gather()
  }

  /** Note how far this node has come with some sources, and how many changes it holds by now. */
  noteApplied(places: Iterable<Place>, changes: number): void {
    const applied = new Map(Object.entries(this.#self.applied) as [Source, number][])
    for (const { source, sequence } of places) {
      applied.delete(source)
      applied.set(source, sequence)
    }
    this.#self = withinLimits({ ...this.#self, changes, applied: Object.fromEntries(applied) })
    this.#gather(this.#unhurriedMs())
  }

  /** Every entry, of the living and of the dead. */
  all(): Iterable<Member> {
    return this.#members.values().map(({ member }) => member)
  }

  get(source: Source): Member | undefined {
    return this.#members.get(source)?.member
  }

  override get backlog(): number {
    return this.#pending
  }

  override async settled(): Promise<void> {
    await this.#settled
  }

  /** The nodes that can be reached from here over links, this one included. */
  live(): Map<Source, Member> {
    const live = new Map<Source, Member>()
    const open = [this.id]
    for (let source = open.pop(); source !== undefined; source = open.pop()) {
      const member = this.get(source)
      if (member === undefined || live.has(source)) continue
      live.set(source, member)
      // A link counts when its other end holds it up too: a dead node's last words name its links.
      for (const other of member.links) {
        if (this.get(other)?.links.includes(source) === true) open.push(other)
      }
    }
    return live
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
  runsOf(name: Name): Source[] {
    const runs = this.#members.values().filter(({ member }) => member.name === name)
    return Array.from(runs, ({ member }) => member.source)
  }

  /** Whether any other node is known that was neither removed nor forgotten, in reach or not. */
  get knowsOthers(): boolean {
    if (
      this.live()
        .values()
        .some(({ name }) => name !== this.#self.name)
    )
      return true
    const { unreachable, left } = this.#absent()
    return unreachable.size + left.size > 0
  }

  /** Say that this node stops: the last that is heard of it. */
  leave(): void {
    if (this.#self.left === true) return
    this.#self = { ...this.#self, left: true }
    this.#announce()
  }

  /** Forget a node by the signed word of an operator, which has been checked. */
  forget(update: Update): void {
    const { taken = false, dropped } = this.#forgettings?.keep(update) ?? {}
    // A digest stays short, whatever operators say.
    if (dropped !== undefined) delete this.sources[dropped]
    if (taken) this.publish(update)
  }

  /** Take up what was forgotten in earlier runs. */
  async recall(): Promise<void> {
    for (const update of (await this.#forgettings?.recall()) ?? []) this.publish(update)
  }

  [Symbol.dispose](): void {
    this.#gathering?.timer[Symbol.dispose]()
    this.#ownWords[Symbol.dispose]()
  }

  protected override problemOf(update: Update): string | undefined {
    const [value, , source, ...rest] = update
    if (rest.length > 0) return 'a member has too many fields'
    if (isForgetting(update)) return Forgettings.problemOf(update)
    const member = readMember(value)
    if (typeof member === 'string') return member
    if (member.source !== source) return 'a member speaks for another'
    return undefined
  }

  protected override signersOf([value]: Update): readonly string[] {
    return [(value as MemberValue).certificate]
  }

  /** In a large cluster most relays cross each other: a short random wait saves most of them. */
  protected override relayDelayMs(update: Update): number {
    // The link ends behind its last words.
    if (this.isLastWord(update)) return 0
    return this.#members.size <= FULL_MESH ? 0 : this.#random() * RELAY_MS
  }

  protected override isLastWord([, , source]: Update): boolean {
    return source === this.id && this.#self.left === true
  }

  protected override isKnown([, sequence, source]: Update): boolean {
    return sequence <= (this.sources[source] ?? 0)
  }

  protected override take(update: Update, from: DocumentStream): void {
    const [, , source] = update
    if (source === this.id) {
      from.refuse('a member claims to be this node')
      return
    }
    this.#ownWords.hear(update, from)
  }

  protected override detached(from: DocumentStream): void {
    this.#ownWords.forget(from)
  }

  #check(update: Update, from: DocumentStream): void {
    const [, sequence, source] = update
    if (this.isKnown(update) || !this.startCheck(update)) return
    this.#pending += 1
    const taken = this.#open(update).then(opened => {
      this.#pending -= 1
      this.endCheck(update)
      if (typeof opened === 'string') return from.refuse(opened)
      if (opened === undefined) return this.forget(update)
      if (sequence <= (this.sources[source] ?? 0)) return
      this.#keep({ member: opened, update })
      this.publish(update)
    })
    this.#settled = Promise.all([this.#settled, taken]).then(() => {})
  }

  protected override updatesAfter(clock: ReadonlyMap<Source, number>, limit: number): Update[] {
    const updates: Update[] = []
    for (const { update } of this.#members.values()) {
      if (updates.length < limit && update[1] > (clock.get(update[2]) ?? 0)) updates.push(update)
    }
    for (const update of this.#forgettings?.updates() ?? []) {
      if (updates.length < limit && !clock.has(update[2])) updates.push(update)
    }
    return updates
  }

  /**
   * @returns the member if its node has signed it, undefined for a forgetting that its operator
   *   has signed, or why its link must end
   */
  async #open(update: Update): Promise<Member | string | undefined> {
    const [value, sequence, source] = update
    if (isForgetting(update)) {
      return this.#forgettings === undefined
        ? 'no forgetting is taken'
        : this.#forgettings.check(update)
    }
    const { member: text, certificate, signature } = value as MemberValue
    const signer = this.signers.get(certificate)
    if (signer === undefined) return 'the certificate of a node was not sent'
    const { role, name, subject } = signer.identity
    if (role !== 'node' || name !== nodeOf(source)) return `${subject} signs for ${source}`
    const holds = await this.signers.verify(signer, 'member', signedText(sequence, text), signature)
    return holds ? readMember(value) : `a member is not signed by ${subject}`
  }

  #absent(): AbsentNodes {
    return absentNodes({
      members: this.all(),
      live: new Set(Array.from(this.live().values(), ({ name }) => name)),
      alsoKnown: this.#alsoKnown(),
      isRemoved: this.#isRemoved,
      isForgotten: (name, runs) => this.#forgettings?.covers(name, runs) === true,
    })
  }

  /** At random, because all nodes apply a change at the same time. */
  #unhurriedMs(): number {
    if (this.#members.size <= FULL_MESH) return this.#gatherMs
    return this.#members.size * GATHER_MS_PER_NODE * (0.5 + this.#random())
  }

  /** Announce this node's entry in `ms`, or earlier if that is due already. */
  #gather(ms = this.#gatherMs): void {
    const dueAt = this.clock.monotonic() + ms
    if (this.#gathering !== undefined && this.#gathering.dueAt <= dueAt) return
    this.#gathering?.timer[Symbol.dispose]()
    const timer = this.clock.after(ms, () => {
      this.#gathering = undefined
      this.#announce()
    })
    this.#gathering = { timer, dueAt }
  }

  #announce(): void {
    const sequence = (this.sources[this.id] ?? 0) + 1
    this.#self = withinLimits(this.#self)
    const member = JSON.stringify(this.#self)
    const value: MemberValue = {
      member,
      certificate: this.#signer.identity.fingerprint,
      signature: signText(this.#key, 'member', signedText(sequence, member)),
    }
    const update: Update = [value, sequence, this.id]
    this.#keep({ member: this.#self, update })
    this.publish(update)
  }

  #keep(entry: Entry): void {
    const { member } = entry
    const before = this.get(member.source)
    if (before === undefined) this.#forgetRunsOf(member.name)
    this.#members.set(member.source, entry)
    if (this.#members.size > MAX_MEMBERS) this.#forgetDead()
    for (const listener of this.#listeners) listener(member, before)
  }

  /** Make room for one more run of a node: of the dead ones, or else of all, the oldest goes. */
  #forgetRunsOf(name: Name): void {
    const runs = [...this.#members.values()].filter(({ member }) => member.name === name)
    if (runs.length < MAX_RUNS) return
    const live = this.live()
    const [oldest] = runs
      .map(({ member }) => member)
      .filter(({ source }) => source !== this.id)
      .sort(
        (a, b) =>
          Number(live.has(a.source)) - Number(live.has(b.source)) || a.startedAt - b.startedAt,
      )
    if (oldest !== undefined) this.#forget(oldest.source)
  }

  #forget(source: Source): void {
    this.#members.delete(source)
    delete this.sources[source]
  }

  /** Forget the runs that a later run of the same node has replaced, and then the rest of the dead. */
  #forgetDead(): void {
    const live = this.live()
    for (const source of this.#members.keys()) {
      if (this.#members.size <= MAX_MEMBERS / 2) break
      if (live.has(source)) continue
      this.#forget(source)
    }
  }
}
