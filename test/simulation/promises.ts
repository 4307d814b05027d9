import type { EndedSource } from '../../node/gossip/own-past.ts'
import { nodeOf, roleOf, subjectOf, type Source, type Subject } from '../../node/identity/names.ts'
import { buildWhitelist } from '../../node/whitelist/build.ts'
import { idOf, type Change, type ChangeId, type Grant } from '../../node/whitelist/change.ts'
import type { Entry, Stray } from '../../node/whitelist/entry.ts'
import { differences, evaluateLog } from '../../node/whitelist/evaluate.ts'
import { OpenedLog } from '../../node/whitelist/opened-log.ts'
import { ALL_VOUCHED } from '../support/vouchers.ts'
import { placeText, stateText } from '../support/replica-model.ts'
import type { Refused, SimulatedLink } from './simulated-network.ts'
import type { NodeEvents, SimulatedNode } from './simulated-node.ts'

interface Removal {
  readonly author: Subject
  readonly text: string
  readonly at: number
}

/**
 * What a cluster promises, watched from outside: by what operators were told, by what came over the
 * links, and by the definition of the list.
 */
export class Promises implements NodeEvents {
  readonly #nodes: () => readonly SimulatedNode[]
  readonly #subjects: readonly Subject[]
  readonly #former: ReadonlySet<string>
  readonly #wrong = new Set<string>()
  /** Every change that was ever durable somewhere. */
  readonly #byId = new Map<ChangeId, Change>()
  /** The text at each place, and the nodes whose disks held it at some time. */
  readonly #places = new Map<string, string>()
  readonly #holders = new Map<string, Set<string>>()
  /** What a node accepted while it had a link, or had when it met a peer with nothing at its place. */
  readonly #told = new Set<string>()
  /** From where on sources have forked that others had heard twice. */
  readonly #forks = new Map<Source, number>()
  readonly #acknowledged = new Set<string>()
  /** What was only on a disk that went back to an earlier state, and what operators are to ask for again. */
  readonly #excused = new Set<string>()
  /** Sources in which two memories of one node number changes: a copy's, or one that is gone on from. */
  readonly #doubled = new Set<Source>()
  /** What each disk has held. */
  readonly #known = new Map<SimulatedNode, Set<string>>()
  readonly #heldAtStart = new WeakMap<SimulatedLink, ReadonlyMap<string, readonly Entry[]>>()
  /** Links of which an end could not write as they began. */
  readonly #doubtful = new WeakSet<SimulatedLink>()
  /** When a wish was committed first, and when an author was removed: the order of real time. */
  readonly #committedAt = new Map<string, number>()
  readonly #removals: Removal[] = []

  /** @param former the fingerprints of certificates of an authority that was withdrawn */
  constructor(
    nodes: () => readonly SimulatedNode[],
    subjects: readonly Subject[],
    former: ReadonlySet<string>,
  ) {
    this.#nodes = nodes
    this.#subjects = subjects
    this.#former = former
  }

  /** How many operators and nodes were removed, however often each. */
  get withdrawn(): number {
    return this.#removals.length
  }

  onWrong(what: string): void {
    this.#wrong.add(what)
  }

  onKept(node: SimulatedNode, { change, text, hash }: Entry): void {
    this.#byId.set(idOf({ change, hash }), change)
    this.#knownOf(node).add(text)
    const holders = this.#holders.get(text) ?? new Set()
    this.#holders.set(text, holders.add(node.name))
    const place = placeText(change)
    const there = this.#places.get(place) ?? text
    // Who does not know that its memory is old cannot know that it has given a place before.
    if (there !== text && !this.#doubled.has(change.source)) {
      this.onWrong(`${place} was used twice`)
    }
    this.#places.set(place, text)
    // Its peers are told at once, whatever comes from them just now.
    if (nodeOf(change.source) === node.name && node.links.length > 0) this.#told.add(text)
  }

