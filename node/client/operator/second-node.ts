import { isDeepStrictEqual } from 'node:util'
import {
  displaySubject,
  isRun,
  isSource,
  nodeOf,
  subjectOf,
  type Source,
  type Subject,
} from '../../identity/names.ts'
import {
  headFields,
  isHash,
  isSeen,
  readUpTo,
  type Change,
  type ChangeId,
  type Checkpoint,
  type UpTo,
} from '../../whitelist/change.ts'
import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import { BATCH_LIMITS } from '../../operators/batch-limits.ts'
import type { StatedList } from '../../whitelist/stated-list.ts'
import type { NodeConnection } from '../node-connection.ts'
import type { ChangeWish } from './proposal.ts'

/** What a change of a subject that is made now has seen, as one node says. */
interface Frontier {
  readonly seen: readonly ChangeId[]
  /** Of an operator or a node: up to where its grants would count. */
  readonly upTo?: UpTo
}

/** Removed nodes whose sources a checkpoint may leave out: each costs a question. */
const MAX_LEFT_OUT = 8

/** How long a second node may take to answer, in milliseconds. */
const SECOND_MS = 2_000

/** How long it may look through its list for what that was, in milliseconds. */
const STATE_MS = 60_000

/** How often it is asked until it holds what a checkpoint covers, and how long between, in milliseconds. */
const ARRIVAL = { tries: 8, waitMs: 250 } as const

/** In what a second node does not agree with what another one proposes. */
export type Difference =
  /** What a grant or a removal has seen, or up to where a removed author counts. */
  | 'frontier'
  /** It does not say what a grant or a removal would have seen. */
  | 'silent'
  /** It holds changes that a checkpoint does not cover. */
  | 'newer'
  /** It does not hold all that a checkpoint covers, or knows that none there can be true. */
  | 'lacking'
  /** What the list was at the heads of a checkpoint. */
  | 'state'
  /** It does not say what the list was there. */
  | 'unsaid'

/** Those that may pass when it is proposed anew: changes are on their way, or answers are. */
const PASSING: ReadonlySet<Difference> = new Set(['frontier', 'silent', 'newer'])

export function mayPass(difference: Difference): boolean {
  return PASSING.has(difference)
}

/** Whether there is something to compare about a change: a client can be removed by any node. */
export function isComparable(change: Change): boolean {
  return change.kind !== 'revocation' || change.upTo !== undefined
}

/**
 * Compare what a node proposes with what a second one says: either might be stolen.
 * @returns in what they differ, if they do
 */
export async function differenceOf(
  change: Change,
  second: Pick<NodeConnection, 'call'>,
  clock: Pick<Clock, 'sleep'>,
): Promise<Difference | undefined> {
  if (change.kind === 'checkpoint') return differenceOfCheckpoint(change, second, clock)
  return differenceFrom(change, await askFrontier(second, change.subject))
}

/**
 * That a list was is not enough, and neither is that nothing is left out: what a checkpoint states is
 * what newcomers begin with, who cannot find out whether it is true.
 */
async function differenceOfCheckpoint(
  change: Checkpoint,
  second: Pick<NodeConnection, 'call'>,
  clock: Pick<Clock, 'sleep'>,
): Promise<Difference | undefined> {
  const isNewest = await hasSeenAll(change, second)
  if (isNewest !== true) return isNewest === false ? 'newer' : 'unsaid'
  for (let left: number = ARRIVAL.tries; ; left -= 1) {
    const stated = await askState(change, second)
    if (stated === undefined) return 'unsaid'
    if (stated !== null) {
      const isSame = stated.state === change.state && stated.subjects === change.subjects
      return isSame ? undefined : 'state'
    }
    if (left === 1) return 'lacking'
    await clock.sleep(ARRIVAL.waitMs)
  }
}

/** Ask a node what the list was at the heads of a checkpoint. @returns undefined when it does not say */
async function askState(
  { heads }: Checkpoint,
  connection: Pick<NodeConnection, 'call'>,
): Promise<StatedList | null | undefined> {
  const asked = connection.call('stateAt', [headFields(heads)], { timeoutMs: STATE_MS })
  const stated = await asked.catch(() => undefined)
  if (stated === null) return null
  if (typeof stated !== 'object' || !('state' in stated) || !('subjects' in stated))
    return undefined
  const { state, subjects } = stated
  return isHash(state) && typeof subjects === 'number' ? { state, subjects } : undefined
}

/** Ask a node what a change of a subject has seen. @returns undefined when it does not say */
async function askFrontier(
  connection: Pick<NodeConnection, 'call'>,
  subject: Subject,
): Promise<Frontier | undefined> {
  const asked = connection.call('frontier', [subject], { timeoutMs: SECOND_MS })
  return asked.then(readFrontier, () => undefined)
}

