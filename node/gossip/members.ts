import type { Clock } from '../clock.ts'
import type { Name, Source } from '../names.ts'
import { GossipDocument, type DocumentStream, type Update } from './document.ts'
import { MEMBER_LIMITS, parseMember, type Confirmation, type Member } from './member.ts'

/** What a node can say of itself; the rest of its entry never changes while it runs. */
export type MemberState = Pick<Member, 'links' | 'clients'>

export interface MembersOptions {
  /** What this node says of itself at first. */
  readonly self: Member
  readonly clock: Clock
  /** How long changes of this node's entry are gathered into one update, in milliseconds. */
  readonly gatherMs?: number
}

/** More entries than this, of nodes dead or alive, are not kept: the dead go first. */
const MAX_MEMBERS = 4_096

/** How long a confirmation stays in its node's entry, in milliseconds. */
const CONFIRMATION_AGE_MS = 30_000

/**
 * The *members* document: for each run of a node, what it says of itself, newest wins. Held in
 * memory only. Who is alive is not voted on: it is who can be reached over links that both
 * ends hold up.
 */
export class Members extends GossipDocument {
  readonly #members = new Map<Source, Member>()
  readonly #clock: Clock
  readonly #gatherMs: number
  readonly #listeners = new Set<(member: Member) => void>()
  #self: Member
  #confirmed: { confirmation: Confirmation; at: number }[] = []
  #gathering: Disposable | undefined

  constructor({ self, clock, gatherMs = 5 }: MembersOptions) {
    super(self.source)
    this.#clock = clock
    this.#gatherMs = gatherMs
    this.#self = self
    this.#announce()
  }

  /** This node's own entry. */
  get self(): Member {
    return this.#self
  }

  /** Hear of each new or changed entry, this node's own included. */
  subscribe(listener: (member: Member) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Change what this node says of itself. Peers hear of it within `gatherMs`. */
  update(state: Partial<MemberState>): void {
    this.#self = { ...this.#self, ...state }
    this.#gather()
  }

  /** Say where this node can be reached, once it is known. */
  advertise(addresses: readonly string[]): void {
    this.#self = { ...this.#self, addresses }
    this.#gather()
  }

  /** Tell all nodes that this one has applied changes, and how many it holds by now. */
  confirm(confirmations: readonly Confirmation[], changes: number): void {
    const at = this.#clock.monotonic()
    const recent = this.#confirmed.filter(one => at - one.at < CONFIRMATION_AGE_MS)
    const added = confirmations.map(confirmation => ({ confirmation, at }))
    this.#confirmed = [...recent, ...added].slice(-MEMBER_LIMITS.maxConfirmations)
    const latest = this.#confirmed.map(({ confirmation }) => confirmation)
    this.#self = { ...this.#self, confirmations: latest, changes }
    this.#gather()
  }

  /** Every entry, of the living and of the dead. */
  all(): Iterable<Member> {
    return this.#members.values()
  }

  get(source: Source): Member | undefined {
    return this.#members.get(source)
  }

  /** The nodes that can be reached from here over links, this one included. */
  live(): Map<Source, Member> {
    const live = new Map<Source, Member>()
    const open = [this.id]
    for (let source = open.pop(); source !== undefined; source = open.pop()) {
      const member = this.#members.get(source)
      if (member === undefined || live.has(source)) continue
      live.set(source, member)
      // A link counts when its other end holds it up too: a dead node's last words name its links.
      for (const other of member.links) {
        if (this.#members.get(other)?.links.includes(source) === true) open.push(other)
      }
    }
    return live
  }

  /** The latest entry of each node that is known but cannot be reached. */
  unreachable(): Map<Name, Member> {
    const live = this.live()
    const names = new Set(Array.from(live.values(), member => member.name))
    const silent = new Map<Name, Member>()
    for (const member of this.#members.values()) {
      if (names.has(member.name)) continue
      const known = silent.get(member.name)
      if (known === undefined || known.startedAt < member.startedAt) silent.set(member.name, member)
    }
    return silent
  }

  [Symbol.dispose](): void {
    this.#gathering?.[Symbol.dispose]()
  }

  protected override problemOf([value, , source, ...rest]: Update): string | undefined {
    if (rest.length > 0) return 'a member has too many fields'
    const member = parseMember(value)
    if (typeof member === 'string') return member
    if (member.source !== source) return 'a member speaks for another'
    return undefined
  }

  protected override take(update: Update, from: DocumentStream): void {
    const [value, sequence, source] = update
    if (source === this.id) {
      if (sequence > (this.sources[source] ?? 0)) from.refuse('a member claims to be this node')
      return
    }
    if (sequence <= (this.sources[source] ?? 0)) return
    this.#keep(value as Member)
    this.publish(update)
  }

  protected override updatesAfter(clock: ReadonlyMap<Source, number>, limit: number): Update[] {
    const updates: Update[] = []
    for (const member of this.#members.values()) {
      const sequence = this.sources[member.source] ?? 0
      if (updates.length < limit && sequence > (clock.get(member.source) ?? 0)) {
        updates.push([member, sequence, member.source])
      }
    }
    return updates
  }

  #gather(): void {
    this.#gathering ??= this.#clock.after(this.#gatherMs, () => {
      this.#gathering = undefined
      this.#announce()
    })
  }

  #announce(): void {
    this.#keep(this.#self)
    this.publish([this.#self, (this.sources[this.id] ?? 0) + 1, this.id])
  }

  #keep(member: Member): void {
    this.#members.set(member.source, member)
    if (this.#members.size > MAX_MEMBERS) this.#forgetDead()
    for (const listener of this.#listeners) listener(member)
  }

  /** Forget the runs that a later run of the same node has replaced, and then the rest of the dead. */
  #forgetDead(): void {
    const live = this.live()
    for (const source of this.#members.keys()) {
      if (this.#members.size <= MAX_MEMBERS / 2) break
      if (live.has(source)) continue
      this.#members.delete(source)
      delete this.sources[source]
    }
  }
}
