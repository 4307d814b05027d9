import type { NodeConfirmation } from '../../node/gossip/confirmations.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { displaySubject, type Subject } from '../../node/identity/names.ts'
import type { ShowReport } from '../../node/operators/subjects.ts'
import { isReason } from '../../node/whitelist/change.ts'
import { parseDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import type {
  ChangeWish,
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
type Prepare = (before: ShowReport, operator: OperatorConnection) => Promise<ChangeWish>

const DONE = { grant: 'added', revocation: 'removed' } as const

/**
 * Make changes on one node, one after the other, wait for the cluster, and show it node by node. A
 * node that has applied the last one has applied all: they are waited for together. What is wrong
 * with one of them is found before the first is made.
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
  const [first] = subjects
  if (first === undefined) return EXIT.done
  await using operator = await connectOperator(options, io)
  const all = count(subjects.length, 'name')
  const planned: Planned[] = []
  // Nodes are asked how far they have come, which takes its time, once and not for each name.
  const shown = await operator.show(first)
  for (const subject of subjects) {
    const before =
      subject === first ? shown : { ...(await operator.find(subject)), nodes: shown.nodes }
    planned.push({ before, wish: { ...(await prepare(before, operator)), ...reason } })
  }
  // Who removes itself is cut at once, and can do nothing behind that.
  const isOwn = ({ before }: Planned): boolean => before.subject === operator.subject
  planned.sort((a, b) => Number(isOwn(a)) - Number(isOwn(b)))
  const asked = { options, io, operator, kind }
  const last = planned.pop()
  if (last === undefined) return EXIT.done
  for (const [made, plan] of planned.entries()) {
    io.progress(`${made} of ${all}…`)
    await new OneChange(plan, { ...asked, waitMs: 0 }).make().catch((error: unknown) => {
      if (made > 0) io.err(`${made} of ${all} ${DONE[kind]} on ${operator.node}, the rest not`)
      throw error
    })
    io.noteDone(`${made + 1} of ${all} ${DONE[kind]} on ${operator.node}`)
  }
  const what = `${planned.length === 0 ? displaySubject(last.before.subject) : all} ${DONE[kind]}`
  return await new OneChange(last, { ...asked, waitMs }).makeAndShow(what)
}

/** What is to be asked for of one name, and how it stood before. */
interface Planned {
  readonly before: ShowReport
  readonly wish: ChangeWish
}

interface OneChangeOptions {
  readonly options: WhitelistChangeOptions
  readonly io: CommandIo
  readonly operator: OperatorConnection
  readonly kind: Changes['kind']
  /** How long to wait for the other nodes, in milliseconds; 0 not at all. */
  readonly waitMs: number
}

/** One change of several that one command makes. */
class OneChange {
  readonly #planned: Planned
  readonly #given: OneChangeOptions
  readonly #nodes: number
  #confirmed = 0

  constructor(planned: Planned, given: OneChangeOptions) {
    this.#planned = planned
    this.#given = given
    this.#nodes = planned.before.nodes.filter(({ state }) => state !== 'out of reach').length
  }

  /** @returns undefined where the operator has removed itself: nobody hears the proof of its own removal */
  async make(): Promise<CommittedChange | undefined> {
    const { io, operator, kind, waitMs, options } = this.#given
    const { wish, before } = this.#planned
    const { subject } = before
    if (waitMs > 0) this.#showProgress()
    const attempt = operator.change(wish, {
      waitMs,
      onDoubt: second =>
        io.err(
          `${second} does not say the same of ${displaySubject(subject)} as ${operator.node}: compare fridge whitelist log --operator NAME on both, and add again whom this shut out`,
        ),
      onConfirmed: confirmation => {
        if (waitMs === 0) return
        this.#confirmed += 1
        if (options.json !== true && isWorthALine(confirmation, this.#nodes)) {
          io.out(formatConfirmation(confirmation))
        }
        this.#showProgress()
      },
    })
    const change = await attempt.catch((error: unknown) => {
      if (kind === 'revocation' && subject === operator.subject && isRevoked(error))
        return undefined
      if (io.signal.aborted || this.#confirmed > 0)
        io.err(whenCutShort(kind, subject, this.#confirmed > 0 ? operator.node : undefined))
      throw error
    })
    io.progress('')
    io.noteDone(`${displaySubject(subject)} is ${DONE[kind]} on ${operator.node}`)
    return change
  }

  /** @param what is done when it is, in words */
  async makeAndShow(what: string): Promise<ExitStatus> {
    const { io, operator, kind, options, waitMs } = this.#given
    const { subject } = this.#planned.before
    const json = options.json === true
    const change = await this.make()
    if (change === undefined) {
      if (json) io.out(JSON.stringify({ subject, change: kind, node: operator.node, self: true }))
      else io.out(`${subject} removed on ${operator.node}; the others follow`)
      io.err(`you are shut out; another operator can see it: fridge whitelist show ${subject}`)
      return waitMs === 0 || this.#nodes === 1 ? EXIT.done : EXIT.notDone
    }
    if (json) {
      const { outcome: _, ...rest } = change
      io.out(JSON.stringify({ subject, change: kind, node: operator.node, ...rest }))
    } else if (waitMs === 0) io.out(`${what} on ${operator.node}; the others follow`)
    else summarize(what, change, options, io)
    return waitMs === 0 || isConfirmed(change, options) ? EXIT.done : EXIT.notDone
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

/** Ctrl-C, or a node that is lost meanwhile, ends the waiting, not the change. */
function whenCutShort(kind: Changes['kind'], subject: Subject, node: string | undefined): string {
  const name = displaySubject(subject)
  const look = `see fridge whitelist show ${name}`
  if (node === undefined) return `the wait ended early, and perhaps it is not done: ${look}`
  return `the wait ended early: ${name} is ${DONE[kind]} on ${node}, and the others follow; ${look}`
}

function isRevoked(error: unknown): boolean {
  return errorCode(error) === 'ERR_REVOKED'
}

/** How long a person wants to wait for the other nodes, in milliseconds. */
export function waitOf({ timeout }: WhitelistChangeOptions): number {
  return timeout === undefined ? DEFAULT_WAIT_MS : parseDuration(timeout)
}

/** @throws FridgeError `ERR_USAGE` when the reason is none */
export function reasonOf({ reason }: WhitelistChangeOptions): Pick<ChangeWish, 'reason'> {
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
  change: CommittedChange,
  { allowUnreachable = false }: WhitelistChangeOptions,
  io: CommandIo,
): void {
  const { confirmed, silent, unreachable, left } = change
  io.out(`${what} on ${count(confirmed.length, 'node')}`)
  if (silent.length > 0) io.err(`no word yet from ${silent.join(', ')}`)
  if (left.length > 0) io.err(`stopped in order: ${left.join(', ')}; will follow when started`)
  if (unreachable.length > 0) {
    io.err(`out of reach: ${unreachable.join(', ')}; will follow when back`)
    if (allowUnreachable) return
    io.err(
      `  should one never be back: fridge node forget ${unreachable[0]}; where it is meant to be away: --allow-unreachable`,
    )
  }
}
