import { parse } from 'csv-parse/sync'
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, stringify } from 'yaml'
import { displaySubject, isAuthor, parseSubject, type Subject } from '../node/identity/names.ts'
import { errorMessage, FridgeError } from '../node/lib/errors.ts'
import { nearest } from '../node/lib/nearest.ts'
import { isReason } from '../node/whitelist/change.ts'
import { misfitOf, readTerms, type Terms } from '../node/whitelist/terms.ts'
import { withoutEmptyViews } from './commands/kept-terms.ts'
import { formatMoment, parseMoment } from './moment.ts'

/** Who is to be let in, and what for: a row of a file that `whitelist apply` reads. */
export interface ListedGrant {
  readonly subject: Subject
  readonly terms: Terms
  readonly reason?: string | undefined
}

/** What a list can be written as. */
export const LIST_FORMATS = ['yaml', 'csv', 'json'] as const

export type ListFormat = (typeof LIST_FORMATS)[number]

const COLUMNS = [
  'name',
  'sensors',
  'commands',
  'keys',
  'expiresAt',
  'public',
  'views',
  'reason',
] as const

/** The columns whose cells hold several words. */
const LISTS: ReadonlySet<string> = new Set(['sensors', 'commands', 'keys', 'views'])

type Column = (typeof COLUMNS)[number]

/** In a cell of CSV, where an empty one says that all are allowed. */
const NONE = 'none'

type Cells = Partial<Record<Column, string | true | readonly string[]>>

/** What a file says of one subject, and in which line. */
interface Row {
  readonly line: number
  readonly fields: ReadonlyMap<unknown, unknown>
}

/**
 * Read a file of grants: CSV where its name ends so, else YAML or JSON.
 * @param file its name, for errors
 * @throws FridgeError `ERR_USAGE` with each line that is wrong, up to ten
 */
export function parseListFile(text: string, file: string): ListedGrant[] {
  // What a full disk has left of a file must not shut out everybody.
  if (text.trim() === '') {
    const fix = 'write it anew; where nobody is to be let in, write [], or in CSV: name'
    throw new FridgeError('ERR_USAGE', `${file} is empty`, { fix })
  }
  const rows = /\.csv$/i.test(file) ? csvRows(text, file) : yamlRows(text, file)
  const problems: string[] = []
  const listed = new Map<Subject, ListedGrant>()
  for (const { line, fields } of rows) {
    const grant = readGrant(fields)
    if (typeof grant === 'string') problems.push(`${file}:${line}: ${grant}`)
    else if (listed.has(grant.subject)) {
      problems.push(`${file}:${line}: ${displaySubject(grant.subject)} is there twice`)
    } else listed.set(grant.subject, grant)
  }
  if (problems.length > 0) throw damaged(problems)
  return [...listed.values()]
}

/** The text of a file that `parseListFile` reads as the same grants, without a newline at its end. */
export function formatList(grants: readonly ListedGrant[], format: ListFormat): string {
  if (format === 'csv') {
    return [COLUMNS.join(','), ...grants.map(grant => csvRow(grant))].join('\n')
  }
  const rows = grants.map(rowOf)
  return format === 'json' ? JSON.stringify(rows, undefined, 2) : stringify(rows).trimEnd()
}

function damaged(problems: readonly string[]): FridgeError {
  const shown = problems.slice(0, 10)
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`)
  return new FridgeError('ERR_USAGE', shown.join('\n'), {
    fix: 'correct the file; how one looks: fridge whitelist export',
  })
}

function yamlRows(text: string, file: string): Row[] {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter })
  const [error] = document.errors
  if (error !== undefined) {
    throw damaged([`${file}: ${error.message.split('\n')[0]}`])
  }
  const { contents } = document
  // A file of comments lists nobody.
  if (contents === null || (isScalar(contents) && contents.value === null)) return []
  if (!isSeq(contents)) throw damaged([`${file}: it is not a list of grants`])
  return contents.items.map(item => {
    const line = lineCounter.linePos((isNode(item) ? item.range?.[0] : undefined) ?? 0).line
    // A name alone is a grant without terms.
    if (isScalar(item)) return { line, fields: new Map([['name', item.value]]) }
    const value: unknown = isMap(item) ? item.toJS(document, { mapAsMap: true }) : undefined
    return { line, fields: value instanceof Map ? value : new Map() }
  })
}

function csvRows(text: string, file: string): Row[] {
  let rows: { record: Record<string, string>; info: { lines: number } }[]
  try {
    rows = parse(text, { columns: true, info: true, bom: true, trim: true, skip_empty_lines: true })
  } catch (cause) {
    throw damaged([`${file}: ${errorMessage(cause)}`])
  }
  return rows.map(({ record, info }) => {
    const cells = Object.entries(record).filter(([, cell]) => cell !== '')
    return {
      line: info.lines,
      fields: new Map(cells.map(([name, cell]) => [name, ofCell(name, cell)])),
    }
  })
}

function ofCell(column: string, cell: string): unknown {
  if (column === 'public') return cell === 'yes' || cell === 'true' ? true : cell
  if (!LISTS.has(column)) return cell
  return cell === NONE ? [] : cell.split(/\s+/)
}

/** @returns the grant, or why there is none */
function readGrant(fields: ReadonlyMap<unknown, unknown>): ListedGrant | string {
  for (const key of fields.keys()) {
    if ((COLUMNS as readonly unknown[]).includes(key)) continue
    const near = typeof key === 'string' ? nearest(key, COLUMNS) : undefined
    return `${JSON.stringify(key)} is unknown${near === undefined ? '' : `; did you mean ${near}?`}`
  }
  const field = (column: Column): unknown => fields.get(column) ?? undefined
  const name = field('name')
  if (typeof name !== 'string') return 'it names nobody'
  let subject: Subject
  let expiresAt: number | undefined
  try {
    subject = parseSubject(name)
    const end = field('expiresAt')
    if (end !== undefined && typeof end !== 'string') return `${name}: expiresAt is not a moment`
    if (end !== undefined) expiresAt = parseMoment(end, NaN)
  } catch (error) {
    return errorMessage(error)
  }
  if (isAuthor(subject)) return `${subject} needs no grant`
  const terms = readTerms({
    sensors: field('sensors'),
    commands: field('commands'),
    keys: field('keys'),
    expiresAt,
    public: field('public'),
    views: field('views'),
  })
  if (typeof terms === 'string') return `${name}: ${terms}`
  const misfit = misfitOf(subject, terms)
  if (misfit !== undefined) return `${name}: ${misfit}`
  const reason = field('reason')
  if (reason !== undefined && !isReason(reason))
    return `${name}: the reason is not 1 to 500 characters of text`
  return { subject, terms: withoutEmptyViews(terms), reason }
}

function rowOf({ subject, terms, reason }: ListedGrant): Cells {
  const { expiresAt, ...rest } = terms
  return {
    name: displaySubject(subject),
    ...rest,
    ...(expiresAt !== undefined && { expiresAt: formatMoment(expiresAt) }),
    ...(reason !== undefined && { reason }),
  }
}

function csvRow(grant: ListedGrant): string {
  const row = rowOf(grant)
  return COLUMNS.map(column => csvCell(row[column])).join(',')
}

function csvCell(value: Cells[Column]): string {
  if (value === undefined) return ''
  if (value === true) return 'yes'
  const text = typeof value === 'string' ? value : value.join(' ') || NONE
  return /[",\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
