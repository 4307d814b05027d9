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
import { parseChange, type Terms } from '../../whitelist/change.ts'
import type { CallOptions } from '../../wire/rpc.ts'
import { connectAny } from '../failover.ts'
import { isLastWord } from '../last-words.ts'
import { ANSWER_MS, type NodeConnection, type NodeConnectionOptions } from '../node-connection.ts'

/** What an operator asks for. */
export type ChangeWish =
  | {
      readonly kind: 'grant'
      readonly subject: Subject
      readonly reason?: string
      readonly terms: Terms
    }
  | { readonly kind: 'revocation'; readonly subject: Subject; readonly reason?: string }

/** A change that was committed, with what is known of its way through the cluster. */
export type CommittedChange = Extract<CommitReport, { outcome: 'committed' }>

/** That one node has applied a change. */
export type NodeConfirmation = CommittedChange['confirmed'][number]

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
  async change(wish: ChangeWish, { waitMs, onConfirmed }: ChangeOptions): Promise<CommittedChange> {
    let why = ''
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const text = await this.#call('propose', [wish])
      const signature = this.#sign(text, wish)
      const report = (await this.#call('commit', [text, signature, waitMs], {
        timeoutMs: ANSWER_MS + waitMs,
        ...(onConfirmed && { onProgress: value => onConfirmed(value as NodeConfirmation) }),
        isOwnEnd: wish.kind === 'revocation' && wish.subject === this.subject,
      })) as CommitReport
      if (report.outcome === 'committed') return report
      why = report.why
    }
    throw new FridgeError('ERR_CONFLICT', `the change was not accepted: ${why}`, {
      fix: 'try again',
    })
  }

  async *subjects(): AsyncIterable<SubjectReport> {
    let after: Subject | null = null
    for (;;) {
      const page = (await this.#call('list', [after])) as SubjectReport[]
      yield* page
      const last = page.at(-1)
      if (last === undefined) return
      after = last.subject
    }
  }

  async show(subject: Subject): Promise<ShowReport> {
    return (await this.#call('show', [subject])) as ShowReport
  }

  async status(): Promise<StatusReport> {
    return (await this.#call('status', [])) as StatusReport
  }

  /** What the clock of the node says: the time in a proposal, of which nothing comes uncommitted. */
  async clock(): Promise<number> {
    const text = await this.#call('propose', [{ kind: 'revocation', subject: this.subject }])
    const parsed = parseChange(text)
    if (parsed.ok) return parsed.change.at
    throw new FridgeError('ERR_PROTOCOL', `${this.node} proposes what is no change`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  /** Sign what the node proposed, if it is what was asked for. The key stays on this machine. */
  #sign(text: unknown, wish: ChangeWish): string {
    const objection = objectionToProposal(text, wish, this.#credentials.identity.name, this.#now())
    if (objection !== undefined) {
      throw new FridgeError(
        'ERR_PROTOCOL',
        `${this.node} proposes what was not asked for: ${objection}`,
        {
          fix: 'use another node, and look into that one',
        },
      )
    }
    return signText(createPrivateKey(this.#credentials.key), 'change', text as string)
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

/** Why a proposed text is not the change that was wished for. A node might be stolen. */
function objectionToProposal(
  text: unknown,
  wish: ChangeWish,
  operator: Name,
  now: number,
): string | undefined {
  const parsed = parseChange(text)
  if (!parsed.ok) return parsed.why
  const { change } = parsed
  if (change.kind !== wish.kind || change.subject !== wish.subject) return 'another change'
  if (change.operator !== operator) return 'a change of another operator'
  if (change.reason !== wish.reason) return 'another reason'
  if (Math.abs(change.at - now) > MAX_SKEW_MS) return 'a change of another time; compare the clocks'
  const terms = change.kind === 'grant' ? change.terms : {}
  const wished = wish.kind === 'grant' ? wish.terms : {}
  return isDeepStrictEqual(terms, wished) ? undefined : 'other terms'
}
