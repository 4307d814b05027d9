import type { Identity } from '../identity/identity.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Update } from './document.ts'
import type { Member, Profile, State, Vitals } from './member.ts'
import {
  partAt,
  placeOfPart,
  type Part,
  type PartValue,
  type periodOf,
  type Words,
} from './member-part.ts'

/** More runs than this are not kept where some are dead: these go first. */
const MAX_MEMBERS = 16_384

/** Where all that are kept live, the dead are looked for again when there are so many runs more. */
const LOOK_AGAIN_AFTER = 1_024

/** Runs of one node that are kept: the latest is of use, and a node may say to have been started often. */
const MAX_RUNS = 8

/**
 * How long after its last words a run that is dead is forgotten, in milliseconds; by who saw it
 * alive after them, so long after that.
 */
const GHOST_MS = 24 * 3_600_000

type Period = ReturnType<typeof periodOf>
type Profiled = Profile & Period

interface Run {
  readonly source: Source
  readonly updates: Partial<Record<Part, Update>>
  /** When it was heard, or seen alive, last: by the wall clock. */
  noticedAt: number
  profile?: Profiled
  state?: State
  vitals?: Vitals
  /** What is known of it together; undefined until its profile has come. */
  member?: Member | undefined
}

export interface RunsOptions {
  /** This run of this node, which is never forgotten. */
  readonly self: Source
  readonly isLive: (run: Source) => boolean
  /** The nodes that are waited for, whether or not any of their words is known. */
  readonly awaited: () => Iterable<Name>
  /** A run is not kept any more. */
  readonly onForgotten: (run: Source, places: readonly Source[]) => void
}

/**
 * What is known of each run of each node, put together from its parts. Which runs are not kept any
 * more follows from what they said themselves, so that all nodes forget the same, and one that
 * starts anew is told nothing that the others have forgotten.
 */
export class Runs {
  readonly #options: RunsOptions
  readonly #runs = new Map<Source, Run>()
  readonly #byName = new Map<Name, readonly Source[]>()
  /** With more runs than this the dead are looked for: to go through all of them for each word costs more than the word. */
  #mostRuns = MAX_MEMBERS

  constructor(options: RunsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#runs.size
  }

  get(source: Source): Member | undefined {
    return this.#runs.get(source)?.member
  }

  members(): Iterable<Member> {
    return this.#runs
      .values()
      .map(({ member }) => member)
      .filter(member => member !== undefined)
  }

