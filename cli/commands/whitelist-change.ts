import type { NodeConfirmation } from '../../node/gossip/confirmations.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { displaySubject, isAuthor, type Subject } from '../../node/identity/names.ts'
import type { ShowReport } from '../../node/operators/subjects.ts'
import { isReason } from '../../node/whitelist/change.ts'
import { parseDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import type {
  BatchWish,
  CommittedBatch,
  CommittedChange,
  OperatorConnection,
} from '../../node/client/operator/operator-connection.ts'
import { connectOperator } from '../operator.ts'
import { count } from '../table.ts'
import type { TargetOptions } from '../target.ts'

/** What `add` and `remove` share. */
export interface WhitelistChangeOptions extends TargetOptions {
  readonly reason?: string
  /** Default true. */
  readonly wait?: boolean
  readonly timeout?: string
  /** That nodes out of reach have not confirmed it is meant: they hold back no status 0. Default false. */
  readonly allowUnreachable?: boolean
}

const DEFAULT_WAIT_MS = 10_000

/** What is to be made of some names, each named once. */
interface Changes {
  readonly kind: 'grant' | 'revocation'
  readonly subjects: readonly Subject[]
}

/** Looks at how a name stands, before anything is changed. @returns what to ask for */
type Prepare = (before: ShowReport, operator: OperatorConnection) => Promise<BatchWish>

const DONE = { grant: 'added', revocation: 'removed' } as const

/**
 * Make changes on one node, batch by batch, wait for the cluster, and show it node by node. A node
 * that has applied the last one has applied all: they are waited for together. What is wrong with
 * one of them is found before the first is made.
 * Exit status: 0 every node has applied them, 1 some have not confirmed it.
 */
export async function runChanges(
  { kind, subjects }: Changes,
  options: WhitelistChangeOptions,
  io: CommandIo,
  prepare: Prepare,
): Promise<ExitStatus> {
  const reason = reasonOf(options)
  const waitMs = options.wait === false ? 0 : waitOf(options)
  const [first, ...others] = subjects
  if (first === undefined) return EXIT.done
  await using operator = await connectOperator(options, io)
  // Nodes are asked how far they have come, which takes its time, once and not for each name.
  const shown = await operator.show(first)
  const { nodes } = shown
  const found = [shown, ...(await operator.findAll(others)).map(one => ({ ...one, nodes }))]
  const planned: Planned[] = []
  for (const before of found) {
    planned.push({ before, wish: { ...(await prepare(before, operator)), ...reason } })
  }
  let rest = planned.toSorted((a, b) => orderOf(a, operator) - orderOf(b, operator))
  const all = subjects.length
  for (;;) {
    const some = nextOf(rest, operator)
    const made = all - rest.length
    if (all > 1) io.progress(`${made} of ${count(all, 'name')}…`)
    const isLast = some.length === rest.length
    const step = new ChangeStep(some, {
      options,
      io,
      operator,
      kind,
      all: subjects,
      made,
      waitMs: isLast ? waitMs : 0,
    })
    const change = await step.make()
    rest = rest.slice(change?.count ?? 1)
    if (rest.length === 0) return step.show(change)
    io.noteDone(`${all - rest.length} of ${count(all, 'name')} ${DONE[kind]} on ${operator.node}`)
  }
}

/** What is to be asked for of one name, and how it stood before. */
interface Planned {
  readonly before: ShowReport
  readonly wish: BatchWish
}

/**
 * What is made together comes first. Who removes itself is cut at once, and can do nothing behind
 * that: it comes last.
 */
function orderOf({ before: { subject } }: Planned, operator: OperatorConnection): number {
  if (subject === operator.subject) return 2
  return isAuthor(subject) ? 1 : 0
}

/** The next of some changes that are asked for together: a node makes those of operators and nodes one by one. */
function nextOf(planned: readonly Planned[], operator: OperatorConnection): readonly Planned[] {
  const alone = planned.findIndex(({ before }) => isAuthor(before.subject))
  const together = alone === -1 ? planned.length : alone
  return planned.slice(0, operator.takesBatches ? Math.max(together, 1) : 1)
}

interface ChangeStepOptions {
  readonly options: WhitelistChangeOptions
  readonly io: CommandIo
  readonly operator: OperatorConnection
  readonly kind: Changes['kind']
  /** All that the command changes, and how many of them it has changed before. */
  readonly all: readonly Subject[]
  readonly made: number
  /** How long to wait for the other nodes, in milliseconds; 0 not at all. */
  readonly waitMs: number
}

/** Changes of those that one command makes, of which the node makes as many at once as it takes. */
class ChangeStep {
  readonly #planned: readonly Planned[]
  readonly #given: ChangeStepOptions
  readonly #nodes: number
  #confirmed = 0

  constructor(planned: readonly Planned[], given: ChangeStepOptions) {
    this.#planned = planned
    this.#given = given
    const nodes = planned[0]?.before.nodes ?? []
    this.#nodes = nodes.filter(({ state }) => state !== 'out of reach').length
  }

  /** @returns undefined where the operator has removed itself: nobody hears the proof of its own removal */
  async make(): Promise<CommittedBatch | undefined> {
    const { io, operator, kind, waitMs } = this.#given
    if (waitMs > 0 && this.#planned.length === 1) this.#showProgress()
    const change = await this.#send().catch((error: unknown) => {
      if (kind === 'revocation' && this.#isOwn && isRevoked(error)) return undefined
      const why = whenCutShort(error, {
        ...this.#given,
        first: this.#first,
        confirmed: this.#confirmed,
      })
      if (why !== undefined) io.err(why)
      throw error
    })
    io.progress('')
    if (this.#given.all.length === 1)
      io.noteDone(`${displaySubject(this.#first)} is ${DONE[kind]} on ${operator.node}`)
    return change
  }

  /** Show what was made last. @returns the exit status of the command */
  show(change: CommittedBatch | undefined): ExitStatus {
    const { io, operator, kind, options, waitMs, all } = this.#given
    const json = options.json === true
    const subject = this.#first
    const whom = all.length === 1 ? { subject } : { subjects: all }
    if (change === undefined) {
      if (json) io.out(JSON.stringify({ ...whom, change: kind, node: operator.node, self: true }))
      else io.out(`${subject} removed on ${operator.node}; the others follow`)
      io.err(`you are shut out; another operator can see it: fridge whitelist show ${subject}`)
      return waitMs === 0 || this.#nodes === 1 ? EXIT.done : EXIT.notDone
    }
    const name = all.length === 1 ? displaySubject(subject) : count(all.length, 'name')
    const what = `${name} ${DONE[kind]}`
    if (json) {
      const { outcome: _, count: _count, ...rest } = change
      io.out(JSON.stringify({ ...whom, change: kind, node: operator.node, ...rest }))
    } else if (waitMs === 0) io.out(`${what} on ${operator.node}; the others follow`)
    else summarize(what, change, options, io)
    return waitMs === 0 || isConfirmed(change, options) ? EXIT.done : EXIT.notDone
  }

  get #first(): Subject {
    const [first] = this.#planned
    if (first === undefined) throw new RangeError('a step changes something')
    return first.before.subject
  }

  get #isOwn(): boolean {
    return this.#first === this.#given.operator.subject
  }

  async #send(): Promise<CommittedBatch> {
    const { io, operator, waitMs, options } = this.#given
    const onConfirmed = (confirmation: NodeConfirmation): void => {
      if (waitMs === 0) return
      this.#confirmed += 1
      if (options.json !== true && isWorthALine(confirmation, this.#nodes)) {
        io.out(formatConfirmation(confirmation))
      }
      this.#showProgress()
    }
    const [one, ...others] = this.#planned.map(({ wish }) => wish)
    if (one !== undefined && others.length > 0) {
      return operator.changeBatch([one, ...others], { waitMs, onConfirmed })
    }
    const change = await operator.change(one as BatchWish, {
      waitMs,
      onConfirmed,
      onDoubt: second =>
        io.err(
          `${second} does not say the same of ${displaySubject(this.#first)} as ${operator.node}: compare fridge whitelist log --operator NAME on both, and add again whom this shut out`,
        ),
    })
    return { ...change, count: 1 }
  }

  #showProgress(): void {
    this.#given.io.progress(`${this.#confirmed} of ${count(this.#nodes, 'node')} have applied it…`)
  }
}

