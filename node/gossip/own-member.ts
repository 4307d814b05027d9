import type { KeyObject } from 'node:crypto'
import type { Signer } from '../identity/signers.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { Update } from './document.ts'
import {
  MEMBER_LIMITS,
  profileWithinLimits,
  stateWithinLimits,
  type Member,
  type State,
  type Vitals,
} from './member.ts'
import { periodOf, placeOfPart, signPart, type Part, type Words } from './member-part.ts'
import { FULL_MESH } from './overlay-plan.ts'

/** What a node can say of itself while it runs. */
export interface Say extends Partial<Pick<State, 'links' | 'twins'>> {
  /** The newest values of its sensors and its alarms, told at a pace that follows the size of the cluster. */
  readonly vitals?: Vitals
  /** Whether people wait for these vitals, as when an alarm is raised: the next few are told at once. Default false. */
  readonly isUrgent?: boolean
  /** Whether the links that are missing were let go of in good order: both of their ends live, and nobody waits to hear of it. Default false. */
  readonly isInOrder?: boolean
}

export interface OwnMemberOptions {
  readonly self: Omit<Member, 'certificateRenewFrom' | 'certificateEndsAt' | 'saidAt'>
  /** This node's own certificate and private key. */
  readonly signer: Signer
  readonly key: KeyObject
  readonly clock: Clock
  readonly random: Random
  /** How long what others wait for is gathered into one update, in milliseconds. */
  readonly gatherMs: number
  /** How many runs are known. */
  readonly size: () => number
  /** A part is said anew. */
  readonly publish: (update: Update, words: Words, signer: Signer) => void
}

/**
 * The least time between two states in a large cluster, in milliseconds: where a link was lost, since
 * others find out by that who is dead; and where there are only more, or some were let go of in good
 * order, so much for each known run, up to the most. Whoever joins gets a dozen links one after the
 * other; later than that it may not say so, or others would link to it that need not.
 */
const LINKS_MS = { lost: 1_000, perRun: 20, most: 5_000 }

/**
 * How long what no node waits for is gathered in a large cluster, in milliseconds for each known
 * node: what all say of themselves then costs each the same, however many they are.
 */
const GATHER_MS_PER_NODE = 50

/**
 * What the vitals of all nodes may cost each, in bytes a second, were each told once: it comes two or
 * three times, and all that a node receives at rest is to stay below 2 kB a second.
 */
const VITALS_BYTES_PER_SECOND = 500

/** What an update costs beside its text: places, certificate, signature, and announcements of it. */
const UPDATE_BYTES = 600

/** The least time between two updates of vitals, in milliseconds. */
const VITALS_MS = 1_000

/** Urgent vitals that may be told one soon after the other, before their pace. */
const URGENT_BURST = 4

/** After how long a node says its state once more though it is the same, in milliseconds: a quarter of what makes it a ghost. */
const REFRESH_MS = 6 * 3_600_000

interface Waiting {
  readonly timer: Disposable
  readonly dueAt: number
}

/** What a node says of itself, part by part, and when: each at the pace that it is worth. */
export class OwnMember implements Disposable {
  readonly #options: OwnMemberOptions
  #signer: Signer
  #key: KeyObject
  #self: Member
  readonly #sequences = new Map<Part, number>()
  /** When each part was said last, on the monotonic clock. */
  readonly #saidAt = new Map<Part, number>()
  readonly #waiting = new Map<Part, Waiting>()
  #urgent = URGENT_BURST
  /** How long the newest vitals are, as JSON. */
  #vitalsBytes = 0
  /** How many links it has said that it has. */
  #linksSaid = 0

  constructor(options: OwnMemberOptions) {
    const { self, signer, key, clock } = options
    this.#options = options
    this.#signer = signer
    this.#key = key
    this.#self = { ...self, saidAt: clock.now(), ...periodOf(signer) }
  }

  get member(): Member {
    return this.#self
  }

