import { createPrivateKey } from 'node:crypto'
import { parseCertificates } from '../../identity/certificate-chain.ts'
import type { Credentials } from '../../identity/credentials.ts'
import { isAuthor, type Name, type Subject } from '../../identity/names.ts'
import { signText } from '../../identity/signature.ts'
import { keyOf } from '../../identity/signers.ts'
import type { Address } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import { BATCH_LIMITS } from '../../operators/batch-limits.ts'
import type { Archived, CheckpointReport } from '../../operators/checkpoints.ts'
import type { StateProof } from '../../operators/proofs.ts'
import type { ShowReport, SubjectReport, WholeSubjectReport } from '../../operators/subjects.ts'
import type { StatusReport } from '../../operators/status.ts'
import { encodeChange, parseChange, type Change } from '../../whitelist/change.ts'
import { parseForgetting } from '../../whitelist/forgetting.ts'
import type { CallOptions } from '../../wire/rpc.ts'
import { connectAny } from '../failover.ts'
import { isLastWord } from '../last-words.ts'
import { ANSWER_MS, type NodeConnection } from '../node-connection.ts'
import {
  parseArchived,
  parseCheckpointReport,
  parseShowReport,
  parseStatusReport,
  parseWholeReport,
  parseWholeReports,
  unreadable,
  type CommittedChange,
  type NodeConfirmation,
  type UnprovenReport,
} from './answers.ts'
import { commitBatch, type BatchWish, type CommittedBatch } from './batch.ts'
import { askCommit, provesTaken } from './commit-answer.ts'
import { connectOther, doubtOf, type Doubt } from './doubt.ts'
import {
  AGREEMENT,
  drawWish,
  MAX_ROUNDS,
  MAX_SKEW_MS,
  mistrust,
  notAccepted,
  readProposal,
  SignedWish,
  type ChangeWish,
} from './proposal.ts'
import { readFleet, type Fleet } from './vitals-answers.ts'
import { parseStateProof } from './state-proof.ts'
import { readSubjectPages } from './subject-pages.ts'
import { differenceOf, disagreement, isComparable, mayPass } from './second-node.ts'

export type { ChangeWish } from './proposal.ts'
export type { BatchWish, CommittedBatch } from './batch.ts'
export type { CommittedChange, NodeConfirmation } from './answers.ts'

export interface ChangeOptions {
  /** How long to wait for the other nodes, in milliseconds; 0 not at all. */
  readonly waitMs: number
  readonly onConfirmed?: (confirmation: NodeConfirmation) => void
  /** Called when a removal is signed though a second node does not say the same of it. */
  readonly onDoubt?: (second: string) => void
  /** Called when a checkpoint is about to be signed by the word of its node alone: no second one is in reach. */
  readonly onAlone?: () => void
}

/** How long connecting to a second node may take, in milliseconds. */
const SECOND_MS = 2_000

export interface OperatorOptions {
  readonly clock: Clock
  /** Connect to another node of the cluster than the one that is used; undefined where none answers. */
  readonly second?: () => Promise<NodeConnection | undefined>
  /** What to make of it when the node refuses for good. Default: it is believed. */
  readonly doubt?: Doubt
}

/** An operator's connection to a node, whose answers are trusted as far as its certificate is. */
export class OperatorConnection implements AsyncDisposable {
  readonly #connection: NodeConnection
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #openSecond: () => Promise<NodeConnection | undefined>
  readonly #doubt: Doubt
  #second: Promise<NodeConnection | undefined> | undefined

  constructor(
    connection: NodeConnection,
    credentials: Credentials,
    { clock, second = async () => undefined, doubt = async word => word }: OperatorOptions,
  ) {
    this.#connection = connection
    this.#credentials = credentials
    this.#clock = clock
    this.#openSecond = second
    this.#doubt = doubt
    if (!connection.methods.has('propose')) {
      throw new FridgeError(
        'ERR_NOT_OPERATOR',
        `${connection.address} does not take you for an operator`,
        {
          fix: 'use the certificate of an operator: fridge certs issue operator NAME, then --as NAME',
        },
      )
    }
  }

  /** Connect to the first node that answers. @throws FridgeError as `connectAny` */
  static async connect(
    nodes: readonly Address[],
    credentials: Credentials,
    { clock, signal }: { readonly clock: Clock; readonly signal?: AbortSignal },
  ): Promise<OperatorConnection> {
    const options = { credentials, clock, ...(signal && { signal }) }
    const connection = await connectAny(nodes, options)
    const second = async (): Promise<NodeConnection | undefined> =>
      connectOther(connection, nodes, { ...options, timeoutMs: SECOND_MS })
    const doubt = doubtOf(connection, nodes, options)
    return new OperatorConnection(connection, credentials, { clock, second, doubt })
  }

  /** The node that was reached. */
  get node(): Name {
    return this.#connection.node
  }