/** Ask a node the same of some subjects. @returns in their order; undefined where it does not say */
export async function askFrontiers(
  connection: Pick<NodeConnection, 'call'>,
  subjects: readonly Subject[],
): Promise<(Frontier | undefined)[]> {
  const said: (Frontier | undefined)[] = []
  while (said.length < subjects.length) {
    const asked = subjects.slice(said.length, said.length + BATCH_LIMITS.maxChanges)
    const answer = await connection
      .call('frontiers', [asked], { timeoutMs: SECOND_MS })
      .catch(() => undefined)
    const some = Array.isArray(answer) ? answer.slice(0, asked.length) : []
    if (some.length === 0) return subjects.map((_, index) => said[index])
    said.push(...some.map(readFrontier))
  }
  return said
}

/** The answer of `frontier`, from a node that may be stolen. @returns undefined when it is none */
function readFrontier(value: unknown): Frontier | undefined {
  if (typeof value !== 'object' || value === null || !('seen' in value)) return undefined
  const { seen } = value
  if (!isSeen(seen)) return undefined
  if (!('upTo' in value)) return { seen }
  const upTo = readUpTo(value.upTo)
  return upTo === undefined ? undefined : { seen, upTo }
}

/** Whether a checkpoint has seen all that another node says to hold. @returns undefined when it does not say */
export async function hasSeenAll(
  { heads }: Checkpoint,
  connection: Pick<NodeConnection, 'call'>,
): Promise<boolean | undefined> {
  const asked = connection.call('clock', [], { timeoutMs: SECOND_MS })
  const clock = await asked.catch(() => undefined)
  if (typeof clock !== 'object' || clock === null) return undefined
  const behind = Object.entries(clock).filter(
    ([source, sequence]) =>
      isSource(source) && isRun(source) && (heads.get(source)?.sequence ?? 0) < Number(sequence),
  )
  const nodes = new Set(behind.map(([source]) => nodeOf(source as Source)))
  // Of too many sources those of removed nodes may be left out.
  if (behind.some(([source]) => heads.has(source as Source)) || nodes.size > MAX_LEFT_OUT)
    return false
  const removed = Array.from(nodes, async name => isRemoved(subjectOf('node', name), connection))
  return (await Promise.all(removed)).every(is => is)
}

async function isRemoved(
  node: Subject,
  connection: Pick<NodeConnection, 'call'>,
): Promise<boolean> {
  const asked = connection.call('show', [node], { timeoutMs: SECOND_MS })
  const shown = await asked.catch(() => undefined)
  return (
    typeof shown === 'object' &&
    shown !== null &&
    'standing' in shown &&
    shown.standing === 'revoked'
  )
}

/**
 * In what a proposed change differs from what another node says of its subject. A node that says
 * nothing agrees with nobody: else whoever cuts it off would take its place.
 */
export function differenceFrom(
  change: Change,
  frontier: Frontier | undefined,
): Difference | undefined {
  if (frontier === undefined) return 'silent'
  const { seen, upTo } = frontier
  const isSame =
    isDeepStrictEqual(change.seen, seen) &&
    (change.kind !== 'revocation' || isDeepStrictEqual(change.upTo, upTo))
  return isSame ? undefined : 'frontier'
}

/** That two nodes do not say the same of what a change rests on: nothing was signed. */
export function disagreement(
  { subject }: ChangeWish,
  nodes: { readonly node: string; readonly second: string },
  difference: Difference,
): FridgeError {
  const { what, fix } = WORDS[difference](nodes, displaySubject(subject))
  return new FridgeError('ERR_CONFLICT', `${what}: nothing was signed`, { fix })
}

interface Words {
  readonly what: string
  readonly fix: string
}

const CHECKPOINT_COMMAND = 'fridge whitelist checkpoint'

const WORDS: Readonly<
  Record<
    Difference,
    (nodes: { readonly node: string; readonly second: string }, name: string) => Words
  >
> = {
  frontier: ({ node, second }, name) => ({
    what: `${node} and ${second} do not say the same of ${name}`,
    fix: `try again; or name one of them alone: fridge whitelist add ${name} --node HOST:PORT`,
  }),
  silent: ({ second }, name) => ({
    what: `${second} does not say what it holds of ${name}`,
    fix: `try again; or name another second node, or none: fridge whitelist add ${name} --node HOST:PORT`,
  }),
  newer: ({ node, second }) => ({
    what: `${second} holds changes that ${node} has not seen`,
    fix: 'try again',
  }),
  lacking: ({ node, second }) => ({
    what: `${second} does not hold all that ${node} would state, or holds what proves that it is not true`,
    fix: `see whether ${second} is behind: fridge status; else compare with a third node: ${CHECKPOINT_COMMAND} --node HOST:PORT --node THIRD:PORT`,
  }),
  state: ({ node, second }) => ({
    what: `${node} and ${second} do not say the same of what the list is, though both hold the same changes`,
    fix: `see that both have the same authorities: fridge doctor; if so, one of them may be stolen: compare each with a third node, ${CHECKPOINT_COMMAND} --node HOST:PORT --node THIRD:PORT, and remove the one that differs from both`,
  }),
  unsaid: ({ second }) => ({
    what: `${second} does not say what the list is`,
    fix: `try again; or name another second node: ${CHECKPOINT_COMMAND} --node HOST:PORT --node THIRD:PORT`,
  }),
}
