import { z } from 'zod'

import type { ConfigFile, ConfigPath } from './config-file.ts'
import { FridgeError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { describe } from './shown-value.ts'

/** Problems told at once; the rest are mostly consequences of the first. */
const MAX_PROBLEMS = 10

/** A finding of a schema, as far as it is read here. */
export type ConfigIssue =
  | z.core.$ZodIssue
  | { code: 'custom'; path: PropertyKey[]; message: string }

/** What the findings are about. */
export interface ConfigPlace {
  readonly schema: z.ZodType
  readonly values: unknown
  readonly file: ConfigFile | undefined
  /** Keys at the top that the environment or the command line set, and the name they have there. */
  readonly origins: ReadonlyMap<PropertyKey, string>
}

interface Problem {
  text: string
  fix: string
}

/** The error that tells a person each place, what was found there, what is allowed, and a fix. */
export function configError(issues: readonly ConfigIssue[], place: ConfigPlace): FridgeError {
  // A misspelt key is mostly why another key is missing, so it comes first.
  const sorted = [...issues].sort((a, b) => rank(a) - rank(b))
  // What is said of the length of a value that is of the wrong kind helps nobody.
  const first = new Map(sorted.toReversed().map(issue => [pathText(issue.path), issue]))
  const told = sorted.filter(
    issue => issue.code === 'unrecognized_keys' || first.get(pathText(issue.path)) === issue,
  )
  const problems = told.flatMap(issue => problemsOf(issue, place, []))
  const shown = problems.slice(0, MAX_PROBLEMS).map(({ text }) => text)
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`)
  return new FridgeError('ERR_CONFIG', shown.join('\n'), {
    fix: problems[0]?.fix ?? 'correct the configuration',
  })
}

function rank(issue: ConfigIssue): number {
  return issue.code === 'unrecognized_keys' ? 0 : 1
}

function problemsOf(issue: ConfigIssue, place: ConfigPlace, outer: ConfigPath): Problem[] {
  const path = [...outer, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => unknownKey(key, path, place))
  }
  if (issue.code === 'invalid_union') {
    // The form that came nearest says best what is missing.
    const [closest] = [...issue.errors].sort((a, b) => a.length - b.length)
    const first = closest?.[0]
    if (closest !== undefined && first !== undefined && first.path.length > 0) {
      return closest.flatMap(inner => problemsOf(inner, place, path))
    }
  }
  const found = valueAt(place.values, path)
  const title = pathText(path)
  const where = placeOf(path, place)
  const allowed = allowedBy(issue)
  if (found === undefined) {
    const flag = FLAGS.get(title)
    return [
      {
        text: `${where}: \`${title}\` is missing: expected ${allowed}`,
        fix: flag === undefined ? `add \`${title}\`` : `add \`${title}\` to the file, or ${flag}`,
      },
    ]
  }
  return [
    {
      text: `${where}: \`${title}\` is ${describe(found)}: expected ${allowed}`,
      fix:
        remedyOf(issue, path) ??
        `set \`${title}\` to ${suggestion(issue, found, keysOf(schemaAt(place.schema, path))) ?? allowed}`,
    },
  ]
}

const FLAGS: ReadonlyMap<string, string> = new Map([
  ['name', 'start with --name NAME or FRIDGE_NAME=NAME'],
  ['advertise', 'set FRIDGE_ADVERTISE=HOST:PORT'],
])

function unknownKey(key: string, path: ConfigPath, place: ConfigPlace): Problem {
  const known = keysOf(schemaAt(place.schema, path))
  const full = pathText([...path, key])
  const near = nearest(key, known)
  const where = placeOf([...path, key], place)
  if (near === undefined) {
    return {
      text: `${where}: unknown key \`${full}\`: known here are ${known.join(', ') || 'none'}`,
      fix: `remove \`${full}\``,
    }
  }
  const meant = pathText([...path, near])
  return {
    text: `${where}: unknown key \`${full}\`: did you mean \`${meant}\`?`,
    fix: `rename \`${full}\` to \`${meant}\``,
  }
}