  /** The operator that is connected. */
  get subject(): Subject {
    return this.#credentials.identity.subject
  }

  /**
   * Propose a change, and commit it at the place that the node gave it. What it rests on is
   * compared with a second node, if one is known: of removals of clients there is nothing to compare.
   * @throws FridgeError `ERR_PROTOCOL` when the node proposes what was not asked for, `ERR_CONFLICT`
   *   when others change the same, or two nodes do not say the same of whom is to be let in
   */
  async change(wish: ChangeWish, options: ChangeOptions): Promise<CommittedChange> {
    const id = drawWish()
    const signed = new SignedWish()
    const key = createPrivateKey(this.#credentials.key)
    if (wish.kind !== 'revocation' || isAuthor(wish.subject)) void this.#reachSecond()
    let why = ''
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const change = await this.#propose(wish, id, signed, options)
      signed.note(change)
      const signature = signText(key, 'change', encodeChange(change))
      let report = await this.#commit(change, signature, options)
      if (report.outcome === 'again' && report.taken === undefined) {
        // It may have lost its turn. In the next one the same text stands, or is proven not to.
        await this.#call('propose', [{ ...wish, wish: id }])
        report = await this.#commit(change, signature, options)
      }
      if (report.outcome === 'committed') return report
      why = report.why
      if (
        report.taken !== undefined &&
        (await provesTaken(report.taken, change, {
          node: this.node,
          credentials: this.#credentials,
        }))
      ) {
        signed.noteTaken()
      }
    }
    throw notAccepted(why)
  }

  /**
   * Make as many of some changes as fit into one batch, all of them or none. They are of one kind,
   * each of another client or origin, and checked and signed one by one as by `change`.
   * @param options `waitMs` is waited for by the batch that holds the last of them
   * @throws FridgeError as `change`
   */
  async changeBatch(wishes: readonly BatchWish[], options: ChangeOptions): Promise<CommittedBatch> {
    if (wishes.some(({ kind }) => kind === 'grant')) void this.#reachSecond()
    return commitBatch(wishes, {
      ...options,
      node: this.node,
      credentials: this.#credentials,
      clock: this.#clock,
      call: async (method, values, callOptions) => this.#call(method, values, callOptions),
      second: async () => this.#reachSecond(),
    })
  }

  /** Whether the node makes many changes at once: one of an earlier version makes one at a time. */
  get takesBatches(): boolean {
    return this.#connection.methods.has('proposeBatch') && this.#connection.methods.has('subjects')
  }

