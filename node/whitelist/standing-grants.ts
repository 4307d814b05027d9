import type { ChangeId, Grant } from './change.ts'
import { VersionedMap } from './versioned-map.ts'

/** A grant that stands, under the name by which others have seen it. */
export interface StandingGrant {
  readonly id: ChangeId
  readonly change: Grant
}

/** The grants of a subject that stand. It never changes: what it becomes is another one. */
export interface StandingGrants extends Iterable<StandingGrant> {
  readonly length: number
  some(isMeant: (grant: StandingGrant) => boolean): boolean
  filter(isMeant: (grant: StandingGrant) => boolean): StandingGrant[]
  map<T>(change: (grant: StandingGrant) => T): T[]
}

/** Up to here a copy is small, and cheaper than what it would share. */
const MAX_COPIED = 32

/**
 * What the grants that stand become with another one, in the place of those that it names.
 * Grants that were made at once stand beside each other, and a stolen key makes thousands of them: it
 * costs what changes, and no copy of all.
 */
export function standingWith(grants: StandingGrants, added: StandingGrant): StandingGrants {
  const { seen } = added.change
  if (grants.length > MAX_COPIED) {
    return (grants instanceof SharedGrants ? grants : SharedGrants.of(grants)).with(added)
  }
  return [...grants.filter(({ id }) => !seen.includes(id)), added]
}

/** Whether a grant stands. */
export function standsIn(grants: StandingGrants, id: ChangeId): boolean {
  return grants instanceof SharedGrants ? grants.has(id) : grants.some(grant => grant.id === id)
}

class SharedGrants implements StandingGrants {
  readonly #grants: VersionedMap<ChangeId, StandingGrant>

  constructor(grants: VersionedMap<ChangeId, StandingGrant>) {
    this.#grants = grants
  }

  static of(grants: StandingGrants): SharedGrants {
    return new SharedGrants(VersionedMap.of(grants.map(grant => [grant.id, grant] as const)))
  }

  get length(): number {
    return this.#grants.size
  }

  [Symbol.iterator](): IteratorObject<StandingGrant, undefined> {
    return this.#grants.entries().map(([, grant]) => grant)
  }

  has(id: ChangeId): boolean {
    return this.#grants.has(id)
  }

  some(isMeant: (grant: StandingGrant) => boolean): boolean {
    return this[Symbol.iterator]().some(isMeant)
  }

  filter(isMeant: (grant: StandingGrant) => boolean): StandingGrant[] {
    return Array.from(this).filter(isMeant)
  }

  map<T>(change: (grant: StandingGrant) => T): T[] {
    return Array.from(this, change)
  }

  with(added: StandingGrant): SharedGrants {
    return new SharedGrants(this.#grants.replace(added.id, added, added.change.seen))
  }
}
