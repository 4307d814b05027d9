import { displaySubject } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import type { ShowReport } from '../../node/operators/subjects.ts'
import type { Terms } from '../../node/whitelist/terms.ts'
import { formatRemaining } from '../duration.ts'
import { count } from '../table.ts'

/**
 * The terms of a new grant, where those are kept of which nothing is said: to let a client read
 * another sensor must not let it call every command.
 * @param asked the terms that were named
 * @throws FridgeError `ERR_USAGE` when the earlier grant has ended, and it is not said when the new
 *   one does
 */
export function keepTerms({ subject, standing, grants }: ShowReport, asked: Terms): Terms {
  if (standing === 'expired' && asked.expiresAt === undefined) {
    const name = displaySubject(subject)
    throw new FridgeError('ERR_USAGE', `the grant of ${name} has ended`, {
      fix: `say how long the new one is for: --expires-in 8h; or that it has no end: --replace`,
    })
  }
  return { ...termsOfAll(grants), ...asked }
}

/** What all of some grants allow: of several, made on two sides of a partition, that is what counts. */
export function termsOfAll(grants: readonly Terms[]): Terms {
  const sensors = inAll(grants.map(one => one.sensors))
  const commands = inAll(grants.map(one => one.commands))
  const keys = inAll(grants.map(one => one.keys))
  const views = grants.length === 0 ? undefined : inAll(grants.map(one => one.views ?? []))
  const ends = grants.map(one => one.expiresAt).filter(end => end !== undefined)
  return {
    ...(sensors && { sensors }),
    ...(commands && { commands }),
    ...(keys && { keys }),
    ...(ends.length > 0 && { expiresAt: Math.min(...ends) }),
    ...(grants.length > 0 && grants.every(one => one.public === true) && { public: true }),
    ...(views !== undefined && views.length > 0 && { views }),
  }
}

/** Views that are none say nothing: a grant that does not name any is read by every version. */
export function withoutEmptyViews({ views = [], ...terms }: Terms): Terms {
  return views.length === 0 ? terms : { ...terms, views }
}

/** What is in each list; a list that is not there holds everything. */
function inAll<T>(lists: readonly (readonly T[] | undefined)[]): readonly T[] | undefined {
  const [first, ...rest] = lists.filter(list => list !== undefined).map(list => new Set(list))
  if (first === undefined) return undefined
  return [...rest.reduce((all, list) => all.intersection(list), first)]
}

/** What a client may, in a line for each term of which it may more, less, or something else than before. */
export function differences(before: Terms, after: Terms, now: number): string[] {
  const lines: string[] = []
  for (const [term, describe] of TERMS) {
    const [was, is] = [describe(before, now), describe(after, now)]
    if (was !== is) lines.push(`  ${term}: ${is} (before: ${was})`)
  }
  return lines
}

const TERMS: readonly (readonly [string, (terms: Terms, now: number) => string])[] = [
  ['sensors', ({ sensors }) => namesOf(sensors)],
  ['commands', ({ commands }) => namesOf(commands)],
  ['keys', ({ keys }) => (keys === undefined ? 'any' : count(keys.length, 'key'))],
  [
    'ends',
    ({ expiresAt }, now) =>
      expiresAt === undefined ? 'never' : `in ${formatRemaining(expiresAt - now)}`,
  ],
  [
    'before signing in',
    ({ public: isPublic }) => (isPublic === true ? 'these sensors' : 'nothing'),
  ],
  ['views', ({ views = [] }) => namesOf(views)],
]

function namesOf(names: readonly string[] | undefined): string {
  return names === undefined ? 'all' : names.toSorted().join(' ') || 'none'
}
