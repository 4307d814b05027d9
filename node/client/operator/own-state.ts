import { isName } from '../../identity/names.ts'
import { foreignText } from '../../lib/foreign-text.ts'
import type { StatusReport } from '../../operators/status.ts'
import { isReason } from '../../whitelist/change.ts'
import { readLostChange } from '../../whitelist/lost-change.ts'

/** What a node says of itself in its `status`, beside how its cluster is. */
export type OwnState = Pick<
  StatusReport,
  'removed' | 'forked' | 'lost' | 'twins' | 'nameInUse' | 'lackingWitnesses' | 'missingArchives'
>

type Lost = NonNullable<StatusReport['lost']>
type Removed = NonNullable<StatusReport['removed']>
type Twins = NonNullable<StatusReport['twins']>

/** Texts for people, twins and lost changes are no longer or more than this. */
const LIMITS = { maxText: 1_024, maxTwins: 4_096, maxLost: 1_024 } as const

/** The name of an archive. */
const ARCHIVE = /^archive-[1-9]\d{0,2}\.db$/

/** More than a database can have. */
const MAX_ARCHIVES = 16

/** The last moment that a date can be (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME = 8.64e15

/** @returns what is wrong with the node itself, or why that cannot be read */
export function parseOwnState(value: Readonly<Record<string, unknown>>): OwnState | string {
  const { removed, forked, lost, twins, nameInUse, lackingWitnesses, missingArchives } = value
  const parsedRemoval = removed === undefined ? undefined : parseRemoved(removed)
  if (typeof parsedRemoval === 'string') return parsedRemoval
  if (forked !== undefined && forked !== true) return 'it does not say whether it has forked'
  const parsedLost = lost === undefined ? undefined : parseLost(lost)
  if (typeof parsedLost === 'string') return parsedLost
  const parsedTwins = twins === undefined ? undefined : parseTwins(twins)
  if (typeof parsedTwins === 'string') return parsedTwins
  if (nameInUse !== undefined && typeof nameInUse !== 'string') {
    return 'it does not say who has its name'
  }
  if (lackingWitnesses !== undefined && !isWitnesses(lackingWitnesses)) {
    return 'it does not say how many nodes it waits for'
  }
  if (missingArchives !== undefined && !isArchives(missingArchives)) {
    return 'the archives that it lacks are malformed'
  }
  return {
    ...(parsedRemoval !== undefined && { removed: parsedRemoval }),
    ...(forked === true && { forked }),
    ...(parsedLost !== undefined && { lost: parsedLost }),
    ...(parsedTwins !== undefined && { twins: parsedTwins }),
    ...(nameInUse !== undefined && { nameInUse: shown(nameInUse) }),
    ...(lackingWitnesses !== undefined && { lackingWitnesses }),
    ...(missingArchives !== undefined && { missingArchives }),
  }
}

function isWitnesses(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

function isArchives(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ARCHIVES) return false
  return value.every(name => typeof name === 'string' && ARCHIVE.test(name))
}

function parseRemoved(value: unknown): Removed | string {
  const { operator, at, reason } = fieldsOf(value)
  if (!isName(operator) || !isTime(at)) return 'it does not say who has removed it'
  if (reason !== undefined && !isReason(reason)) return 'it does not say why it was removed'
  return { operator, at, ...(reason !== undefined && { reason: foreignText(reason) }) }
}

function parseLost(value: unknown): Lost | string {
  const problem = 'the changes that it has lost are malformed'
  if (!Array.isArray(value) || value.length > LIMITS.maxLost) return problem
  const lost = value.map(readLostChange).filter(one => one !== undefined)
  return lost.length === value.length ? lost : problem
}

function parseTwins(value: unknown): Twins | string {
  if (!Array.isArray(value) || value.length > LIMITS.maxTwins) return 'its twins are malformed'
  const twins: Twins[number][] = []
  for (const item of value) {
    const { name, kept, refused } = fieldsOf(item)
    if (!isName(name) || typeof kept !== 'string' || typeof refused !== 'string') {
      return 'its twins are malformed'
    }
    twins.push({ name, kept: shown(kept), refused: shown(refused) })
  }
  return twins
}

/** What an answer holds by name: of what is no object, nothing. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TIME
}

function shown(text: string): string {
  return foreignText(text.slice(0, LIMITS.maxText))
}
