import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import * as fc from 'fast-check'
import type { KeyId, Source } from '../../../node/identity/names.ts'
import {
  CHANGE_LIMITS,
  encodeChange,
  parseChange,
  type Change,
} from '../../../node/whitelist/change.ts'
import { entryHash } from '../../../node/whitelist/entry.ts'
import {
  client,
  grantAt,
  NOON,
  OPERATOR,
  revocationAt,
  testSource,
} from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const KEY = 'ab'.repeat(32) as KeyId

const GRANT =
  '{"fridge":1,"kind":"grant","subject":"client/amber","source":"alpha#0000000000000001",' +
  '"sequence":2,"operator":"olga","at":1767268800000,"reason":"night shift",' +
  '"seen":{"alpha#0000000000000001":1,"beta#0000000000000001":7},' +
  `"sensors":["door"],"commands":["defrost"],"keys":["${KEY}"],"expiresAt":1767272400000}`
const REVOCATION =
  '{"fridge":1,"kind":"revocation","subject":"client/amber","source":"alpha#0000000000000001",' +
  '"sequence":1,"operator":"olga","at":1767268800000}'

const sources = ['alpha', 'beta', 'b.e-t_a'].map(name => testSource(name))
const sequence = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const term = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,63}$/)
const terms = fc.record(
  {
    sensors: fc.uniqueArray(term, { maxLength: 4 }),
    commands: fc.uniqueArray(term, { maxLength: 4 }),
    keys: fc.constantFrom([], [KEY]),
    expiresAt: fc.maxSafeNat(),
  },
  { requiredKeys: [], noNullPrototype: true },
)
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/
const reason = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
  .filter(text => text.length <= CHANGE_LIMITS.maxReason && !CONTROL.test(text))
const seen = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...sources), sequence), { selector: ([one]) => one })
  .map(pairs => new Map<Source, number>(pairs))
const subject = fc.constantFrom(client('amber'), client('a.b_c-1'))

const change: fc.Arbitrary<Change> = fc
  .record({
    subject,
    source: fc.constantFrom(...sources),
    sequence,
    at: fc.maxSafeNat(),
    reason: fc.option(reason, { nil: undefined }),
    seen,
    terms: fc.option(terms, { nil: undefined }),
  })
  .map(({ reason, seen, terms, ...rest }): Change => {
    const base = { ...rest, operator: OPERATOR, ...(reason === undefined ? {} : { reason }) }
    if (terms === undefined) return { kind: 'revocation', ...base }
    const past = [...seen].filter(([from, upTo]) => from !== rest.source || upTo < rest.sequence)
    return { kind: 'grant', ...base, seen: new Map(past), terms }
  })

function refusedFor(text: unknown): string | undefined {
  const parsed = parseChange(text)
  return parsed.ok ? undefined : parsed.why
}

test('the canonical text of a change is stable to the byte', t => {
  const grant = grantAt(ALPHA, 2, {
    reason: 'night shift',
    seen: [
      [testSource('beta'), 7],
      [ALPHA, 1],
    ],
    terms: { expiresAt: NOON + 3_600_000, keys: [KEY], commands: ['defrost'], sensors: ['door'] },
  })
  t.is(encodeChange(grant), GRANT)
  t.is(encodeChange(revocationAt(ALPHA, 1)), REVOCATION)
})

test('a change comes back from its canonical text as it was', t => {
  fc.assert(
    fc.property(change, change => {
      const text = encodeChange(change)
      const parsed = parseChange(text)
      if (!parsed.ok) return t.fail(parsed.why)
      t.true(isDeepStrictEqual(parsed.change, change), text)
      t.is(encodeChange(parsed.change), text)
    }),
    { numRuns: 2_000 },
  )
  t.pass()
})

test('one change has one text: no edit of a text is another text of the same change', t => {
  const pieces = ['', ' ', '\n', '0', '1', '-', '.', '"', ',', '{', '}', '\\', 'e', '\u0000', '#']
  const edit = fc.record({
    at: fc.nat(),
    removed: fc.integer({ min: 0, max: 2 }),
    added: fc.constantFrom(...pieces, '\\u0061', '\ud800', '"at":1,', '"__proto__":{},'),
  })
  fc.assert(
    fc.property(change, edit, (change, { at, removed, added }) => {
      const text = encodeChange(change)
      const start = at % (text.length + 1)
      const edited = text.slice(0, start) + added + text.slice(start + removed)
      const parsed = parseChange(edited)
      if (!parsed.ok || edited === text) return
      t.is(encodeChange(parsed.change), edited)
      t.false(isDeepStrictEqual(parsed.change, change), edited)
    }),
    { numRuns: 5_000 },
  )
  t.pass()
})

