import { createPrivateKey } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Credentials } from '../../identity/credentials.ts'
import type { Name, Subject } from '../../identity/names.ts'
import { signText } from '../../identity/signature.ts'
import { formatAddress, type Address } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import type {
  CommitReport,
  ShowReport,
  StatusReport,
  SubjectReport,
} from '../../operators/service.ts'
import { parseChange, type Change, type Terms } from '../../whitelist/change.ts'
import { parseForgetting } from '../../whitelist/forgetting.ts'
import type { CallOptions } from '../../wire/rpc.ts'
import { connectAny } from '../failover.ts'
import { isLastWord } from '../last-words.ts'
import { ANSWER_MS, type NodeConnection, type NodeConnectionOptions } from '../node-connection.ts'
import {
  parseCommitReport,
  parseNodeConfirmation,
  parseShowReport,
  parseStatusReport,
  parseSubjectPage,
  unreadable,
  type CommittedChange,
  type NodeConfirmation,
} from './answers.ts'

/** What an operator asks for. */
export type ChangeWish =
  | {
      readonly kind: 'grant'
      readonly subject: Subject
      readonly reason?: string
      readonly terms: Terms
    }
  | { readonly kind: 'revocation'; readonly subject: Subject; readonly reason?: string }

export type { CommittedChange, NodeConfirmation } from './answers.ts'

export interface ChangeOptions {
  /** How long to wait for the other nodes, in milliseconds; 0 not at all. */
  readonly waitMs: number
  readonly onConfirmed?: (confirmation: NodeConfirmation) => void
}

/** How often a change is proposed anew when others change the same at the same time. */
const MAX_ATTEMPTS = 10

/** An operator's connection to a node, whose answers are trusted as far as its certificate is. */
export class OperatorConnection implements AsyncDisposable {
  readonly #connection: NodeConnection
  readonly #credentials: Credentials
  readonly #now: () => number
  readonly #doubt: Doubt

  /** @param doubt what to make of it when the node refuses for good; default: it is believed */
  constructor(
    connection: NodeConnection,
    credentials: Credentials,
    now: () => number,
    doubt: Doubt = async lastWord => lastWord,
  ) {
    this.#connection = connection
    this.#credentials = credentials
    this.#now = now
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
    const others = nodes.filter(node => formatAddress(node) !== connection.address)
    return new OperatorConnection(
      connection,
      credentials,
      () => clock.now(),
      async lastWord => askOthers(lastWord, connection, others, options),
    )
  }

  /** The node that was reached. */
  get node(): string {
    return this.#connection.node
  }

  /** The operator that is connected. */
  get subject(): Subject {
    return this.#credentials.identity.subject
  }

