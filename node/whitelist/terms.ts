import { isKeyId, roleOf, type KeyId, type Subject } from '../identity/names.ts'

/** What there is to look at beside sensors, each by the name that a grant has for it. */
export const VIEWS = ['fleet', 'whitelist', 'log'] as const

/** How all fridges are, who is on the list, or who changed it when. */
export type View = (typeof VIEWS)[number]

/** What a grant narrows; what is absent is not narrowed, but for views. */
export interface Terms {
  /** Names of the sensors that may be read. */
  readonly sensors?: readonly string[]
  /** Names of the commands that may be called. */
  readonly commands?: readonly string[]
  /** Keys that the certificate must have one of. */
  readonly keys?: readonly KeyId[]
  /** The end of the grant, wall-clock milliseconds. */
  readonly expiresAt?: number
  /** Of an origin: its pages read the sensors that are named before anybody signs in. */
  readonly public?: true
  /** What else is shown on a page. Absent for nothing: nobody was ever let in to see that. */
  readonly views?: readonly View[]
}

/** Names or keys in one term. */
const MAX_NAMES = 64

/** What a grant narrows that names nothing. */
export const NO_TERMS: Terms = {}

/** The terms among the fields of a grant or of a request. @returns the terms, or why they are none */
export function readTerms(fields: Readonly<Record<string, unknown>>): Terms | string {
  const { sensors, commands, keys, expiresAt, public: isPublic, views } = fields
  if (sensors !== undefined && !isListOf(sensors, isTermName)) return 'the sensors are not valid'
  if (commands !== undefined && !isListOf(commands, isTermName)) return 'the commands are not valid'
  if (keys !== undefined && !isListOf(keys, isKeyId)) return 'the keys are not valid'
  if (expiresAt !== undefined && !isTime(expiresAt)) return 'the expiry is not valid'
  if (isPublic !== undefined && isPublic !== true) return 'whether it is public is not valid'
  if (views !== undefined && !isListOf(views, isView)) return 'the views are not valid'
  if (
    sensors === undefined &&
    commands === undefined &&
    keys === undefined &&
    expiresAt === undefined &&
    isPublic === undefined &&
    views === undefined
  ) {
    return NO_TERMS
  }
  return {
    ...(sensors === undefined ? {} : { sensors }),
    ...(commands === undefined ? {} : { commands }),
    ...(keys === undefined ? {} : { keys }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(isPublic === undefined ? {} : { public: isPublic }),
    ...(views === undefined ? {} : { views }),
  }
}

/** Why terms are none for a subject: a public sensor is named, and a page has no key. */
export function misfitOf(
  subject: Subject,
  { sensors, keys, public: isPublic }: Terms,
): string | undefined {
  if (roleOf(subject) === 'origin' && keys !== undefined) return 'an origin has no key'
  if (isPublic === undefined) return undefined
  if (roleOf(subject) !== 'origin') return 'only an origin is public'
  return sensors === undefined ? 'it does not name the sensors that are public' : undefined
}

function isListOf<T extends string>(
  value: unknown,
  isItem: (item: unknown) => item is T,
): value is readonly T[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_NAMES &&
    value.every(isItem) &&
    new Set(value).size === value.length
  )
}

const TERM_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/

function isTermName(value: unknown): value is string {
  return typeof value === 'string' && TERM_NAME.test(value)
}

function isView(value: unknown): value is View {
  return VIEWS.some(view => view === value)
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
