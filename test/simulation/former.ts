import { parseName, type Name } from '../../node/identity/names.ts'
import type { People, Person } from '../support/replica-people.ts'

/** The operators of all schedules; the first is never removed. */
export const OPERATORS: readonly Name[] = ['olga', 'oscar', 'otto'].map(parseName)

/** Operators by their names, with certificates of an authority that was withdrawn. */
export type Former = ReadonlyMap<Name, Person>

/** Make such certificates for all operators of a schedule. */
export async function makeFormer(people: People): Promise<Former> {
  const made = OPERATORS.map(async (name): Promise<[Name, Person]> => {
    return [name, await people.issue('operator', name, { byFormer: true })]
  })
  return new Map(await Promise.all(made))
}
