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
  isSeen,
  readUpTo,
  type Change,
  type ChangeId,
  type Checkpoint,
  type UpTo,
} from '../../whitelist/change.ts'
import { FridgeError } from '../../lib/errors.ts'
import { BATCH_LIMITS } from '../../operators/batch-limits.ts'
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

/** Ask a node what a change of a subject has seen. @returns undefined when it does not say */
export async function askFrontier(
  connection: NodeConnection,
  subject: Subject,
): Promise<Frontier | undefined> {
  if (!connection.methods.has('frontier')) return undefined
  const asked = connection.call('frontier', [subject], { timeoutMs: SECOND_MS })
  return asked.then(readFrontier, () => undefined)
}

/** Questions about one subject each that wait for an answer at once. */
const MAX_ASKED = 16

/** Ask a node the same of some subjects. @returns in their order; undefined where it does not say */
export async function askFrontiers(
  connection: NodeConnection,
  subjects: readonly Subject[],
): Promise<(Frontier | undefined)[]> {
  const said: (Frontier | undefined)[] = []
  const isOld = !connection.methods.has('frontiers')
  while (said.length < subjects.length) {
    const from = said.length
    if (isOld) {
      const some = subjects.slice(from, from + MAX_ASKED)
      const asked = some.map(async subject => askFrontier(connection, subject))
      said.push(...(await Promise.all(asked)))
      continue
    }
    const asked = subjects.slice(from, from + BATCH_LIMITS.maxChanges)
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
  connection: NodeConnection,
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

async function isRemoved(node: Subject, connection: NodeConnection): Promise<boolean> {
  const asked = connection.call('show', [node], { timeoutMs: SECOND_MS })
  const shown = await asked.catch(() => undefined)
  return (
    typeof shown === 'object' &&
    shown !== null &&
    'standing' in shown &&
    shown.standing === 'revoked'
  )
}

/** Whether a proposed change rests on what another node says as well. */
export function agrees(change: Change, { seen, upTo }: Frontier): boolean {
  return (
    isDeepStrictEqual(change.seen, seen) &&
    (change.kind !== 'revocation' || isDeepStrictEqual(change.upTo, upTo))
  )
}

/** That two nodes do not say the same of what a change rests on. */
export function disagreement(
  { kind, subject }: ChangeWish,
  node: string,
  second: string,
): FridgeError {
  if (kind === 'checkpoint') {
    const what = `${second} holds changes that ${node} has not seen: nothing was signed`
    return new FridgeError('ERR_CONFLICT', what, { fix: 'try again' })
  }
  const name = displaySubject(subject)
  const what = `${node} and ${second} do not say the same of ${name}: nothing was signed`
  const fix = `try again; or name one of them alone: fridge whitelist add ${name} --node HOST:PORT`
  return new FridgeError('ERR_CONFLICT', what, { fix })
}