const at = '"at":1767268800000'
const noncanonical: [what: string, text: string][] = [
  ['keys in another order', REVOCATION.replace(`,${at}`, '').replace('{', `{${at},`)],
  ['a space', REVOCATION.replace(',', ', ')],
  ['a line feed behind it', `${REVOCATION}\n`],
  ['a byte order mark', `\ufeff${REVOCATION}`],
  ['a duplicate key, equal', REVOCATION.replace(at, `${at},${at}`)],
  ['a duplicate key, overruled', REVOCATION.replace(at, `"at":5,${at}`)],
  ['an unknown field', REVOCATION.replace(at, `${at},"admin":true`)],
  ['a field of the other kind', REVOCATION.replace(at, `${at},"seen":{}`)],
  ['a null where a field may be absent', REVOCATION.replace(at, `${at},"reason":null`)],
  ['a fraction', REVOCATION.replace('"sequence":1', '"sequence":1.0')],
  ['an exponent', REVOCATION.replace('"sequence":1', '"sequence":1e0')],
  ['an exponent of a time', REVOCATION.replace(at, '"at":17672688e5')],
  ['a negative zero', REVOCATION.replace(at, '"at":-0')],
  ['an escaped letter', REVOCATION.replace('client/amber', 'client/\\u0061mber')],
  ['an escaped slash', REVOCATION.replace('client/amber', 'client\\/amber')],
  ['a prototype', REVOCATION.replace('{', '{"__proto__":{"kind":"grant"},')],
  ['a prototype in what was seen', GRANT.replace('"seen":{', '"seen":{"__proto__":{},')],
  [
    'sources out of order',
    GRANT.replace(
      '"alpha#0000000000000001":1,"beta#0000000000000001":7',
      '"beta#0000000000000001":7,"alpha#0000000000000001":1',
    ),
  ],
  ['a source twice', GRANT.replace('"seen":{', '"seen":{"alpha#0000000000000001":1,')],
  ['a seen zero', GRANT.replace('#0000000000000001":7', '#0000000000000001":0')],
]

for (const [what, text] of noncanonical) {
  test(`a text with ${what} is refused`, t => {
    t.not(text, REVOCATION)
    t.not(text, GRANT)
    t.is(typeof refusedFor(text), 'string')
  })
}

const invalid: [what: string, text: unknown][] = [
  ['nothing', ''],
  ['null', 'null'],
  ['an array', '[]'],
  ['a number', '1'],
  ['no text at all', { fridge: 1 }],
  ['an unknown version', REVOCATION.replace('"fridge":1', '"fridge":2')],
  ['an unknown kind', REVOCATION.replace('revocation', 'pardon')],
  ['a kind from the prototype', REVOCATION.replace('"revocation"', '"constructor"')],
  ['an unknown role', REVOCATION.replace('client/', 'admin/')],
  ['a bare name as its subject', REVOCATION.replace('client/amber', 'amber')],
  ['a subject that climbs', REVOCATION.replace('client/amber', 'client/..')],
  ['a source without an incarnation', REVOCATION.replace('#0000000000000001', '')],
  ['the source __proto__', REVOCATION.replace('alpha#0000000000000001', '__proto__')],
  ['the sequence 0', REVOCATION.replace('"sequence":1', '"sequence":0')],
  ['a negative sequence', REVOCATION.replace('"sequence":1', '"sequence":-1')],
  ['a sequence past 2^53', REVOCATION.replace('"sequence":1', '"sequence":9007199254740993')],
  ['an endless sequence', REVOCATION.replace('"sequence":1', '"sequence":1e999')],
  ['a text for a sequence', REVOCATION.replace('"sequence":1', '"sequence":"1"')],
  ['a negative time', REVOCATION.replace(at, '"at":-1')],
  ['an endless time', REVOCATION.replace(at, '"at":1e999')],
  ['an empty reason', REVOCATION.replace(at, `${at},"reason":""`)],
  ['a reason of 501 characters', REVOCATION.replace(at, `${at},"reason":"${'x'.repeat(501)}"`)],
  ['a lone surrogate', REVOCATION.replace(at, `${at},"reason":"\ud800"`)],
  ['an escaped lone surrogate', REVOCATION.replace(at, `${at},"reason":"\\ud800"`)],
  ['a control character', REVOCATION.replace(at, `${at},"reason":"\\u001b[31m"`)],
  ['a grant that has seen itself', GRANT.replace('#0000000000000001":1,', '#0000000000000001":2,')],
  ['a grant that has seen nothing said', GRANT.replace(/"seen":\{[^}]*\},/, '')],
  ['a list as what was seen', GRANT.replace(/"seen":\{[^}]*\}/, '"seen":[]')],
  ['a sensor twice', GRANT.replace('["door"]', '["door","door"]')],
  ['a sensor that is no name', GRANT.replace('["door"]', '["../door"]')],
  ['a key that is none', GRANT.replace(KEY, KEY.toUpperCase())],
  ['deep nesting', `{"fridge":1,"kind":${'['.repeat(15_000)}${']'.repeat(15_000)}}`],
  ['a text past its limit', REVOCATION.padEnd(CHANGE_LIMITS.maxText + 1)],
]

for (const [what, text] of invalid) {
  test(`a change with ${what} is refused`, t => {
    t.not(text, REVOCATION)
    t.not(text, GRANT)
    t.is(typeof refusedFor(text), 'string')
  })
}

test('the texts that the refusals start from are valid themselves', t => {
  t.is(refusedFor(REVOCATION), undefined)
  t.is(refusedFor(GRANT), undefined)
})

test('refusing does not touch what every object shares', t => {
  for (const [, text] of [...noncanonical, ...invalid]) parseChange(text)
  t.is(({} as Record<string, unknown>)['kind'], undefined)
})

test('the hash of an entry depends on its text and on the entry before it', t => {
  t.is(entryHash('', REVOCATION).length, 43)
  t.not(entryHash('', REVOCATION), entryHash('', GRANT))
  t.not(entryHash('', REVOCATION), entryHash(entryHash('', GRANT), REVOCATION))
})