  /** The parts of a run as they were sent. */
  updatesOf(source: Source): ReadonlyMap<Part, Update> {
    const updates = Object.entries(this.#runs.get(source)?.updates ?? {})
    return new Map(updates as [Part, Update][])
  }

  /** Every part of every run as it was sent. */
  *updates(): Iterable<Update> {
    for (const { updates } of this.#runs.values()) yield* Object.values(updates)
  }

  /** What a node says that is signed with one of its certificates. */
  *signedWith({ role, name, fingerprint }: Identity): Generator<Update> {
    if (role !== 'node') return
    for (const run of this.of(name)) {
      for (const update of this.updatesOf(run).values()) {
        if ((update[0] as PartValue).certificate === fingerprint) yield update
      }
    }
  }

  /** The parts at these places, of those that are known, as they were sent. */
  *updatesAt(places: Iterable<Source>): Iterable<Update> {
    for (const place of places) {
      const { run, part } = partAt(place)
      const update = this.#runs.get(run)?.updates[part]
      if (update !== undefined) yield update
    }
  }

  /**
   * Keep a newer part of a run.
   * @param period that of the certificate which the part is signed with
   * @param now by the wall clock
   * @returns the member, once its profile is known
   */
  keep(
    source: Source,
    words: Words,
    update: Update,
    { period, now }: { readonly period: Period; readonly now: number },
  ): Member | undefined {
    if (!this.#runs.has(source)) this.#forgetRunsOf(nodeOf(source))
    const known = this.#runs.get(source)
    const run: Run = known ?? { source, updates: {}, noticedAt: 0 }
    this.#runs.set(source, run)
    const name = nodeOf(source)
    if (known === undefined) this.#byName.set(name, [...this.of(name), source])
    run.updates[words.part] = update
    // Of whoever lives it is noticed later. A clock that is ahead keeps no dead node for longer.
    run.noticedAt = Math.max(run.noticedAt, Math.min(saidAtOf(words), now))
    if (words.part === 'profile') run.profile = { ...words.profile, ...period }
    else if (words.part === 'state') run.state = words.state
    else run.vitals = words.vitals
    run.member = memberOf(run)
    if (this.#runs.size > this.#mostRuns) this.#forgetDead()
    return run.member
  }

  /** The runs of a node. */
  of(name: Name): readonly Source[] {
    return this.#byName.get(name) ?? []
  }

  /**
   * Forget the dead that nobody can have heard for long. Of a node that is waited for the latest run
   * is kept: without its words one that has left in order would be out of reach. @param now by the wall clock
   */
  forgetGhosts(now: number): void {
    const awaited = new Set(Array.from(this.#options.awaited(), name => this.#latestOf(name)))
    for (const run of this.#runs.values()) {
      // Also of the dead: who was seen alive by a clock that was ahead would stay until that moment.
      if (!this.#isDead(run.source) || run.noticedAt > now) run.noticedAt = now
      else if (now - run.noticedAt > GHOST_MS && !awaited.has(run.source)) this.#forget(run.source)
    }
  }

  #latestOf(name: Name): Source | undefined {
    return this.of(name).reduce<Source | undefined>(
      (latest, source) =>
        latest === undefined || this.#startOf(source) > this.#startOf(latest) ? source : latest,
      undefined,
    )
  }

  #startOf(source: Source): number {
    return this.#runs.get(source)?.profile?.startedAt ?? 0
  }

  #isDead(source: Source): boolean {
    return source !== this.#options.self && !this.#options.isLive(source)
  }

  /** Make room for one more run of a node: of the dead ones, or else of all, the oldest goes. */
  #forgetRunsOf(name: Name): void {
    const runs = this.of(name)
    if (runs.length < MAX_RUNS) return
    const [oldest] = runs
      .filter(source => source !== this.#options.self)
      .sort(
        (a, b) =>
          Number(!this.#isDead(a)) - Number(!this.#isDead(b)) ||
          this.#startOf(a) - this.#startOf(b),
      )
    if (oldest !== undefined) this.#forget(oldest)
  }

  #forgetDead(): void {
    for (const source of this.#runs.keys()) {
      if (this.#runs.size <= MAX_MEMBERS / 2) break
      if (this.#isDead(source)) this.#forget(source)
    }
    this.#mostRuns = Math.max(MAX_MEMBERS, this.#runs.size + LOOK_AGAIN_AFTER)
  }

  #forget(source: Source): void {
    const parts = this.updatesOf(source).keys()
    this.#runs.delete(source)
    const name = nodeOf(source)
    const runs = this.of(name).filter(run => run !== source)
    if (runs.length > 0) this.#byName.set(name, runs)
    else this.#byName.delete(name)
    this.#options.onForgotten(
      source,
      Array.from(parts, part => placeOfPart(source, part)),
    )
  }
}

/** When words were said, as far as they tell. */
function saidAtOf(words: Words): number {
  switch (words.part) {
    case 'profile':
      return words.profile.startedAt
    case 'state':
      return words.state.saidAt
    case 'vitals':
      return 0
  }
}

function memberOf({ source, profile, state, vitals }: Run): Member | undefined {
  if (profile === undefined) return undefined
  return {
    name: nodeOf(source),
    source,
    links: [],
    saidAt: profile.startedAt,
    ...profile,
    ...state,
    ...(vitals !== undefined && { vitals }),
  }
}
