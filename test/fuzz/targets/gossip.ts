import type { Confirmation } from '../../../node/gossip/confirmation.ts'
import { Link, type LinkEnd } from '../../../node/gossip/link.ts'
import { Members } from '../../../node/gossip/members.ts'
import { nodeOf, parseName, subjectOf, type Subject } from '../../../node/identity/names.ts'
import type { ChangeId } from '../../../node/whitelist/change.ts'
import { isStray, placeOf, type Entry, type Stray } from '../../../node/whitelist/entry.ts'
import { differences, evaluateLog } from '../../../node/whitelist/evaluate.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { Replica } from '../../../node/gossip/replica.ts'
import type { Signers } from '../../../node/identity/signers.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { client, NOON, OPERATOR, requestOf } from '../../support/replica-changes.ts'
import { commitRequest } from '../../support/replica-people.ts'
import { CONTROL, HONEST, HOSTILE, VICTIM } from '../gossip/names.ts'
import { HONEST_ENTRIES, VICTIMS_ENTRIES } from '../gossip/past.ts'
import { isObject } from '../models/lines.ts'
import {
  problemOfLog,
  problemOfMember,
  problemOfQuestion,
  problemOfStrays,
  type Keys,
} from '../gossip/oracle.ts'
import { makeFuzzPeople, type FuzzPeople } from '../gossip/people.ts'
import { sessionOf } from '../gossip/sessions.ts'
import { modelLink, type LinkModel, type ModelUpdate } from '../models/link.ts'
import { FuzzSocket, settle } from '../session.ts'
import { chunksOf, type Target } from '../target.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'

const AMBER = client('amber')
/** How many words about itself a node may say at once, and how long those beyond them wait, ms (`gossip/own-words.ts`). */
const OWN_WORDS = { atOnce: 20, waitMs: 250 }
const TIMES = { heartbeatMs: 1_000, deadAfterMs: 5_000 }

/** A link to a node whose certificate is genuine, with the documents of its victim. */
export async function openGossip(): Promise<Target> {
  const people = await makeFuzzPeople()
  const { victim, honest, hostile, operator } = people
  const keys: Keys = new Map(
    [victim, honest, hostile, operator].map(one => [one.signer.identity.subject, one]),
  )
  const trusted = [...keys.values(), people.renewed].map(({ signer }) =>
    Buffer.from(signer.chain[0] ?? '', 'base64'),
  )
  const before = [...VICTIMS_ENTRIES, ...HONEST_ENTRIES]
  const held = new Set(before.map(({ change }) => change.source))
  return {
    name: 'gossip',
    fixedInputs: 2_000,
    // The limit of a link is 2 MiB; the lines of the other layers try theirs.
    maxLineBytes: 8_192,
    generate: dice => sessionOf(dice, people),
    run: async bytes => {
      const scene = new Scene(people, before)
      await settle()
      const control = scene.control
      const input = Buffer.from(bytes.toString('latin1').replaceAll(CONTROL, control), 'latin1')
      for (const chunk of chunksOf(input)) scene.socket.receive(chunk)
      await scene.settled()
      const model = modelLink(input, { control, peer: 'mallory', victim: VICTIM, held, trusted })
      await scene.waitForOwnWords(model)
      const refused = scene.ends.some(({ hostile }) => hostile)
      const problem =
        scene.problemOfEnd(model) ??
        (refused ? undefined : scene.problemOfTaken(model)) ??
        scene.problemOfState(keys) ??
        (await scene.problemOfOthers())
      return { refused, problem }
    },
  }
}

/** One node, a link to the fuzzer, and an honest peer that listens. */
class Scene {
  readonly socket = new FuzzSocket()
  readonly ends: LinkEnd[] = []
  readonly #clock = new FakeClock(NOON)
  readonly #store = new MemoryStore()
  readonly #before: readonly Entry[]
  readonly #people: FuzzPeople
  readonly #signers: Signers
  readonly #replica: Replica
  readonly #members: Members
  readonly #heard = { whitelist: [] as ModelUpdate[], members: [] as ModelUpdate[] }
  readonly #confirmed: Confirmation[] = []
  /** The questions that were passed on. */
  readonly #asked: unknown[] = []
  #isHonestCut = false
  /** What let somebody in at the moment of a change, before the rest of it was looked up. */
  #tooLong: string | undefined

