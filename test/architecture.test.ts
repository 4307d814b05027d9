import { existsSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Vectors } from './vectors/vectors.ts'

const ROOT = new URL('../', import.meta.url)

const UNITS = new Map([
  ['KiB', 1_024],
  ['MiB', 1_048_576],
  ['s', 1_000],
  ['KIBI', 1_024],
  ['MEBI', 1_048_576],
])

/** A number behind its name, as a constant, as a member, or as the default of a setting. */
const NUMBER = /^(?:: [^=\n]+ =| =|:) (?:(?:whole|milliseconds)\()?([\d_]+(?: \* [\w]+)*)/

/**
 * The number that a source gives a constant; `A.b` is member `b` behind the name `A`. Most are
 * private to their file, and a page that names them must be found wrong all the same.
 */
function constantIn(source: string, path: string): number | undefined {
  let rest = source
  for (const name of path.split('.')) {
    const found = new RegExp(`\\b${name}(?=(?:: [^=\\n]+)? ?[=:] )`).exec(rest)
    if (found === null) return undefined
    rest = rest.slice(found.index + name.length)
  }
  const factors = NUMBER.exec(rest)?.[1]?.split(' * ') ?? []
  if (factors.length === 0) return undefined
  return factors.reduce((all, one) => all * (UNITS.get(one) ?? Number(one.replaceAll('_', ''))), 1)
}

/** The number at the start of a cell: bytes and milliseconds where it has a unit of them. */
function boundOf(cell: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (KiB|MiB|s)\b)?/.exec(cell) ?? []
  return Number(digits.replaceAll(',', '')) * (UNITS.get(unit) ?? 1)
}

test('the bounds are those of the code', t => {
  const vectors = Vectors.read(new URL('ARCHITECTURE.md', ROOT))
  for (const [thing = '', bound = '', constant = '', file = ''] of vectors.table('bounds')) {
    const url = new URL(`node/${file}`, ROOT)
    const source = existsSync(url) ? readFileSync(url, 'utf8') : ''
    t.is(constantIn(source, constant), boundOf(bound), `${thing}: ${constant} in ${file}`)
  }
  t.deepEqual(vectors.unused, [])
})

test('a constant is read as it is written', t => {
  const source = [
    'interface Limits {\n  /** One: 1 */\n  readonly maxBytes: number\n}',
    'const ROWS: Readonly<Record<string, number>> = { door: 64, cellar: 1 }',
    'export const LIMITS: Limits = {\n  maxBytes: 64 * KIBI,\n  maxDepth: 3,\n} as const',
    'const limits = z.strictObject({\n  maxStalledMs: milliseconds(10_000, 100),\n})',
    'const MAX_WAIT_MS = 1_000',
  ].join('\n')
  const read = (path: string): number | undefined => constantIn(source, path)
  t.is(read('ROWS.door'), 64)
  t.is(read('LIMITS.maxBytes'), 65_536)
  t.is(read('limits.maxStalledMs'), 10_000)
  t.is(read('MAX_WAIT_MS'), 1_000)
  t.is(read('MAX_WAIT'), undefined)
  t.is(read('maxBytes'), undefined)
  t.is(boundOf('250 a second'), 250)
  t.is(boundOf('16 KiB a second'), 16_384)
  t.is(boundOf('10 s'), 10_000)
  t.is(boundOf('1,024'), 1_024)
})

const PAGES = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md', 'certs/README.md']

test('every file that a page names is there', t => {
  for (const page of PAGES) {
    const url = new URL(page, ROOT)
    const text = readFileSync(url, 'utf8')
    const named = text.match(/(?<![\w/])(?:[\w-]+\/)+[\w-]+\.ts\b/g) ?? []
    const isThere = (path: string): boolean =>
      ['', 'node/'].some(folder => existsSync(new URL(folder + path, ROOT)))
    t.deepEqual(
      named.filter(path => !isThere(path)),
      [],
      page,
    )
    const links = Array.from(text.matchAll(/\]\(([^)#:]+)\)/g), ([, link = '']) => link)
    t.deepEqual(
      links.filter(link => !existsSync(new URL(link, url))),
      [],
      page,
    )
  }
})