  /** Say all that is known at the start. */
  begin(): void {
    this.#say('profile')
    this.#say('state')
    if (this.#self.vitals !== undefined) this.#say('vitals')
  }

  /** @param isInOrder whether the links that are missing were let go of, so that their other ends live */
  sayState(words: Partial<Pick<State, 'links' | 'twins'>>, isInOrder = false): void {
    const { links = this.#self.links } = words
    const isLost = !isInOrder && this.#self.links.some(link => !links.includes(link))
    this.#self = { ...this.#self, ...words }
    const isFirst = this.#linksSaid === 0 && links.length > 0
    if (words.links === undefined) this.#gather('state', this.#unhurriedMs())
    // Nobody takes a node for alive that has said that it has no link.
    else this.#gather('state', isFirst ? this.#options.gatherMs : this.#linksMs(isLost))
  }

  /** @throws RangeError when they are longer than peers take */
  sayVitals(vitals: Vitals, isUrgent: boolean): void {
    const bytes = Buffer.byteLength(JSON.stringify(vitals))
    if (bytes > MEMBER_LIMITS.maxVitals) {
      throw new RangeError(`vitals of ${bytes} bytes are more than ${MEMBER_LIMITS.maxVitals}`)
    }
    this.#self = { ...this.#self, vitals }
    this.#vitalsBytes = bytes
    this.#gather('vitals', this.#vitalsMs(isUrgent))
  }

  /** How long until vitals that nobody waits for are told at the earliest, in milliseconds. */
  get vitalsInMs(): number {
    return this.#sinceMs('vitals', this.#vitalsPaceMs(0))
  }

  advertise(addresses: readonly string[]): void {
    this.#self = { ...this.#self, addresses }
    this.#gather('profile', this.#options.gatherMs)
  }

  /** Sign with another key and certificate from now on: the old one is soon worth nothing. */
  renew(signer: Signer, key: KeyObject): void {
    this.#signer = signer
    this.#key = key
    this.#self = { ...this.#self, ...periodOf(signer) }
    for (const part of this.#sequences.keys()) this.#gather(part, this.#options.gatherMs)
  }

  /** Say that this node stops: the last that is heard of it. */
  leave(): void {
    if (this.#self.left === true) return
    this.#self = { ...this.#self, left: true }
    this.#say('state')
  }

  /** Say now and then that all is as it was: who is dead and has said nothing for long is forgotten. */
  refresh(): void {
    const { clock } = this.#options
    if (clock.monotonic() - (this.#saidAt.get('state') ?? 0) >= REFRESH_MS) {
      this.#gather('state', this.#unhurriedMs())
    }
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#waiting.values()) timer[Symbol.dispose]()
    this.#waiting.clear()
  }

  /** At random, because nodes that started together would say so together. */
  #unhurriedMs(): number {
    const { size, random, gatherMs } = this.#options
    const nodes = size()
    if (nodes <= FULL_MESH) return gatherMs
    return nodes * GATHER_MS_PER_NODE * (0.5 + random())
  }

  /** The first word at once; whoever joins has more of them soon after. */
  #linksMs(isLost: boolean): number {
    const { size, gatherMs } = this.#options
    const runs = size()
    if (runs <= FULL_MESH) return gatherMs
    const { lost, perRun, most } = LINKS_MS
    const paceMs = isLost ? lost : Math.min(Math.max(runs * perRun, lost), most)
    return Math.max(gatherMs, this.#sinceMs('state', paceMs))
  }

  #vitalsMs(isUrgent: boolean): number {
    const { gatherMs, random } = this.#options
    const waitMs = this.#sinceMs('vitals', this.#vitalsPaceMs(random()))
    if (waitMs === 0) this.#urgent = URGENT_BURST
    else if (isUrgent && this.#urgent > 0) {
      this.#urgent -= 1
      return gatherMs
    }
    return Math.max(gatherMs, waitMs)
  }

  /** The time between two updates of vitals, in milliseconds. @param chance in [0, 1): nodes that started together tell theirs apart */
  #vitalsPaceMs(chance: number): number {
    const eachMs = ((this.#vitalsBytes + UPDATE_BYTES) / VITALS_BYTES_PER_SECOND) * 1_000
    return Math.max(VITALS_MS, this.#options.size() * eachMs * (0.75 + chance / 2))
  }

  /** How long until a part was said `ms` ago. */
  #sinceMs(part: Part, ms: number): number {
    const saidAt = this.#saidAt.get(part)
    if (saidAt === undefined) return 0
    return Math.max(0, saidAt + ms - this.#options.clock.monotonic())
  }

  /** Say a part in `ms`, or earlier if that is due already. */
  #gather(part: Part, ms: number): void {
    const { clock } = this.#options
    const dueAt = clock.monotonic() + ms
    const waiting = this.#waiting.get(part)
    if (waiting !== undefined && waiting.dueAt <= dueAt) return
    waiting?.timer[Symbol.dispose]()
    const timer = clock.after(ms, () => {
      this.#waiting.delete(part)
      this.#say(part)
    })
    this.#waiting.set(part, { timer, dueAt })
  }

  #say(part: Part): void {
    const { clock, publish } = this.#options
    this.#saidAt.set(part, clock.monotonic())
    if (part === 'state') {
      this.#self = { ...this.#self, saidAt: clock.now() }
      this.#linksSaid = this.#self.links.length
    }
    const sequence = (this.#sequences.get(part) ?? 0) + 1
    this.#sequences.set(part, sequence)
    const place = placeOfPart(this.#self.source, part)
    const words = this.#wordsOf(part)
    const signer = this.#signer
    publish(signPart(place, sequence, words, { signer, key: this.#key }), words, signer)
  }

  #wordsOf(part: Part): Words {
    const { vitals = {} } = this.#self
    if (part === 'vitals') return { part, vitals }
    if (part === 'profile') {
      return { part, profile: profileWithinLimits(this.#self) }
    }
    const { saidAt, links, left, twins } = this.#self
    const state = stateWithinLimits({
      saidAt,
      links,
      ...(left !== undefined && { left }),
      ...(twins !== undefined && { twins }),
    })
    return { part, state }
  }
}