  /** Propose a change, and commit it at the place that the node gave it. */
  async change(wish: ChangeWish, options: ChangeOptions): Promise<CommittedChange> {
    let why = ''
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const proposed = await this.#call('propose', [wish])
      const change = this.#check(proposed, wish)
      const report = await this.#commit(proposed as string, change, options)
      if (report.outcome === 'committed') return report
      why = report.why
    }
    throw new FridgeError('ERR_CONFLICT', `the change was not accepted: ${why}`, {
      fix: 'try again',
    })
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
      Math.abs(forgetting.at - this.#now()) <= MAX_SKEW_MS
    if (!isAskedFor) {
      throw new FridgeError('ERR_PROTOCOL', `${this.node} proposes what was not asked for`, {
        fix: 'compare the clocks: fridge doctor; else use another node, and look into that one',
      })
    }
    const key = createPrivateKey(this.#credentials.key)
    await this.#call('forget', [text, signText(key, 'forgetting', text as string)])
  }

  /** Every subject of the list in order, page by page. */
  async *subjectPages(): AsyncIterable<readonly SubjectReport[]> {
    let after: Subject | null = null
    for (;;) {
      const page: readonly SubjectReport[] = this.#read(
        'list',
        parseSubjectPage(await this.#call('list', [after]), after),
      )
      const last = page.at(-1)
      if (last === undefined) return
      yield page
      after = last.subject
    }
  }

  /** Every subject of the list in order. */
  async *subjects(): AsyncIterable<SubjectReport> {
    for await (const page of this.subjectPages()) yield* page
  }

  async show(subject: Subject): Promise<ShowReport> {
    return this.#read('show', parseShowReport(await this.#call('show', [subject]), subject))
  }

  async status(): Promise<StatusReport> {
    return this.#read('status', parseStatusReport(await this.#call('status', []), this.node))
  }

  /** What the clock of the node says: the time in a proposal, of which nothing comes uncommitted. */
  async clock(): Promise<number> {
    const text = await this.#call('propose', [{ kind: 'revocation', subject: this.subject }])
    const parsed = parseChange(text)
    if (parsed.ok) return parsed.change.at
    throw unreadable(this.node, 'propose', parsed.why)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  /** What the node proposed, if it is what was asked for. @throws FridgeError `ERR_PROTOCOL` */
  #check(text: unknown, wish: ChangeWish): Change {
    const change = checkProposal(text, wish, this.#credentials.identity.name, this.#now())
    if (typeof change !== 'string') return change
    throw new FridgeError(
      'ERR_PROTOCOL',
      `${this.node} proposes what was not asked for: ${change}`,
      {
        fix: 'use another node, and look into that one',
      },
    )
  }

  /** Sign a change that was checked, and have it committed. The key stays on this machine. */
  async #commit(
    text: string,
    { kind, subject, source, sequence }: Change,
    { waitMs, onConfirmed }: ChangeOptions,
  ): Promise<CommitReport> {
    const signature = signText(createPrivateKey(this.#credentials.key), 'change', text)
    const stop = new AbortController()
    const heard = new Set<Name>()
    const onProgress = (value: unknown): void => {
      const confirmation = parseNodeConfirmation(value)
      if (typeof confirmation === 'string')
        return stop.abort(unreadable(this.node, 'commit', confirmation))
      // A node that confirms again and again would be printed again and again.
      if (heard.has(confirmation.node)) return
      heard.add(confirmation.node)
      onConfirmed?.(confirmation)
    }
    const answer = await this.#call('commit', [text, signature, waitMs], {
      timeoutMs: ANSWER_MS + waitMs,
      signal: stop.signal,
      ...(onConfirmed && { onProgress }),
      isOwnEnd: kind === 'revocation' && subject === this.subject,
    })
    return this.#read('commit', parseCommitReport(answer, { source, sequence }))
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

/** What is to be said when a node refuses an operator for good that it had let in. */
type Doubt = (lastWord: FridgeError) => Promise<FridgeError>

/** A stolen node may say anything: what it says is believed unless another node lets the operator in. */
async function askOthers(
  lastWord: FridgeError,
  { node }: NodeConnection,
  others: readonly Address[],
  options: Omit<NodeConnectionOptions, 'address'>,
): Promise<FridgeError> {
  if (others.length === 0) return lastWord
  try {
    await using other = await connectAny(others, options, [lastWord])
    return new FridgeError(
      'ERR_CLOSED',
      `${node} says: ${lastWord.message}; ${other.node} lets you in`,
      { cause: lastWord, fix: `go on with --node ${other.address}, and look into ${node}` },
    )
  } catch (error) {
    return error instanceof FridgeError ? error : lastWord
  }
}

/** How far the clocks of an operator's machine and of a node may be apart, in milliseconds. */
const MAX_SKEW_MS = 10 * 60_000

/** The change that was wished for, or why a proposed text is another. A node might be stolen. */
function checkProposal(
  text: unknown,
  wish: ChangeWish,
  operator: Name,
  now: number,
): Change | string {
  const parsed = parseChange(text)
  if (!parsed.ok) return parsed.why
  const { change } = parsed
  if (change.kind !== wish.kind || change.subject !== wish.subject) return 'another change'
  if (change.operator !== operator) return 'a change of another operator'
  if (change.reason !== wish.reason) return 'another reason'
  if (Math.abs(change.at - now) > MAX_SKEW_MS) return 'a change of another time; compare the clocks'
  const terms = change.kind === 'grant' ? change.terms : {}
  const wished = wish.kind === 'grant' ? wish.terms : {}
  return isDeepStrictEqual(terms, wished) ? change : 'other terms'
}
