import type { Credentials } from '../../identity/credentials.ts'
import type { Name } from '../../identity/names.ts'
import { encodeChange, type Change, type Place } from '../../whitelist/change.ts'
import type { CallOptions } from '../../wire/rpc.ts'
import { ANSWER_MS } from '../node-connection.ts'
import {
  parseCommitReport,
  parseNodeConfirmation,
  unreadable,
  type NodeConfirmation,
  type UnprovenReport,
} from './answers.ts'
import { LogChecker, readPage } from './log-entry.ts'

export interface CommitAnswerOptions {
  /** The node that is asked. */
  readonly node: Name
  /** The method that is called, for errors. */
  readonly method: string
  /** The last place that is to be taken. */
  readonly place: Place
  /** How long the node waits for the others, in milliseconds. */
  readonly waitMs: number
  readonly onConfirmed?: (confirmation: NodeConfirmation) => void
}

/**
 * Have the node commit what was signed, and hear of each node that confirms it.
 * @throws FridgeError `ERR_PROTOCOL` when its answer cannot be read
 */
export async function askCommit(
  ask: (options: CallOptions) => Promise<unknown>,
  { node, method, place, waitMs, onConfirmed }: CommitAnswerOptions,
): Promise<UnprovenReport> {
  const stop = new AbortController()
  const heard = new Set<Name>()
  const onProgress = (value: unknown): void => {
    const confirmation = parseNodeConfirmation(value)
    if (typeof confirmation === 'string') return stop.abort(unreadable(node, method, confirmation))
    // A node that confirms again and again would be printed again and again.
    if (heard.has(confirmation.node)) return
    heard.add(confirmation.node)
    onConfirmed?.(confirmation)
  }
  const answer = await ask({
    timeoutMs: ANSWER_MS + waitMs,
    signal: stop.signal,
    ...(onConfirmed && { onProgress }),
  })
  const { source, sequence } = place
  const report = parseCommitReport(answer, { source, sequence })
  if (typeof report === 'string') throw unreadable(node, method, report)
  return report
}

/** Whether a page of the log proves that a signed change can never stand at its place. */
export async function provesTaken(
  page: unknown,
  change: Change,
  { node, credentials }: { readonly node: Name; readonly credentials: Credentials },
): Promise<boolean> {
  const checker = new LogChecker(credentials)
  const [entry] = await checker.check(readPage(page, node))
  if (entry?.change === undefined || entry.problem !== undefined) return false
  return (
    entry.change.source === change.source &&
    entry.change.sequence === change.sequence &&
    entry.sent.text !== encodeChange(change)
  )
}
