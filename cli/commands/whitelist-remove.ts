import type { NodeConfirmation } from '../../node/gossip/confirmations.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { displaySubject, parseSubject } from '../../node/identity/names.ts'
import type { ShowReport } from '../../node/operators/service.ts'
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
import { certificateFolder } from './certs-options.ts'
import { assertMeant } from './removal-doubt.ts'

/** What `add` and `remove` share. */
export interface WhitelistChangeOptions extends TargetOptions {
  readonly reason?: string
  /** Default true. */
  readonly wait?: boolean
  readonly timeout?: string
  /** That a name which nobody knows, or the last operator, is meant. Default false. */
  readonly force?: boolean
  /** That nodes out of reach have not confirmed it is meant: they hold back no status 0. Default false. */
  readonly allowUnreachable?: boolean
}

const DEFAULT_WAIT_MS = 10_000

/** Exit status: 0 every node has applied it, 1 some have not confirmed it. */
export async function runWhitelistRemove(
  name: string,
  options: WhitelistChangeOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const wish: ChangeWish = { kind: 'revocation', subject: parseSubject(name) }
  return runChange(wish, options, io, async (before, operator) => {
    if (options.force !== true)
      await assertMeant(before, operator, certificateFolder(options, io), io)
    return wish
  })
}

/** Looks at how a name stands, just before the change. @returns what to ask for */
type Prepare = (before: ShowReport, operator: OperatorConnection) => Promise<ChangeWish>

/** Make a change, wait for the cluster, and show it node by node. */
export async function runChange(
  wish: ChangeWish,
  options: WhitelistChangeOptions,
  io: CommandIo,
  prepare: Prepare,
): Promise<ExitStatus> {
  const reason = reasonOf(options)
  const waitMs = options.wait === false ? 0 : waitOf(options)
  const json = options.json === true
  await using operator = await connectOperator(options, io)
  const done = wish.kind === 'grant' ? 'added' : 'removed'
  const before = await operator.show(wish.subject)
  const prepared = await prepare(before, operator)
  const live = before.nodes.filter(({ state }) => state !== 'out of reach')
  let confirmed = 0
  const showProgress = (): void =>
    io.progress(`${confirmed} of ${count(live.length, 'node')} have applied it…`)
  if (waitMs > 0) showProgress()
  const attempt = operator.change(
    { ...prepared, ...reason },
    {
      waitMs,
      onDoubt: second =>
        io.err(
          `${second} does not say the same of ${displaySubject(wish.subject)} as ${operator.node}: compare fridge whitelist log --operator NAME on both, and add again whom this shut out`,
        ),
      onConfirmed: confirmation => {
        if (waitMs === 0) return
        confirmed += 1
        if (!json) io.out(formatConfirmation(confirmation))
        showProgress()
      },
    },
  )
  const change = await attempt.catch((error: unknown) => {
    // A node cuts whom it has just removed, so nobody hears the proof of its own removal.
    if (wish.kind === 'revocation' && wish.subject === operator.subject && isRevoked(error)) return
    if (io.signal.aborted || confirmed > 0)
      io.err(whenCutShort(wish, confirmed > 0 ? operator.node : undefined))
    throw error
  })
  io.progress('')
  if (change === undefined) {
    const { subject, kind } = wish
    if (json) io.out(JSON.stringify({ subject, change: kind, node: operator.node, self: true }))
    else io.out(`${subject} ${done} on ${operator.node}; the others follow`)
    io.err(`you are shut out; another operator can see it: fridge whitelist show ${subject}`)
    return waitMs === 0 || before.nodes.length === 1 ? EXIT.done : EXIT.notDone
  }
  if (json) {
    const { outcome: _, ...rest } = change
    io.out(
      JSON.stringify({ subject: wish.subject, change: wish.kind, node: operator.node, ...rest }),
    )
  } else if (waitMs === 0)
    io.out(`${displaySubject(wish.subject)} ${done} on ${operator.node}; the others follow`)
  else summarize(`${displaySubject(wish.subject)} ${done}`, change, options, io)
  return waitMs === 0 || isConfirmed(change, options) ? EXIT.done : EXIT.notDone
}

/** Whether no node is left that should have confirmed a change, and has not. */
export function isConfirmed(
  { silent, unreachable }: CommittedChange,
  { allowUnreachable = false }: WhitelistChangeOptions,
): boolean {
  return silent.length === 0 && (allowUnreachable || unreachable.length === 0)
}

/** Ctrl-C, or a node that is lost meanwhile, ends the waiting, not the change. */
function whenCutShort({ subject, kind }: ChangeWish, node: string | undefined): string {
  const name = displaySubject(subject)
  const look = `see fridge whitelist show ${name}`
  if (node === undefined) return `the wait ended early, and perhaps it is not done: ${look}`
  const done = kind === 'grant' ? 'added' : 'removed'
  return `the wait ended early: ${name} is ${done} on ${node}, and the others follow; ${look}`
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
  throw new FridgeError('ERR_USAGE', '--reason is not 1 to 500 characters of text')
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
