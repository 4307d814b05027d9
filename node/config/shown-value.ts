import { inspect } from 'node:util'

/** A value as it is shown to a person: one short line, however large or circular the value. */
export function describe(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : inspect(value, { depth: 2, maxArrayLength: 5, breakLength: Infinity })
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}
