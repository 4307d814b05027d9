import { backoffMs } from '../lib/backoff.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Identity } from '../identity/identity.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import { subscribeTo } from '../lib/listeners.ts'
import type { Bye } from '../wire/control.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Heard } from './contact.ts'
import { InputLimit } from '../wire/input-limit.ts'
import { PEER_LIMITS } from '../wire/limits.ts'
import { AddressBook, type Known } from './address-book.ts'
import { Link, type LinkEnd } from './link.ts'
import { DialBudget, dialPatiently } from './dial-budget.ts'
import { MEMBER_LIMITS, type Member } from './member.ts'
import type { Dialed, OverlayOptions } from './overlay-options.ts'
import { OwnName } from './own-name.ts'
import { farewellTo, NO_REMOVALS, type Removals } from './removals.ts'
import { Twins } from './twins.ts'
import { Shedding } from './shedding.ts'
import { chooseDials, linksAccepted, linksWanted, firstPlanMs, newsPlanMs } from './overlay-plan.ts'

/** Nodes whose pace is remembered at once. */
const MAX_INPUTS = 4_096

/** How long the overlay is left alone when nothing happens, in milliseconds. */
const IDLE_PLAN_MS = 5_000

/**
 * An address at which this node meets itself is dialed again now and then: where one name stands
 * for all nodes, as in container networks, the next answer is another node.
 */
const SELDOM = { failures: 30 }

/** Why links are cut that nobody meant to end. */
const CUT: ReadonlySet<string> = new Set(['refused', 'lost', 'dead', 'too slow'])

/** Which nodes this one is linked to, and the work of keeping it so. */
export class Overlay implements AsyncDisposable {
  readonly #options: OverlayOptions
  /** Whether another machine runs under the name of this node. */
  readonly ownName: OwnName
  readonly #removals: Removals
  readonly #log: GatheredLog
  readonly #twins: Twins
  readonly #shedding: Shedding
  readonly #links = new Set<Link>()
  readonly #addresses = new AddressBook()
  readonly #inputs = new Map<Name, InputLimit>()
  readonly #budget: DialBudget
  readonly #stop = new AbortController()
  readonly #subscription: Disposable
  readonly #listeners = new Set<() => void>()
  #planAt = 0
  #timer: Disposable | undefined

