import type { Update } from './document.ts'
import { signaturesOf, type EntrySignatures } from '../identity/signature.ts'
import { entriesIn, isStray, placeOf, type Entry, type Stray } from '../whitelist/entry.ts'
import { readEntry, type UncheckedEntry, type UncheckedStray } from '../whitelist/open.ts'

/** What one update of the whitelist carries beside its place (PROTOCOL.md, "Updates"). */
export interface UpdateValue extends EntrySignatures {
  /** The canonical text of the change. */
  readonly change: string
}

/** What the update of a stray carries. */
interface StrayValue {
  readonly stray: UpdateValue
  readonly against?: UpdateValue
}

/** Characters of texts in one page of what a peer lacks, but for the last text. */
const PAGE_CHARACTERS = 262_144

/** How many fields the value of an entry has. */
const FIELDS = 5

/** Why the value of an update has no valid shape; undefined if it has. */
export function problemOfValue(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'an update carries no object'
  }
  if (!('stray' in value)) return problemOfEntry(value)
  const { stray, against, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a stray has unknown fields'
  return problemOfEntry(stray) ?? (against === undefined ? undefined : problemOfEntry(against))
}

function problemOfEntry(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'an update carries no entry'
  }
  const fields = value as Record<keyof UpdateValue, unknown>
  // Version 1 had it beside the text: a peer of that time is to be told what is wrong.
  if ('previous' in fields) return 'an update is of an older version of fridge'
  if (Object.keys(fields).length !== FIELDS) return 'an update has missing or unknown fields'
  const read = readEntry({ ...fields, text: fields.change })
  return typeof read === 'string' ? read : undefined
}

/** What an update carries. @param update its value has no `problemOfValue` */
export function carriedBy([value]: Update): UncheckedEntry | UncheckedStray {
  const carried = value as UpdateValue | StrayValue
  if (!('stray' in carried)) return entryIn(carried)
  const { stray, against } = carried
  return { entry: entryIn(stray), ...(against !== undefined && { against: entryIn(against) }) }
}

function entryIn(value: UpdateValue): UncheckedEntry {
  return { text: value.change, signatures: signaturesOf(value) }
}

/**
 * The first of what a peer lacks: at most `limit`, and no more text than a link takes at once. One
 * operator may have made many of the longest changes, which together would end each link that they
 * are sent over as too slow.
 */
export function pageOf(lacking: Iterable<Entry | Stray>, limit: number): Update[] {
  const page: Update[] = []
  let characters = 0
  for (const one of lacking) {
    page.push(asUpdate(one))
    for (const { text } of entriesIn(one)) characters += text.length
    if (page.length >= limit || characters >= PAGE_CHARACTERS) break
  }
  return page
}

/** An entry or a stray as peers are sent it. */
export function asUpdate(one: Entry | Stray): Update {
  const { source, sequence } = placeOf(one)
  if (!isStray(one)) return [valueOf(one), sequence, source]
  const { entry, against } = one
  const value: StrayValue = {
    stray: valueOf(entry),
    ...(against === undefined ? {} : { against: valueOf(against) }),
  }
  return [value, sequence, source]
}

function valueOf({ text, signatures }: Entry): UpdateValue {
  return { change: text, ...signatures }
}
