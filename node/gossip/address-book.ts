import type { Name } from '../identity/names.ts'

/** What is known of an address that may be dialed. */
export interface Known {
  /** The node that answered there last, or that says to be there. */
  owner: Name | undefined
  failures: number
  /** When it may be dialed again, on the monotonic clock. */
  notBefore: number
  dialing: boolean
  /** This node itself answered there. */
  isSelf: boolean
  /** It is dialed for ever. */
  isSeed: boolean
}

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

  learn(address: string): Known {
    const known = this.#known.get(address) ?? {
      owner: undefined,
      failures: 0,
      notBefore: 0,
      dialing: false,
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
    const alike = [...this.#known].filter(([, one]) => one.owner === known.owner && !one.isSeed)
    const [oldest] = alike
    if (alike.length > MAX_CLAIMED && oldest !== undefined) this.#known.delete(oldest[0])
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
    this.learn(address).failures = 0
    const name = this.#nameOf(address)
    if (name !== undefined) this.learn(name).failures = 0
  }

  /**
   * An address could not be reached.
   * @returns what a person should be told that nobody is reached at, said once: the address, or the
   *   name when none of the addresses behind it answers
   */
  failed(address: string): string | undefined {
    const known = this.learn(address)
    const isFirst = known.failures === 0
    known.failures += 1
    const name = this.#nameOf(address)
    if (name === undefined) return isFirst ? address : undefined
    const named = this.learn(name)
    const others = [...(this.#behind.get(name) ?? [])]
    if (named.failures > 0 || others.some(other => this.learn(other).failures === 0)) {
      return undefined
    }
    named.failures = 1
    return name
  }

  /** The name that stands for an address, among others. */
  #nameOf(address: string): string | undefined {
    for (const [name, addresses] of this.#behind) if (addresses.has(address)) return name
    return undefined
  }
}