  /** Only of what both was heard by others can a node be said to have signed two at one place. */
  onLiar(node: SimulatedNode, strays: readonly Stray[]): void {
    for (const { entry, against } of strays) {
      const { source, sequence } = entry.change
      const name = nodeOf(source)
      // A liar by what others have heard is no more of one by what nobody has.
      if (sequence > (this.#forks.get(source) ?? Infinity)) continue
      if ([entry, against ?? entry].every(one => this.#isHeard(one))) {
        this.#forks.set(source, Math.min(this.#forks.get(source) ?? Infinity, sequence))
      } else this.onWrong(`${node.label} was shown what only ${name} knew, and calls it a liar`)
    }
  }

  /** Whether anybody but its node has heard of an entry. */
  #isHeard({ text, change }: Entry): boolean {
    const holders = [...(this.#holders.get(text) ?? [])]
    return this.#told.has(text) || holders.some(holder => holder !== nodeOf(change.source))
  }

  onEnded(node: SimulatedNode, { lost }: EndedSource): void {
    for (const { text } of lost) {
      this.#excused.add(text)
      this.#knownOf(node).delete(text)
    }
  }

  /** Of honest nodes none ends a link for what the other has sent. */
  onRefused({ by, of, reason }: Refused): void {
    const [here, there] = [by, of].map(label => this.#nodes().find(node => node.label === label))
    // But where the two branches of a place that was given twice come to both ends while a link
    // begins: what the one relays has seen a change where the other holds another, and neither can
    // tell that from a lie. At the next link both know.
    const isRace = /seen others that were not sent/.test(reason) && here && there
    if (!isRace || !holdOtherwise(here, there)) this.onWrong(`${by} refused ${of}: ${reason}`)
    // What the link brought is of no effect.
    else this.#forget(here, () => true)
  }

  /** A link begins. */
  met(link: SimulatedLink, ends: readonly SimulatedNode[]): void {
    // What an end could not write, that its list is whole, it does not say either.
    if (ends.some(({ isWorking }) => !isWorking)) this.#doubtful.add(link)
    for (const node of ends) {
      const peer = ends.find(other => other !== node)
      const places = new Set(peer?.entries().map(({ change }) => placeText(change)))
      for (const { change, text } of node.entries()) {
        const isOwn = nodeOf(change.source) === node.name
        if (isOwn && !places.has(placeText(change))) this.#told.add(text)
      }
    }
    this.#heldAtStart.set(link, new Map(ends.map(node => [node.label, node.entries()])))
  }

  onExchanged(node: SimulatedNode, link: SimulatedLink): void {
    const [one, other] = link.names
    const peer = one === node.label ? other : one
    const held = node.texts()
    for (const entry of this.#heldAtStart.get(link)?.get(peer) ?? []) {
      // What a node accepted twice at one place may have to be given up.
      const isDoubled = this.#doubled.has(entry.change.source)
      if (held.has(entry.text) || isDoubled || this.#excused.has(entry.text)) continue
      this.onWrong(`${node.label} is in step with ${peer} and lacks ${placeText(entry.change)}`)
    }
    // What a restore has lost is known nowhere, or has come back.
    this.#known.set(node, held)
  }

  /** Clients are let in: by a list that was complete, and is not behind what this node knew. */
  onOpen(node: SimulatedNode): void {
    if (node.hasExchanged) return
    if (node.isHalf) this.onWrong(`${node.label} lets clients in by the beginning of a list`)
    const others = node.entries().filter(({ change }) => nodeOf(change.source) !== node.name)
    const held = node.texts()
    const missing = [...this.#knownOf(node)].filter(text => !held.has(text))
    if (others.length > 0 && missing.length > 0) {
      this.onWrong(`${node.label} lets clients in by an old list and knows of others`)
    }
  }

  onShut(node: SimulatedNode): void {
    if (node.wasInStep) this.onWrong(`${node.label} was in step, and lets nobody in by its list`)
  }

  /** A disk goes back to an earlier state: what nobody else holds may be lost. */
  lose(node: SimulatedNode): void {
    const elsewhere = this.#nodes()
      .filter(other => other !== node)
      .map(other => other.texts())
    for (const text of node.texts()) {
      if (!elsewhere.some(texts => texts.has(text))) this.#excused.add(text)
    }
  }

  /** A node does not know that its memory is old, or that another one has it too. */
  doubled(node: SimulatedNode, source: Source | undefined): void {
    if (source !== undefined) this.#doubled.add(source)
    this.#known.set(node, node.texts())
  }

  acknowledged({ change, text }: Entry): void {
    this.#acknowledged.add(text)
    if (!this.#committedAt.has(change.wish)) {
      this.#committedAt.set(change.wish, this.#acknowledged.size)
    }
    if (change.kind !== 'revocation' || roleOf(change.subject) === 'client') return
    this.#removals.push({ author: change.subject, text, at: this.#acknowledged.size })
  }

  /** A removal that has come to a node is obeyed there, whether or not it could be stored. */
  obeyed(node: SimulatedNode): void {
    const removed = Map.groupBy(node.removals, ([, { subject }]) => subject)
    const withdrawals = [...node.removals.values()].filter(({ upTo }) => upTo !== undefined)
    for (const subject of this.#subjects) {
      for (const { id, change } of node.replica.stateOf(subject).grants) {
        const seen = this.#ancestorsOf(id, change)
        const isLate = removed.get(subject)?.some(([removal]) => !seen.has(removal)) === true
        const isVoid = withdrawals.some(
          ({ subject: author, upTo }) =>
            authorsOf(change).includes(author) &&
            change.sequence > (upTo?.get(change.source)?.sequence ?? 0),
        )
        if (isLate || isVoid) {
          this.onWrong(`${node.label} lets ${subject} in against what it was sent`)
        }
      }
    }
    // What found nothing to take away, and could not be stored, need not be kept in mind: of names
    // that nothing lets in there is no end.
    this.#forget(node, id => {
      const removal = node.removals.get(id)
      if (removal === undefined || removal.upTo !== undefined) return false
      const { grants, revocations } = node.replica.stateOf(removal.subject)
      return grants.length === 0 && !revocations.has(id)
    })
  }

  /** A node has nothing left to do: its list is what the definition makes of its disk. */
  settled(node: SimulatedNode): void {
    node.rest(link => !this.#doubtful.has(link))
    for (const what of node.defined.settled()) this.onWrong(`${node.label} ${what}`)
    this.obeyed(node)
  }

  /** Expect no more of removals that came to a node and are not in its log. */
  #forget(node: SimulatedNode, isOver: (id: ChangeId) => boolean): void {
    const held = new Set(node.entries().map(idOf))
    for (const id of node.removals.keys()) {
      if (!held.has(id) && isOver(id)) node.removals.delete(id)
    }
  }

  /** The grants of a subject that stand at a node and have seen a removal. */
  standingBehind(node: SimulatedNode, removal: Change): Set<ChangeId> {
    const id = idOf({ change: removal, hash: '' })
    const behind = node.replica
      .stateOf(removal.subject)
      .grants.filter(grant => this.#ancestorsOf(grant.id, grant.change).has(id))
    return new Set(behind.map(grant => grant.id))
  }

  /** All nodes have heard each other. @returns the log of one of them */
  healed(): Entry[] {
    const [first] = this.#nodes()
    const held = first?.texts() ?? new Set<string>()
    for (const node of this.#nodes()) {
      if (node.texts().symmetricDifference(held).size > 0) {
        this.onWrong(`${node.label} does not hold the changes that ${first?.label} holds`)
      }
      if (!node.isOpen) this.onWrong(`${node.label} lets nobody in though all is well`)
      this.obeyed(node)
    }
    const lost = this.#acknowledged.difference(held).difference(this.#excused)
    for (const text of lost) this.onWrong(`it was acknowledged and is lost: ${text}`)
    const log = first?.disk.log ?? []
    const entries = first?.entries() ?? []
    const evaluated = evaluateLog(log, first?.signers ?? ALL_VOUCHED)
    for (const node of this.#nodes()) {
      for (const subject of differences(node.replica.whitelist, evaluated)) {
        this.onWrong(`${node.label} has another list of ${subject} than the definition`)
      }
      for (const subject of this.#subjects) {
        const states = [node, first ?? node].map(({ replica }) => replica.whitelist.state(subject))
        const [state, expected] = states.map(stateText)
        if (state !== expected) {
          this.onWrong(`${node.label} has another list of ${subject} than ${first?.label}`)
        }
        this.#checkRemoveWins(node, subject, entries)
      }
      this.#checkRemovedAuthors(node, held)
      this.#checkFormer(node)
    }
    return entries
  }

  /** @throws when one was not kept */
  assertKept(): void {
    if (this.#wrong.size > 0) throw new Error([...this.#wrong].join('\n'))
  }

  /** Said once more, without the model: no grant stands beside a removal that it has not seen. */
  #checkRemoveWins(node: SimulatedNode, subject: Subject, entries: readonly Entry[]): void {
    for (const { id, change: grant } of node.replica.stateOf(subject).grants) {
      const seen = this.#ancestorsOf(id, grant)
      for (const { change, hash } of entries) {
        if (change.kind !== 'revocation' || change.subject !== subject) continue
        if (seen.has(idOf({ change, hash }))) continue
        this.onWrong(`${node.label} has lost the removal ${placeText(change)}`)
      }
    }
  }

  /** What a removed author signed after its removal lets nobody in, whoever took it. */
  #checkRemovedAuthors(node: SimulatedNode, held: ReadonlySet<string>): void {
    for (const [subject, { grants }] of node.replica.whitelist.subjects()) {
      for (const { change } of grants) {
        const madeAt = this.#committedAt.get(change.wish) ?? Infinity
        for (const { author, text, at } of this.#removals) {
          if (!authorsOf(change).includes(author) || at > madeAt || !held.has(text)) continue
          this.onWrong(`${node.label} lets ${subject} in by what ${author} signed when it was out`)
        }
      }
    }
  }

  /** Behind a checkpoint that stands the former authority lets nobody in. */
  #checkFormer(node: SimulatedNode): void {
    const { whitelist } = node.replica
    const certificates = new Map(
      node.entries().map(({ hash, signatures }) => [hash, signatures.operatorCertificate]),
    )
    for (const [subject, { grants }] of whitelist.subjects()) {
      for (const { change, id } of grants) {
        const isCovered = whitelist.standingCheckpoints.every(
          ({ heads }) => (heads.get(change.source)?.sequence ?? 0) >= change.sequence,
        )
        if (isCovered || !this.#former.has(certificates.get(id) ?? '')) continue
        this.onWrong(`${node.label} lets ${subject} in by a former authority`)
      }
    }
  }

  #ancestorsOf(id: ChangeId, grant: Grant): Set<ChangeId> {
    const seen = new Set([id])
    const open = [...grant.seen]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      open.push(...(this.#byId.get(next)?.seen ?? []))
    }
    return seen
  }

  #knownOf(node: SimulatedNode): Set<string> {
    const known = this.#known.get(node) ?? new Set()
    this.#known.set(node, known)
    return known
  }
}

/** Whether two nodes hold different changes at one place. */
function holdOtherwise(one: SimulatedNode, other: SimulatedNode): boolean {
  const texts = new Map(one.entries().map(({ change, text }) => [placeText(change), text]))
  return other.entries().some(({ change, text }) => {
    const there = texts.get(placeText(change))
    return there !== undefined && there !== text
  })
}

function authorsOf({ operator, source }: Change): Subject[] {
  return [subjectOf('operator', operator), subjectOf('node', nodeOf(source))]
}

/** How many subjects have a grant that stands, how many grants are void, and what checkpoints stand. */
export function countsOf(
  { disk, signers }: Pick<SimulatedNode, 'disk' | 'signers'>,
  entries: readonly Entry[],
  subjects: readonly Subject[],
): { standing: number; voided: number; checkpoints: number } {
  const built = buildWhitelist(new OpenedLog(entries), signers)
  return {
    checkpoints: evaluateLog(disk.log, signers).checkpoints.size,
    standing: subjects.filter(subject => built.state(subject).grants.length > 0).length,
    voided: entries.filter(entry => built.isVoid(entry)).length,
  }
}
