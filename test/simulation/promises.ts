import type { EndedSource } from '../../node/gossip/replica.ts'
import { nodeOf, roleOf, subjectOf, type Subject } from '../../node/identity/names.ts'
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
  /** What a node had accepted when it met a peer that held nothing at its place. */
  readonly #told = new Set<string>()
  readonly #acknowledged = new Set<string>()
  /** What was only on a disk that went back to an earlier state, and what operators are to ask for again. */
  readonly #excused = new Set<string>()
  /** Nodes that ran twice, or went on from an earlier state of their memory. */
  readonly #doubled = new Set<string>()
  /** Nodes of which a copy ran: what both accept at one place is a fork, and costs them their name. */
  readonly #copied = new Set<string>()
  /** What each disk has held. */
  readonly #known = new Map<SimulatedNode, Set<string>>()
  readonly #heldAtStart = new WeakMap<SimulatedLink, ReadonlyMap<string, readonly Entry[]>>()
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
    if (there !== text && !this.#doubled.has(nodeOf(change.source))) {
      this.onWrong(`${place} was used twice`)
    }
    this.#places.set(place, text)
  }

  /** Only of what both was heard by others can a node be said to have signed two at one place. */
  onLiar(node: SimulatedNode, strays: readonly Stray[]): void {
    for (const { entry, against } of strays) {
      for (const { text, change } of [entry, against ?? entry]) {
        const name = nodeOf(change.source)
        const isHeard = [...(this.#holders.get(text) ?? [])].some(holder => holder !== name)
        if (isHeard || this.#told.has(text) || this.#copied.has(name)) continue
        this.onWrong(`${node.label} was shown what only ${name} knew, and calls it a liar`)
      }
    }
  }

  onEnded(node: SimulatedNode, { lost }: EndedSource): void {
    for (const { text } of lost) {
      this.#excused.add(text)
      this.#knownOf(node).delete(text)
    }
  }

  /** Of honest nodes none ends a link for what the other has sent. */
  onRefused({ by, of, reason }: Refused): void {
    // But where a source has forked that ran twice, until all know of it.
    const isForked = this.#doubled.size > 0 && /seen others that were not sent/.test(reason)
    if (!isForked) return this.onWrong(`${by} refused ${of}: ${reason}`)
    for (const node of this.#nodes()) if (node.label === by) this.#forget(node, () => true)
  }

  /** A link begins. */
  met(link: SimulatedLink, ends: readonly SimulatedNode[]): void {
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
      const isDoubled = this.#doubled.has(nodeOf(entry.change.source))
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

  /** A disk goes back to an earlier state: what nobody else holds may be lost. */
  lose(node: SimulatedNode): void {
    const elsewhere = this.#nodes()
      .filter(other => other !== node)
      .map(other => other.texts())
    for (const text of node.texts()) {
      if (!elsewhere.some(texts => texts.has(text))) this.#excused.add(text)
    }
  }

  /** A copy of a node runs beside it. */
  copied(node: SimulatedNode, copy: SimulatedNode): void {
    this.#copied.add(node.name)
    for (const one of [node, copy]) this.doubled(one)
  }

  /** A node that does not know that its memory is old, or that another one has its name. */
  doubled(node: SimulatedNode): void {
    this.#doubled.add(node.name)
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
