import type { Name } from '../identity/names.ts'
import type { Candidate } from './overlay-plan.ts'

/** What is known of an address that may be dialed. */
export interface Known {
  /** The node that answered there last, or that says to be there. */
  owner: Name | undefined
  /** How often it could not be reached, or a link to it has ended, since a peer there was in step. */
  failures: number
  /** What `failures` was when a peer there was last in step. */
  failuresBefore: number
  /** Whether a person was told since then that nobody is reached there. */
  isTold: boolean
  /** When it may be dialed again, on the monotonic clock. */
  notBefore: number
  /** Since when a dial is under way, on the monotonic clock. */
  dialingSince: number | undefined
  /** This node itself answered there. */
  isSelf: boolean
  /** It is dialed for ever. */
  isSeed: boolean
}

/** What of the addresses may be dialed now, and what is under way. */
export interface Outlook {
  readonly candidates: readonly Candidate[]
  /** When one more may be dialed, on the monotonic clock; Infinity when none waits. */
  readonly nextAt: number
  /** Dials under way that may be links soon. */
  readonly dialing: number
  /** Whether one to a node out of reach is among all that are under way. */
  readonly probing: boolean
}

export interface OutlookOptions {
  /** Nodes that have a link. */
  readonly linked: ReadonlySet<Name>
  /** Nodes that can be reached over the links of others. */
  readonly live: ReadonlySet<Name>
  /** Nodes that have more links than they want to accept. */
  readonly full: ReadonlySet<Name>
  /** Whether a node was removed from the list. */
  readonly isRemoved: (node: Name) => boolean
  readonly now: number
}

/** A dial that takes longer holds the place of no link any more, in milliseconds: it may take ten seconds. */
const SLOW_DIAL_MS = 1_000

/** Addresses that are remembered of one node, or of several nodes that claim the same. */
const MAX_CLAIMED = 32

/**
 * The addresses that may be dialed, `HOST:PORT`. One name may stand for many of them, and for all
 * nodes, as in container networks; whoever asks may be told its own address first.
 */
export class AddressBook {
  readonly #known = new Map<string, Known>()
  /** The addresses behind each name that stands for several. */
  readonly #behind = new Map<string, ReadonlySet<string>>()

  entries(): Iterable<readonly [string, Known]> {
    return this.#known
  }

  /** What may be dialed: not linked, not being dialed, not backing off, with room for a link. */
  look({ linked, live, full, isRemoved, now }: OutlookOptions): Outlook {
    const candidates: Candidate[] = []
    let nextAt = Infinity
    let dialing = 0
    let probing = false
    for (const [address, { owner, notBefore, dialingSince, isSeed }] of this.#known) {
      const isLive = owner !== undefined && live.has(owner)
      if (dialingSince !== undefined) {
        if (now - dialingSince < SLOW_DIAL_MS) dialing += 1
        probing ||= !isLive
        continue
      }
      if (owner !== undefined && (linked.has(owner) || full.has(owner))) continue
      // At a seed another node may stand by now; any other address is that node's own word.
      if (owner !== undefined && !isSeed && isRemoved(owner)) continue
      if (notBefore > now) nextAt = Math.min(nextAt, notBefore)
      else candidates.push({ address, owner, live: isLive })
    }
    return { candidates, nextAt, dialing, probing }
  }

  learn(address: string): Known {
    const known = this.#known.get(address) ?? {
      owner: undefined,
      failures: 0,
      failuresBefore: 0,
      isTold: false,
      notBefore: 0,
      dialingSince: undefined,
      isSelf: false,
      isSeed: false,
    }
    this.#known.set(address, known)
    return known
  }

  /**
   * A node says that it is at an address. Whose a seed is, and whose an address that two claim, only
   * a dial shows: else a node could say to be there and keep others from being dialed.
   */
  claim(address: string, owner: Name): void {
    const isNew = !this.#known.has(address)
    const known = this.learn(address)
    if (known.owner === owner) return
    known.owner = isNew ? owner : undefined
    const oldest = this.#oldestBeyond(MAX_CLAIMED, known.owner)
    if (oldest !== undefined) this.#known.delete(oldest)
  }

  /** The oldest address of an owner that has more than so many; seeds are not counted. */
  #oldestBeyond(most: number, owner: Name | undefined): string | undefined {
    let count = 0
    let oldest: string | undefined
    // Without a copy: a newcomer comes here once for each node of a cluster.
    for (const [address, known] of this.#known) {
      if (known.owner !== owner || known.isSeed) continue
      count += 1
      oldest ??= address
    }
    return count > most ? oldest : undefined
  }

  /** Each node that some address is known of, `self` where it is this one; an address whose node is not known counts as one. */
  owners(self: Name): Set<string> {
    const owners = new Set<string>()
    for (const [address, { owner, isSelf }] of this.#known) {
      // How many nodes are behind a name, only dials show: until then it is one.
      if (isSelf) owners.add(self)
      else if (owner !== undefined) owners.add(owner)
      else if (!this.isName(address)) owners.add(this.#nameOf(address) ?? address)
    }
    return owners
  }

  /** Whether it stands for other addresses. */
  isName(address: string): boolean {
    return this.#behind.has(address)
  }

  /**
   * A name stands for several addresses: each is dialed by itself from now on, and the name is not
   * looked up again before a moment of the monotonic clock. What it stood for before is forgotten.
   */
  spread(name: string, addresses: readonly string[], notBefore: number): void {
    Object.assign(this.learn(name), { owner: undefined, notBefore })
    const before = this.#behind.get(name) ?? []
    this.#behind.set(name, new Set(addresses))
    for (const gone of before) if (this.#nameOf(gone) === undefined) this.#known.delete(gone)
    for (const address of addresses) this.learn(address).isSeed = true
  }

  /** An address has answered, and is a peer in step. */
  reached(address: string): void {
    for (const one of [address, this.#nameOf(address)]) {
      if (one === undefined) continue
      const known = this.learn(one)
      Object.assign(known, { failures: 0, failuresBefore: known.failures, isTold: false })
    }
  }

  /**
   * The link to an address has ended.
   * @param how.isLeaving the peer said that it stops: then it is no news that nobody is reached there
   * @param how.wasInVain it was cut soon after the peer was in step: that was no success
   */
  ended(
    address: string,
    { isLeaving, wasInVain }: { readonly isLeaving: boolean; readonly wasInVain: boolean },
  ): void {
    const known = this.learn(address)
    known.failures = (wasInVain ? known.failuresBefore : known.failures) + 1
    known.isTold ||= isLeaving
  }

  /**
   * An address could not be reached.
   * @returns what a person should be told that nobody is reached at, said once: the address, or the
   *   name when none of the addresses behind it answers
   */
  failed(address: string): string | undefined {
    const known = this.learn(address)
    known.failures += 1
    const name = this.#nameOf(address)
    const others = name === undefined ? [] : [...(this.#behind.get(name) ?? [])]
    const told = this.learn(name ?? address)
    if (told.isTold || others.some(other => this.learn(other).failures === 0)) return undefined
    told.isTold = true
    return name ?? address
  }

  /** The name that stands for an address, among others. */
  #nameOf(address: string): string | undefined {
    for (const [name, addresses] of this.#behind) if (addresses.has(address)) return name
    return undefined
  }
}