/** What a finding would have accepted. */
function allowedBy(issue: ConfigIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES.get(issue.expected) ?? issue.expected
    case 'invalid_value':
      return issue.values.map(value => describe(value)).join(' or ')
    case 'invalid_union':
      return 'options' in issue && issue.options !== undefined
        ? issue.options.map(value => describe(value)).join(' or ')
        : issue.message
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`
    default:
      return issue.message
  }
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['int', 'a whole number'],
  ['number', 'a number'],
  ['string', 'text'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a group of keys'],
  ['record', 'a group of keys'],
])

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters'
  return origin === 'array' ? ' items' : ''
}

/** How what was found is written right, where that can be told. @param keys that may stand there */
function suggestion(
  issue: ConfigIssue,
  found: unknown,
  keys: readonly string[],
): string | undefined {
  switch (issue.code) {
    case 'custom':
      return suggestedBy(issue)
    case 'invalid_union':
      return 'errors' in issue ? issue.errors.flat().map(suggestedBy).find(Boolean) : undefined
    case 'invalid_type':
      if (issue.expected === 'array' && typeof found === 'string') return `[${found}]`
      return groupOf(found, keys)
    case 'invalid_value': {
      if (typeof found !== 'string') return undefined
      const words = issue.values.filter(value => typeof value === 'string')
      const near = nearest(found, words)
      return near === undefined ? undefined : describe(near)
    }
    default:
      return undefined
  }
}

/** A value alone, where its group has a key that it is likely meant for. */
function groupOf(found: unknown, keys: readonly string[]): string | undefined {
  if (keys.includes('listen')) {
    if (found === 'off') return '{ listen: off }'
    const isPort = typeof found === 'number' && Number.isInteger(found)
    if (isPort) return `{ listen: 127.0.0.1:${found} }`
    return typeof found === 'string' && /^[^\s{}[\],]+:\d+$/.test(found)
      ? `{ listen: ${found} }`
      : undefined
  }
  if (keys.includes('limit') && typeof found === 'number') return `{ limit: ${found} }`
  if (typeof found !== 'string') return undefined
  const key = ['driver', 'url', 'broker'].find(one => keys.includes(one))
  return key !== undefined && /^[\w:/.-]+$/.test(found) ? `{ ${key}: ${found} }` : undefined
}

/** What mends a key that may not stand where it stands, whatever its value; undefined for all others. */
function remedyOf(issue: ConfigIssue, path: ConfigPath): string | undefined {
  const params: unknown = 'params' in issue ? issue.params : undefined
  if (typeof params !== 'object' || params === null || !('remedy' in params)) return undefined
  const { remedy } = params
  if (remedy === 'remove') return `remove \`${pathText(path)}\``
  if (typeof remedy !== 'object' || remedy === null || !('rename' in remedy)) return undefined
  const meant = [...path.slice(0, -1), String(remedy.rename)]
  return `rename \`${pathText(path)}\` to \`${pathText(meant)}\``
}

/** What the check of a value itself says that was likely meant. */
function suggestedBy(issue: object): string | undefined {
  const params: unknown = 'params' in issue ? issue.params : undefined
  if (typeof params !== 'object' || params === null || !('suggestion' in params)) return undefined
  return typeof params.suggestion === 'string' ? params.suggestion : undefined
}

/** `node.yaml:3:1`, `FRIDGE_LISTEN` or `--listen`: where the value at `path` was said. */
function placeOf(path: ConfigPath, { origins, file }: ConfigPlace): string {
  const [top] = path
  const origin = top === undefined ? undefined : origins.get(top)
  return origin ?? file?.locate(path) ?? 'configuration'
}

/** `peers[1]`, `tls.minVersion`. */
function pathText(path: ConfigPath): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '')
}

function valueAt(values: unknown, path: ConfigPath): unknown {
  let value = values
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<PropertyKey, unknown>)[step]
  }
  return value
}

function schemaAt(
  schema: z.core.$ZodType | undefined,
  path: ConfigPath,
): z.core.$ZodType | undefined {
  let inner = unwrapped(schema)
  for (const step of path) {
    if (inner instanceof z.ZodObject) inner = unwrapped(inner.shape[String(step)])
    else if (inner instanceof z.ZodArray) inner = unwrapped(inner.element)
    else if (inner instanceof z.ZodRecord) inner = unwrapped(inner.valueType)
    else return inner
  }
  return inner
}

function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodReadonly
  ) {
    inner = inner.unwrap()
  }
  return inner instanceof z.ZodPipe ? unwrapped(inner.in) : inner
}

/** The keys that may stand in a mapping; of several forms, the keys of all forms. */
function keysOf(schema: z.core.$ZodType | undefined): string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape)
  if (schema instanceof z.ZodUnion) {
    return [...new Set(schema.options.flatMap(option => keysOf(unwrapped(option))))]
  }
  return []
}