  constructor(options: OverlayOptions) {
    this.#options = options
    this.#budget = new DialBudget(options.clock.monotonic())
    this.#removals = options.removals ?? NO_REMOVALS
    this.#log = new GatheredLog(options.log, options.clock)
    this.ownName = new OwnName(options)
    const { members } = options.documents
    this.#twins = new Twins({ ...options, onChange: twins => members.say({ twins }) })
    this.#shedding = new Shedding({ ...options, members })
    for (const seed of options.seeds) this.#learn(seed).isSeed = true
    for (const { name, address } of options.remembered ?? []) this.#addresses.claim(address, name)
    this.#subscription = options.documents.members.subscribe((member, before) => {
      if (member.name === options.self) return
      for (const address of member.addresses) this.#addresses.claim(address, member.name)
      const isMoved = before === undefined || before.links.length !== member.links.length
      const news = { links: this.#links.size, nodes: members.liveCount }
      if (isMoved) this.#planIn(Math.max(options.times.redialMinMs / 4, newsPlanMs(news)))
    })
    const waitMs = firstPlanMs(options)
    if (waitMs > 0) this.#planIn(waitMs)
    else this.#plan()
  }

  /** The links over which documents flow. */
  links(): Link[] {
    return [...this.#links].filter(link => link.source !== undefined)
  }

  /** Hear of each link that has been brought up to date. */
  subscribe(listener: () => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** How much was heard of each peer in step, by its link. */
  *heard(): Heard {
    for (const link of this.#links) if (link.synced) yield [link, link.bytesHeard]
  }

  /** End all links: what they hold is not to be trusted to be of now. The peers are dialed again. */
  cutAll(reason: string, text: string): void {
    for (const link of this.#links) link.close(reason, text)
  }

  /** Cut the links to nodes that are not admitted any more, and say why. @returns how many */
  review(other?: { readonly reason: string; readonly why: string }): number {
    const refused = [...this.#links].filter(({ peer }) => !this.#options.admits(peer))
    for (const link of refused) {
      const { reason, text, proof } = other
        ? { reason: other.reason, text: `${link.peer.subject} ${other.why}`, proof: undefined }
        : this.farewellTo(link.peer)
      link.close(reason, text, proof)
    }
    return refused.length
  }

  /** What a node is told that may not gossip, with what proves it. */
  farewellTo(peer: Identity): Bye {
    return farewellTo(peer, this.#options.self, this.#removals)
  }

  /**
   * Take a connection that another node made.
   * @returns whether that node may gossip; if not, the connection stays the caller's to end
   */
  accept(dialed: Dialed): boolean {
    if (!this.#options.admits(dialed.peer)) return false
    this.#start(dialed, undefined)
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#timer?.[Symbol.dispose]()
    this.#subscription[Symbol.dispose]()
    this.#options.documents.members.leave()
    const open = [...this.#links]
    for (const link of open) link.close('leaving', 'the node is stopping')
    this.#log[Symbol.dispose]()
  }

  #learn(address: string): Known {
    return this.#addresses.learn(address)
  }

  #planSoon(): void {
    this.#planIn(this.#options.times.redialMinMs / 4)
  }

  /** Plan after `ms`, or sooner if that is due already. */
  #planIn(ms: number): void {
    const { clock } = this.#options
    const dueAt = clock.monotonic() + ms
    if (this.#stop.signal.aborted || (this.#timer !== undefined && this.#planAt <= dueAt)) return
    this.#timer?.[Symbol.dispose]()
    this.#planAt = dueAt
    this.#timer = clock.after(ms, () => {
      this.#timer = undefined
      this.#plan()
    })
  }

  #plan(): void {
    const { self, clock, random, documents, times } = this.#options
    if (this.#removals.isOwn()) return
    const linked = new Set(Array.from(this.#links, link => link.peer.name))
    const members = documents.members.live()
    const live = new Set(Array.from(members.values(), member => member.name))
    // Who answers under this node's own name is no peer that others reach.
    live.delete(self)
    const now = clock.monotonic()
    this.#twins.look()
    documents.members.tidy()
    const nodes = new Set([...this.#addresses.owners(self), ...live, self]).size
    const accepted = linksAccepted(nodes)
    // Where nothing else is linked yet, a node that has links enough is asked all the same.
    const isFull = ({ links }: Member): boolean => linked.size > 0 && links.length >= accepted
    const full = new Set([...members.values()].filter(isFull).map(({ name }) => name))
    const outlook = this.#addresses.look({ linked, live, full, now, isRemoved: this.#removals.has })
    const missing = linksWanted(nodes) - linked.size - outlook.dialing
    let waitMs = Math.max(outlook.nextAt - now, times.redialMinMs)
    for (const { address } of chooseDials(outlook.candidates, missing, outlook.probing, random)) {
      if (this.#budget.take(now)) void this.#dial(address)
      else waitMs = Math.min(waitMs, this.#budget.waitMs(now))
    }
    for (const link of this.#shedding.choose(this.links(), nodes)) {
      link.close('busy', 'it has links enough')
    }
    this.#planIn(Math.min(waitMs, IDLE_PLAN_MS))
  }

  async #dial(address: string): Promise<void> {
    const known = this.#learn(address)
    known.dialingSince = this.#options.clock.monotonic()
    try {
      // Whose the address of a node is, that node says; a seed may be the name of many.
      const { resolve } = this.#options
      if (resolve !== undefined && (known.isSeed || known.owner === undefined)) {
        const addresses = await resolve(address)
        if (this.#stop.signal.aborted) return
        if (addresses.length > 1 || this.#addresses.isName(address)) {
          return this.#spread(address, addresses)
        }
      }
      const dialed = await dialPatiently(address, known.failures, {
        ...this.#options,
        stop: this.#stop.signal,
      })
      known.owner = dialed.peer.name
      if (!this.#options.admits(dialed.peer)) Object.assign(known, SELDOM)
      this.#start(dialed, address)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      const said = this.#addresses.failed(address)
      this.#backOff(address)
      if (said !== undefined) {
        const reason = errorMessage(error)
        this.#options.log.warn({ address: said, reason }, 'cannot reach a peer')
      }
    } finally {
      known.dialingSince = undefined
      this.#planSoon()
    }
  }

  #spread(name: string, addresses: readonly string[]): void {
    const { clock, times } = this.#options
    this.#addresses.spread(name, addresses, clock.monotonic() + times.redialMaxMs)
  }

  #backOff(address: string): void {
    const { clock, random, times } = this.#options
    const known = this.#learn(address)
    const { redialMinMs: firstMs, redialMaxMs: maxMs } = times
    const waitMs = backoffMs(known.failures, { firstMs, maxMs, leastMs: firstMs / 2 }, random)
    known.notBefore = clock.monotonic() + waitMs
  }

  #start({ socket, peer, own, from = '' }: Dialed, address: string | undefined): void {
    if (this.#stop.signal.aborted) return void socket.destroy()
    const { documents, times, clock } = this.#options
    let syncedAt: number | undefined
    const link = new Link({
      socket,
      peer,
      own,
      input: this.#inputOf(peer.name),
      dialed: address !== undefined,
      from: address ?? from,
      documents,
      times,
      clock,
      onHello: (link, source) => this.#welcome(link, source, address),
      onSynced: () => {
        syncedAt = clock.monotonic()
        // Not before: a peer that is refused each time anew is to be dialed less and less often.
        if (address !== undefined) this.#addresses.reached(address)
        this.ownName.accepted(peer.name)
        for (const listener of this.#listeners) listener()
      },
      onEnd: (link, end) => this.#ended(link, end, { address, syncedAt }),
    })
    this.#links.add(link)
  }

  /** A node that opens one connection after the other is read no faster by it. */
  #inputOf(peer: Name): InputLimit {
    const { clock } = this.#options
    const input =
      this.#inputs.get(peer) ?? new InputLimit(PEER_LIMITS.maxFramesPerSecond, clock.monotonic())
    keepNewest(this.#inputs, peer, input, MAX_INPUTS)
    return input
  }

  /** Decide on a link when the hello of its peer has come. @returns why it is not wanted */
  #welcome(link: Link, source: Source, address: string | undefined): Bye | undefined {
    const { self, documents } = this.#options
    const { name } = link.peer
    if (!this.#options.admits(link.peer)) return this.farewellTo(link.peer)
    if (source === documents.members.id) {
      if (address !== undefined) this.#meetSelf(this.#learn(address), address)
      return { reason: 'self', text: 'this is the same node' }
    }
    if (nodeOf(source) === self) {
      documents.whitelist.noteTwin()
      this.ownName.met(`another node is called ${self}, at ${link.from}`)
      if (address !== undefined) Object.assign(this.#learn(address), SELDOM)
      return { reason: 'name in use', text: `another node is called ${self}` }
    }
    const other = [...this.#links].find(
      one => one !== link && one.source !== undefined && one.peer.name === link.peer.name,
    )
    if (other !== undefined) {
      if (other.source !== undefined && other.source !== source) {
        const held = { source: other.source, from: other.from, heardAt: other.heardAt }
        const refusal = this.#twins.meet(name, held, { source, from: link.from })
        if (refusal !== undefined) return refusal
        other.close('replaced', 'the node has restarted')
      } else if (this.#isPreferred(link) && !this.#isPreferred(other)) {
        other.close('duplicate', 'the two nodes have another link')
      } else return { reason: 'duplicate', text: 'the two nodes have another link' }
    }
    if (this.links().length > MEMBER_LIMITS.maxLinks) {
      return {
        reason: 'busy',
        text: `it has ${MEMBER_LIMITS.maxLinks} links, and can name no more`,
      }
    }
    if (address !== undefined) this.#learn(address).isSelf = false
    // A peer to which another machine has this name lets in and turns away at each dial: `own-name.ts`
    // says that, once.
    const level = this.ownName.isRefusedBy(name) ? 'debug' : 'info'
    this.#log[level]({ peer: name, address, dialed: link.dialed }, 'linked')
    this.#changed()
    return undefined
  }

  #meetSelf(known: Known, address: string): void {
    if (!known.isSelf) this.#log.info({ address }, 'a peer that is named is this node itself')
    Object.assign(known, { isSelf: true, ...SELDOM })
  }

  /** Of two links between the same nodes, both ends keep the one that the lesser name dialed. */
  #isPreferred(link: Link): boolean {
    return link.dialed === this.#options.self < link.peer.name
  }

  #ended(
    link: Link,
    end: LinkEnd,
    {
      address,
      syncedAt,
    }: { readonly address: string | undefined; readonly syncedAt: number | undefined },
  ): void {
    if (!this.#links.delete(link) || this.#stop.signal.aborted) return
    if (link.source !== undefined || end.hostile) this.#options.onLinkEnded?.(end)
    const isKnown = end.reason === 'name in use' && this.ownName.isRefusedBy(link.peer.name)
    if (end.reason === 'name in use' && end.isSaid === true) {
      this.ownName.refused(link.peer.name, end.text)
    }
    if (end.proof !== undefined) this.#options.onProof?.(end.proof, link.peer.name)
    const fields = { peer: link.peer.name, reason: end.reason, detail: end.text }
    // That is said once; a peer of another name cannot hide behind the word.
    const isSelf = end.reason === 'self' && link.peer.name === this.#options.self
    if (end.hostile) this.#log.warn(fields, 'link cut: the peer broke the protocol')
    else if (link.source !== undefined && !isSelf) {
      this.#log[isKnown ? 'debug' : 'info'](fields, 'link ended')
    }
    if (address !== undefined) {
      this.#addresses.ended(address, {
        isLeaving: end.reason === 'leaving',
        wasInVain: syncedAt !== undefined && this.#isInVain(end, syncedAt),
      })
      this.#backOff(address)
    }
    this.#changed(end.reason === 'busy' || end.reason === 'duplicate')
  }

  /**
   * Whether a link to a peer in step was none in the end: a peer may cut each one for what it is sent
   * a moment later, and is not to be dialed for ever as if all were well. One that lasts longer was
   * worth its dial, however bad the line is.
   */
  #isInVain({ isSaid, reason }: LinkEnd, syncedAt: number): boolean {
    const { clock, times } = this.#options
    const isCut = isSaid !== true && CUT.has(reason)
    return isCut && clock.monotonic() - syncedAt < times.heartbeatMs
  }

  /** @param isInOrder whether a link was let go of by an end that lives */
  #changed(isInOrder = false): void {
    // The fastest first: by that each other node knows over which of them updates come (`first-tree.ts`).
    const links = this.links().toSorted((a, b) => a.roundTripMs - b.roundTripMs)
    const sources = links.map(link => link.source)
    this.#options.documents.members.say({
      links: sources.filter(source => source !== undefined),
      isInOrder,
    })
    this.#planSoon()
  }
}
