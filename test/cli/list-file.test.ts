import test from 'ava'
import * as fc from 'fast-check'
import { formatList, LIST_FORMATS, parseListFile, type ListedGrant } from '../../cli/list-file.ts'
import type { FridgeError } from '../../node/lib/errors.ts'
import { VIEWS } from '../../node/whitelist/terms.ts'
import { parseSubject, type KeyId } from '../../node/identity/names.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/)
const terms = fc.record(
  {
    sensors: fc.uniqueArray(name, { maxLength: 3 }),
    commands: fc.uniqueArray(name, { maxLength: 3 }),
    keys: fc.constantFrom<KeyId[]>([], ['ab'.repeat(32) as KeyId]),
    expiresAt: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    views: fc.uniqueArray(fc.constantFrom(...VIEWS), { minLength: 1 }),
  },
  { requiredKeys: [] },
)
const grants = fc.uniqueArray(
  fc.record({
    subject: name.map(parseSubject),
    terms,
    reason: fc.option(
      fc
        .string({
          minLength: 1,
          maxLength: 40,
          unit: fc.constantFrom('a', 'ü', ' ', '"', ',', ':', '#', '-', '\n'),
        })
        .filter(text => text.trim() === text),
      { nil: undefined },
    ),
  }),
  { selector: ({ subject }) => subject, maxLength: 5 },
)

test('a list that was written is read as the same grants, in each format', t => {
  fc.assert(
    fc.property(grants, fc.constantFrom(...LIST_FORMATS), (list, format) => {
      const text = formatList(list, format)
      t.deepEqual(parseListFile(text, `list.${format}`), list as ListedGrant[])
    }),
  )
})

test('a spreadsheet lists names alone, several sensors in a cell, and none where none is meant', t => {
  const text =
    '\u{FEFF}name,sensors,commands\r\ntill-1, door  temperature ,none\r\n\r\ntill-2,,\r\n'
  t.deepEqual(
    parseListFile(text, 'LIST.CSV').map(grant => grant.terms),
    [{ sensors: ['door', 'temperature'], commands: [] }, {}],
  )
  const [views] = parseListFile('name,views\nphone,none\n', 'l.csv')
  t.deepEqual(views?.terms, {})
})

test('a name alone is a grant without terms', t => {
  t.deepEqual(
    parseListFile('- till-1\n- name: till-2\n', 'list.yaml').map(grant => grant.terms),
    [{}, {}],
  )
})

test('a file that lists nobody lists nobody', t => {
  for (const text of ['# nobody\n', '[]']) t.deepEqual(parseListFile(text, 'list.yaml'), [])
  t.deepEqual(parseListFile('name\n', 'list.csv'), [])
})

test('a file without a word lists nobody by mistake, and is refused: a full disk leaves such files', t => {
  for (const file of ['list.yaml', 'list.csv', 'list.json']) {
    for (const text of ['', ' \n']) {
      const refused = t.throws<FridgeError>(() => parseListFile(text, file), {
        code: 'ERR_USAGE',
        message: `${file} is empty`,
      })
      t.regex(refused?.fix ?? '', /where nobody is to be let in, write \[\], or in CSV: name$/)
    }
  }
})

test('each wrong line of a file is told with its number, and nothing of it is taken', t => {
  for (const [file, text, said] of [
    [
      'l.yaml',
      '- name: a\n- name: b\n  sensor: [door]\n',
      /^l\.yaml:2: "sensor" is unknown; did you mean sensors\?$/,
    ],
    ['l.yaml', '- name: a\n- name: a\n', /^l\.yaml:2: a is there twice$/],
    ['l.yaml', '- name: a b\n- [till-1]\n', /^l\.yaml:1: .*\nl\.yaml:2: it names nobody$/],
    ['l.yaml', '- name: operator/maria\n', /operator\/maria needs no grant$/],
    ['l.yaml', '- name: a\n  expiresAt: 8h\n', /^l\.yaml:1: a: the expiry is not valid$/],
    ['l.yaml', '- name: a\n  expiresAt: 5\n', /a: expiresAt is not a moment$/],
    ['l.yaml', '- name: a\n  sensors: door\n', /a: the sensors are not valid$/],
    ['l.yaml', '- name: a\n  public: true\n', /a: only an origin is public$/],
    [
      'l.yaml',
      '- name: a\n  reason: "\\u0007"\n',
      /a: the reason is not 1 to 500 characters of text$/,
    ],
    ['l.yaml', 'name: a\n', /it is not a list of grants$/],
    ['l.yaml', '- {', /^l\.yaml: .*flow/i],
    ['l.csv', 'name\na,b\n', /^l\.csv: .*line 2/],
    ['l.csv', 'name,public\na,no\n', /^l\.csv:2: a: whether it is public is not valid$/],
  ] as const) {
    t.throws(() => parseListFile(text, file), { code: 'ERR_USAGE', message: said }, text)
  }
  const many = Array.from({ length: 14 }, () => '- name: "!"').join('\n')
  t.throws(() => parseListFile(many, 'l.yaml'), { code: 'ERR_USAGE', message: /\nand 4 more$/ })
})