/** Whether no node is left that should have confirmed a change, and has not. */
export function isConfirmed(
  { silent, unreachable }: CommittedChange,
  { allowUnreachable = false }: WhitelistChangeOptions,
): boolean {
  return silent.length === 0 && (allowUnreachable || unreachable.length === 0)
}

/** How far a command had come that ended early. */
interface CutShort extends Pick<ChangeStepOptions, 'io' | 'operator' | 'kind' | 'all' | 'made'> {
  /** The first name of what was being changed: the others of a batch stand as it does. */
  readonly first: Subject
  /** How many nodes have confirmed it. */
  readonly confirmed: number
}

/** Codes of errors behind which a change may be made or not. */
const UNTOLD: ReadonlySet<string | undefined> = new Set([
  'ERR_CLOSED',
  'ERR_TIMEOUT',
  'ERR_UNREACHABLE',
])

/**
 * What is done all the same when a command ends early. Ctrl-C, or a node that is lost meanwhile,
 * ends the waiting, not the change; an error of the node ends what it was about and what follows.
 */
function whenCutShort(
  error: unknown,
  { io, operator, kind, all, made, first, confirmed }: CutShort,
): string | undefined {
  const { node } = operator
  const name = displaySubject(first)
  const look = `see fridge whitelist show ${name}`
  const names = count(all.length, 'name')
  const done = `${made} of ${names} ${DONE[kind]} on ${node}`
  if (confirmed > 0) {
    const what = all.length === 1 ? `${name} is` : `${names} are`
    return `the wait ended early: ${what} ${DONE[kind]} on ${node}, and the others follow; ${look}`
  }
  if (io.signal.aborted || UNTOLD.has(errorCode(error))) {
    if (all.length > 1) return `${done}; ${name} and what follows it perhaps not: ${look}`
    return io.signal.aborted
      ? `the wait ended early, and perhaps it is not done: ${look}`
      : undefined
  }
  return made > 0 ? `${done}; ${name} and what follows it not` : undefined
}