  /** What the node proposes, if it may be signed. The key stays on this machine. */
  async #propose(
    wish: ChangeWish,
    id: string,
    signed: SignedWish,
    { onDoubt, onAlone }: ChangeOptions,
  ): Promise<Change> {
    for (let left = AGREEMENT.tries; ; left -= 1) {
      const proposed = readProposal(await this.#call('propose', [{ ...wish, wish: id }]), {
        wish,
        id,
        operator: this.#credentials.identity.name,
        node: this.#connection.node,
        trusted: () =>
          parseCertificates(this.#credentials.ca, this.#credentials.files.caFile).map(keyOf),
        now: this.#clock.now(),
      })
      if (typeof proposed === 'string')
        throw mistrust(this.node, 'proposes what was not asked for', proposed)
      const second = isComparable(proposed) ? await this.#reachSecond() : undefined
      if (second === undefined && wish.kind === 'checkpoint') onAlone?.()
      const difference = second && (await differenceOf(proposed, second, this.#clock))
      if (second !== undefined && difference !== undefined) {
        if (left > 1 && mayPass(difference)) {
          await this.#clock.sleep(AGREEMENT.waitMs)
          continue
        }
        if (wish.kind !== 'revocation')
          throw disagreement(wish, { node: this.node, second: second.node }, difference)
        onDoubt?.(second.node)
      }
      const next = signed.next(proposed)
      if (typeof next === 'string') throw mistrust(this.node, 'asks for another signature', next)
      return next
    }
  }

  /** Another node than the one that proposes. */
  async #reachSecond(): Promise<NodeConnection | undefined> {
    const second = await (this.#second ??= this.#openSecond())
    return second?.node === this.node ? undefined : second
  }

  /**
   * Let the cluster forget a node that cannot be reached and will not come back.
   * @throws FridgeError `ERR_REFUSED` when it can be reached, or is not known
   */
  async forgetNode(name: Name): Promise<void> {
    const text = await this.#call('proposeForget', [name])
    const forgetting = parseForgetting(text)
    const isAskedFor =
      typeof forgetting === 'object' &&
      forgetting.name === name &&
      forgetting.operator === this.#credentials.identity.name &&
      Math.abs(forgetting.at - this.#clock.now()) <= MAX_SKEW_MS
    if (!isAskedFor) {
      throw new FridgeError('ERR_PROTOCOL', `${this.node} proposes what was not asked for`, {
        fix: 'compare the clocks: fridge doctor; else use another node, and look into that one',
      })
    }
    const key = createPrivateKey(this.#credentials.key)
    await this.#call('forget', [text, signText(key, 'forgetting', text as string)])
  }

  /** Every subject of the list in order, page by page. */
  subjectPages(): AsyncIterable<readonly SubjectReport[]> {
    return readSubjectPages(async after => this.#call('list', [after]), this.node)
  }

  /** Every subject of the list in order. */
  async *subjects(): AsyncIterable<SubjectReport> {
    for await (const page of this.subjectPages()) yield* page
  }

  /** One subject, without asking around which nodes have come how far. */
  async find(subject: Subject): Promise<WholeSubjectReport> {
    return this.#read('subject', parseWholeReport(await this.#call('subject', [subject]), subject))
  }

  /** Some subjects in their order, without asking around. */
  async findAll(subjects: readonly Subject[]): Promise<WholeSubjectReport[]> {
    if (!this.takesBatches) return Array.fromAsync(subjects, async subject => this.find(subject))
    const found: WholeSubjectReport[] = []
    while (found.length < subjects.length) {
      const asked = subjects.slice(found.length, found.length + BATCH_LIMITS.maxChanges)
      const answer = await this.#call('subjects', [asked])
      found.push(...this.#read('subjects', parseWholeReports(answer, asked)))
    }
    return found
  }

  /** One subject, and which nodes hold all that this rests on: they are asked, at most once a second. */
  async show(subject: Subject): Promise<ShowReport> {
    return this.#read('show', parseShowReport(await this.#call('show', [subject]), subject))
  }

  /**
   * What the newest checkpoint states of a subject, with what proves it: still to be checked.
   * @throws FridgeError `ERR_REFUSED` when none stands, or states anything of it
   */
  async proof(subject: Subject): Promise<StateProof> {
    const answer = await this.#call('proof', [subject], { timeoutMs: PROOF_MS })
    return this.#read('proof', parseStateProof(answer, this.node))
  }

  async status(): Promise<StatusReport> {
    return this.#read('status', parseStatusReport(await this.#call('status', []), this.node))
  }

  /** How the fridge of each node is, as far as it has said so; an older node is asked for nothing. */
  async vitals(): Promise<Fleet> {
    if (!this.#connection.methods.has('vitals')) return new Map()
    return readFleet(async after => this.#call('vitals', [after]), this.node)
  }

  /**
   * Call a method of the node by its name.
   * @returns what it answers, unchecked
   */
  async ask(
    method: string,
    values: readonly unknown[],
    options: CallOptions = {},
  ): Promise<unknown> {
    return this.#call(method, values, options)
  }

  /** Whether another checkpoint is due. */
  async checkpoint(): Promise<CheckpointReport> {
    return this.#read('checkpoint', parseCheckpointReport(await this.#call('checkpoint', [])))
  }

  /** Let the node move what is behind the newest checkpoint into an archive. */
  async archive(): Promise<Archived> {
    return this.#read('archive', parseArchived(await this.#call('archive', [])))
  }

  /** What the clock of the node says: the time in a proposal, of which nothing comes uncommitted. */
  async clock(): Promise<number> {
    const text = await this.#call('propose', [
      { kind: 'revocation', subject: this.subject, wish: drawWish() },
    ])
    const parsed = parseChange(text)
    if (parsed.ok) return parsed.change.at
    throw unreadable(this.node, 'propose', parsed.why)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const second = await this.#second
    await second?.[Symbol.asyncDispose]()
    await this.#connection[Symbol.asyncDispose]()
  }

  /** Have a signed change committed. */
  async #commit(
    change: Change,
    signature: string,
    options: ChangeOptions,
  ): Promise<UnprovenReport> {
    return askCommit(
      async wait =>
        this.#call('commit', [encodeChange(change), signature, options.waitMs], {
          ...wait,
          isOwnEnd: change.kind === 'revocation' && change.subject === this.subject,
        }),
      { node: this.node, method: 'commit', place: change, ...options },
    )
  }

  /** @throws FridgeError `ERR_PROTOCOL` where a parser says why an answer is none */
  #read<T extends object>(method: string, parsed: T | string): T {
    if (typeof parsed === 'string') throw unreadable(this.node, method, parsed)
    return parsed
  }

  async #call(
    method: string,
    values: readonly unknown[],
    { isOwnEnd = false, ...options }: CallOptions & { readonly isOwnEnd?: boolean } = {},
  ): Promise<unknown> {
    try {
      return await this.#connection.call(method, values, { timeoutMs: ANSWER_MS, ...options })
    } catch (error) {
      // Who removes itself is refused for good by its own wish.
      throw isLastWord(error) && !isOwnEnd ? await this.#doubt(error) : error
    }
  }
}

/** How long a node may look through its list for a proof, in milliseconds. */
const PROOF_MS = 60_000
