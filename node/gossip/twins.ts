import type { Clock } from '../lib/clock.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import type { Log } from '../lib/log.ts'
import type { Name, Source } from '../identity/names.ts'
import type { Bye } from '../wire/control.ts'
import type { LinkTimes } from './link.ts'
import { MEMBER_LIMITS, type Member, type Twin } from './member.ts'

/** A run of a node, as the end of a connection. */
export interface Run {
  readonly source: Source
  /** Where it is, as far as its connection shows. */
  readonly from: string
}

/** A run that this node is linked to. */
export interface HeldRun extends Run {
  /** When it was last heard, on the monotonic clock. */
  readonly heardAt: number
}

/** What is known of two runs of one name. */
interface Meeting {
  /** When the second one first came, on the monotonic clock. */
  readonly firstAt: number
  lastAt: number
  isProven: boolean
  twin: Twin
}

/** Beats that a run may miss before another of its name takes its place: it died unseen. */
const MISSED_BEATS = 2

/** Names of which a meeting is remembered. */
const MAX_NAMES = 64

export interface TwinsOptions {
  readonly times: LinkTimes & { readonly redialMaxMs: number }
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
  /** Tells the cluster which nodes were found to run twice. */
  readonly onChange: (twins: readonly Twin[]) => void
}

/**
 * Whether a run that is linked lives, so that another one of its name is turned away. A run that was
 * started anew after the other died finds that one silent.
 */
export function isAlive({ heardAt }: HeldRun, now: number, { heartbeatMs }: LinkTimes): boolean {
  return now - heardAt <= MISSED_BEATS * heartbeatMs
}

/**
 * Finds nodes that run twice under one name: a cloned card or virtual machine, or a stolen key. Of
 * two that live the one that is linked stays; they would take each other's place for ever.
 */
export class Twins {
  readonly #options: TwinsOptions
  readonly #meetings = new Map<Name, Meeting>()

  constructor(options: TwinsOptions) {
    this.#options = options
  }

  /**
   * A second run of a name says hello.
   * @returns why it is turned away; undefined when it takes the place of the other
   */
  meet(name: Name, held: HeldRun, rival: Run): Bye | undefined {
    const { times, clock } = this.#options
    const now = clock.monotonic()
    const known = this.#meetings.get(name)
    if (!isAlive(held, now, times)) {
      if (known?.isProven === false) this.#meetings.delete(name)
      return undefined
    }
    const twin = { name, kept: held.from, refused: rival.from }
    const meeting = known ?? { firstAt: now, lastAt: now, isProven: false, twin }
    Object.assign(meeting, { lastAt: now, twin })
    keepNewest(this.#meetings, name, meeting, MAX_NAMES)
    // What the first one has said since then was not under way any more: both live.
    if (held.heardAt - meeting.firstAt > MISSED_BEATS * times.heartbeatMs) this.#prove(meeting)
    const text = `node/${name} runs already, at ${held.from}; this one is at ${rival.from}`
    return { reason: 'name in use', text }
  }

  /** Forget those that nobody has met for long: one of the two was stopped. */
  look(): void {
    const { times, clock } = this.#options
    const since = clock.monotonic() - 4 * (times.redialMaxMs + times.deadAfterMs)
    let isChanged = false
    for (const [name, { lastAt, isProven }] of this.#meetings) {
      if (lastAt >= since) continue
      this.#meetings.delete(name)
      isChanged ||= isProven
    }
    if (isChanged) this.#tell()
  }

  #prove(meeting: Meeting): void {
    if (meeting.isProven) return
    meeting.isProven = true
    this.#options.log.error(
      {
        ...meeting.twin,
        fix: 'stop one, and give it a name of its own: fridge certs issue node NAME',
      },
      'two nodes run under one name: one is kept, the other is turned away',
    )
    this.#tell()
  }

  #tell(): void {
    const proven = this.#meetings.values().filter(({ isProven }) => isProven)
    const twins = Array.from(proven, ({ twin }) => twin)
    this.#options.onChange(twins.slice(-MEMBER_LIMITS.maxTwins))
  }
}

/** The nodes that run twice, by what the living say: each name once. */
export function twinsAmong(live: Iterable<Pick<Member, 'twins'>>): Map<Name, Twin> {
  const twins = new Map<Name, Twin>()
  for (const member of live) {
    for (const twin of member.twins ?? []) if (!twins.has(twin.name)) twins.set(twin.name, twin)
  }
  return twins
}