function isRevoked(error: unknown): boolean {
  return errorCode(error) === 'ERR_REVOKED'
}

/** How long a person wants to wait for the other nodes, in milliseconds. */
export function waitOf({ timeout }: WhitelistChangeOptions): number {
  return timeout === undefined ? DEFAULT_WAIT_MS : parseDuration(timeout)
}

/** @throws FridgeError `ERR_USAGE` when the reason is none */
export function reasonOf({ reason }: WhitelistChangeOptions): Pick<BatchWish, 'reason'> {
  if (reason === undefined || isReason(reason)) return reason === undefined ? {} : { reason }
  // eslint-disable-next-line no-control-regex
  const control = /(?!\n)[\p{Cc}\p{Cs}]/u.exec(reason)?.[0]
  const found = control === undefined ? '' : `: it holds the character ${JSON.stringify(control)}`
  throw new FridgeError('ERR_USAGE', `--reason is not 1 to 500 characters of text${found}`)
}

/** Up to so many nodes are each shown with what they did. */
const MAX_LINES = 64

/** Nodes that took so long are shown in any cluster, in milliseconds. */
const SLOW_MS = 1_000

/** Whether what a node did is shown by itself: in a large cluster where it is not what all others did. */
export function isWorthALine({ cut = 0, tookMs = 0 }: NodeConfirmation, nodes: number): boolean {
  return nodes <= MAX_LINES || cut > 0 || tookMs >= SLOW_MS
}

/** That one node has applied a change. */
export function formatConfirmation({ node, afterMs, cut }: NodeConfirmation): string {
  const cuts = cut === undefined || cut === 0 ? '' : `, ${count(cut, 'connection')} cut`
  return `  ${node} applied it after ${afterMs.toFixed(1)} ms${cuts}`
}

/** What became of a change on all nodes. */
export function summarize(
  what: string,
  change: Pick<CommittedChange, 'confirmed' | 'silent' | 'left' | 'unreachable'>,
  { allowUnreachable = false }: WhitelistChangeOptions,
  io: CommandIo,
): void {
  const { confirmed, silent, left } = change
  // Of a name that runs twice one run has confirmed, and it can be reached: it is not to be forgotten.
  const names = new Set(confirmed.map(({ node }) => node))
  const doubled = change.unreachable.filter(name => names.has(name))
  const unreachable = change.unreachable.filter(name => !names.has(name))
  io.out(`${what} on ${count(confirmed.length, 'node')}`)
  if (silent.length > 0) io.err(`no word yet from ${silent.join(', ')}`)
  if (left.length > 0) io.err(`stopped in order: ${left.join(', ')}; will follow when started`)
  if (doubled.length > 0) {
    io.err(
      `runs twice: ${doubled.join(', ')}; the machine that is turned away has not confirmed it`,
    )
    io.err('  to see which machines these are: fridge doctor')
  }
  if (unreachable.length > 0) {
    io.err(`out of reach: ${unreachable.join(', ')}; will follow when back`)
    if (allowUnreachable) return
    io.err(
      `  should one never be back: fridge node forget ${unreachable[0]}; where it is meant to be away: --allow-unreachable`,
    )
  }
}