  constructor(people: FuzzPeople, before: readonly Entry[]) {
    this.#people = people
    this.#before = before
    const { signer, key } = people.victim
    this.#store.append(before)
    for (const { signer } of [people.victim, people.honest, people.operator]) {
      this.#store.keepCertificate(signer.identity.fingerprint, signer.chain)
    }
    const signers = people.signers(this.#store)
    this.#signers = signers
    const clock = this.#clock
    this.#replica = new Replica({
      source: VICTIM,
      store: this.#store,
      signers,
      self: { signer, key },
      clock,
    })
    // Else the exchange with the honest node changes what it has said of itself to the hostile one.
    this.#replica.wholeness.noteAlone()
    const self = {
      name: parseName('alpha'),
      source: VICTIM,
      addresses: ['alpha:1'],
      version: '0.0.0',
      startedAt: NOON,
      links: [],
    }
    this.#members = new Members({ self, signers, signer, key, clock, random: () => 0.5 })
    for (const name of ['whitelist', 'members'] as const) this.#listen(name)
    this.#replica.subscribe(() => {
      this.#tooLong ??= this.#standsTooLong()
    })
    this.#replica.confirmations.subscribe(confirmation => this.#confirmed.push(confirmation))
    const link: Link = new Link({
      socket: this.socket,
      peer: people.hostile.signer.identity,
      own: signer.identity,
      dialed: false,
      from: '',
      documents: { whitelist: this.#replica, members: this.#members },
      times: TIMES,
      clock,
      onHello: () => undefined,
      onSynced: () => {},
      onEnd: (ended, end) => ended === link && this.ends.push(end),
    })
  }

  /** The id of the stream that the victim has opened. */
  get control(): string {
    return (JSON.parse(this.socket.sent.split('\n')[0] ?? '') as [string])[0]
  }

  async settled(): Promise<void> {
    await settle()
    await this.#replica.settled()
    await this.#members.settled()
    await settle()
  }

  /** What a peer says of itself beyond its pace is taken a moment later. */
  async waitForOwnWords({ updates }: LinkModel): Promise<void> {
    if (updates.members.length <= OWN_WORDS.atOnce) return
    await this.#clock.advance(OWN_WORDS.waitMs)
    await this.settled()
  }

  /** What is refused for its form is refused, and its sender cut. */
  problemOfEnd({ refused }: LinkModel): string | undefined {
    const isCut = this.ends.some(({ hostile }) => hostile)
    if (refused && !isCut) return `its sender was not cut: ${JSON.stringify(this.ends)}`
    if (isCut !== this.socket.destroyed) return 'its socket is not as its link is'
    this.socket.destroy()
    return undefined
  }

  /** Nothing is passed over in silence: what did not end the link is there. */
  problemOfTaken({ updates, hasCompared }: LinkModel): string | undefined {
    const log = this.#log()
    const held = new Set(log.flatMap(placesOf))
    const forked = new Set(log.filter(isStray).map(({ entry }) => entry.change.source as string))
    const places = new Set(Array.from(held, place => place.split(' ', 2).join(' ')))
    for (const [value, sequence, source] of updates.whitelist) {
      const { change, stray } = value as { change?: string; stray?: { change: string } }
      const text = stray?.change ?? change ?? ''
      if (held.has(`${source} ${sequence} ${text}`)) continue
      // Of two that prove a fork, one that has seen more than is here comes again behind that; and
      // where heads differ what does not fit is asked for anew, once the root of the fork is found.
      const isProof = forked.has(source) && this.#hasSeenMore(text)
      if (stray === undefined && (hasCompared || isProof)) continue
      // A stray that is sent at a place where something stands is not looked at.
      const isTaken = stray !== undefined && places.has(`${source} ${sequence}`)
      if (!isTaken) return `a change was passed over: ${text}`
    }
    for (const [, sequence, source] of updates.members) {
      const heard = (this.#members.sources as Readonly<Record<string, number>>)[source] ?? 0
      if (heard < sequence) return `a member was passed over: ${sequence} of ${source}`
    }
    return undefined
  }

  problemOfState(keys: Keys): string | undefined {
    const log = this.#log()
    if (this.#before.some((entry, index) => log[index] !== entry)) return 'the past was changed'
    const clocks = [this.#replica.sources, this.#members.sources]
    if (clocks.some(clock => Object.getPrototypeOf(clock) !== null))
      return 'a clock has a prototype'
    if (this.#confirmed.some(({ node }) => nodeOf(node) !== nodeOf(HOSTILE))) {
      return 'a node has confirmed for another'
    }
    if (this.#tooLong !== undefined) return `a grant outlived a removal: ${this.#tooLong}`
    const added = this.#heard.members
    const [wrong] = differences(this.#replica.whitelist, evaluateLog(log, ALL_VOUCHED))
    if (wrong !== undefined) return `the list is not what the log says of ${wrong}`
    return (
      problemOfLog(log, keys) ??
      problemOfStrays(log) ??
      added.map(update => problemOfMember(update, keys)).find(problem => problem !== undefined) ??
      this.#asked.map(ask => problemOfQuestion(ask, keys)).find(problem => problem !== undefined)
    )
  }

  /** The honest peer has heard all, and the node goes on as if nothing had been. */
  async problemOfOthers(): Promise<string | undefined> {
    await settle()
    if (this.ends.length !== 1) return `the end of the link was told ${this.ends.length} times`
    // What is gathered for others leaves; for whoever is gone nothing is waited for.
    await this.#clock.advance(5)
    if (this.#clock.pending > 0) return 'a timer outlived the link'
    for (const document of [this.#replica, this.#members]) {
      if (document.listenerCount('_update') !== 1) return 'a listener outlived the link'
    }
    const isRevoked = [subjectOf('operator', OPERATOR), subjectOf('node', parseName('alpha'))].some(
      author => this.#replica.stateOf(author).revocations.size > 0,
    )
    if (!isRevoked) {
      const { operator } = this.#people
      const request = requestOf('revocation', AMBER)
      const commit = await commitRequest(this.#replica, request, operator, this.#signers)
      if (commit.outcome !== 'committed') return `the node cannot write: ${commit.why}`
    }
    await settle()
    if (this.#isHonestCut) return 'an honest peer was cut'
    const missing = this.#log().length - this.#heard.whitelist.length
    return missing === 0 ? undefined : `an honest peer has not heard ${missing} changes`
  }

  /** Whether a change names as seen what the victim does not hold. */
  #hasSeenMore(text: string): boolean {
    const { subject, seen, upTo } = JSON.parse(text) as SeenFields
    const last = Object.values(upTo ?? {}).map(([, hash]) => hash)
    return (
      seen.some(id => !this.#store.has(subject, id)) ||
      last.some(hash => !this.#log().some(one => hashOf(one) === hash))
    )
  }

  /** A grant that stands and by the definition must not: what takes away waits for nothing. */
  #standsTooLong(): string | undefined {
    const defined = evaluateLog(this.#log(), this.#signers).subjects
    for (const [subject, { grants }] of this.#replica.whitelist.subjects()) {
      const allowed = defined.get(subject)?.grants
      if (grants.some(({ id }) => allowed?.has(id) !== true)) return subject
    }
    return undefined
  }

  #log(): (Entry | Stray)[] {
    return [...this.#store.entries]
  }

  #listen(name: 'whitelist' | 'members'): void {
    const document = name === 'whitelist' ? this.#replica : this.#members
    const link = document.attach(
      {
        send: frame => {
          if (Array.isArray(frame)) this.#heard[name].push(frame as unknown as ModelUpdate)
          else if (isObject(frame) && 'ask' in frame) this.#asked.push(frame['ask'])
        },
        drained: async () => {},
        refuse: () => {
          this.#isHonestCut = true
        },
        leave: () => {
          this.#isHonestCut = true
        },
        onSynced: () => {},
      },
      () => true,
    )
    link.receive({ id: HONEST, clock: {} })
    link.receive('SYNC')
  }
}

interface SeenFields {
  readonly subject: Subject
  readonly seen: readonly ChangeId[]
  readonly upTo?: Readonly<Record<string, readonly [sequence: number, hash: string]>>
}

function hashOf(one: Entry | Stray): string {
  return isStray(one) ? one.entry.hash : one.hash
}

/** Where an entry may be sent to stand: that of a source that forked, in its place and as a stray. */
function placesOf(one: Entry | Stray): string[] {
  const { change, text } = isStray(one) ? one.entry : one
  const { source, sequence } = placeOf(one)
  return [`${change.source} ${change.sequence} ${text}`, `${source} ${sequence} ${text}`]
}
