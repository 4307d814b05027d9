import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import * as fc from 'fast-check'
import { parseSubject, type KeyId, type Source } from '../../../node/identity/names.ts'
import {
  CHANGE_LIMITS,
  encodeChange,
  parseChange,
  type Change,
  type ChangeId,
  type Head,
} from '../../../node/whitelist/change.ts'
import { entryHash } from '../../../node/whitelist/entry.ts'
import { ListReplica } from '../../support/list-replica.ts'
import {
  client,
  grantAt,
  NOON,
  OPERATOR,
  requestOf,
  revocationAt,
  SIGNATURES,
  testSource,
} from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const KEY = 'ab'.repeat(32) as KeyId

const SEEN = ['A', 'B'].map(letter => letter.repeat(43) as ChangeId)
const PREVIOUS = 'C'.repeat(43)

const GRANT =
  '{"fridge":2,"kind":"grant","subject":"client/amber","source":"alpha#0000000000000001",' +
  `"sequence":2,"previous":"${PREVIOUS}","operator":"olga","at":1767268800000,` +
  '"wish":"AAAAAAAAAAAAAAAAAAAAAA","reason":"night shift",' +
  `"seen":["${SEEN[0]}","${SEEN[1]}"],` +
  `"sensors":["door"],"commands":["defrost"],"keys":["${KEY}"],"expiresAt":1767272400000}`
const REVOCATION =
  '{"fridge":2,"kind":"revocation","subject":"client/amber","source":"alpha#0000000000000001",' +
  '"sequence":1,"previous":"","operator":"olga","at":1767268800000,' +
  '"wish":"AAAAAAAAAAAAAAAAAAAAAA","seen":[]}'
const WITHDRAWAL =
  '{"fridge":2,"kind":"revocation","subject":"node/beta","source":"alpha#0000000000000001",' +
  '"sequence":1,"previous":"","operator":"olga","at":1767268800000,' +
  '"wish":"AAAAAAAAAAAAAAAAAAAAAA","seen":[],' +
  `"upTo":{"beta#0000000000000001":[3,"${PREVIOUS}"],"beta#0000000000000002":[1,"${PREVIOUS}"]}}`
const WISH = 'A'.repeat(22)

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
const hash = fc.stringMatching(/^[A-Za-z0-9_-]{43}$/)
const wish = fc.stringMatching(/^[A-Za-z0-9_-]{22}$/)
const seen = fc
  .uniqueArray(hash, { maxLength: 4 })
  .map(ids => ids.sort() as unknown as readonly ChangeId[])
const upTo = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...sources), sequence, hash), {
    selector: ([source]) => source,
  })
  .map(
    last =>
      new Map(last.map(([source, sequence, hash]): [Source, Head] => [source, { sequence, hash }])),
  )
const author = fc.constantFrom(parseSubject('operator/oscar'), parseSubject('node/b.e-t_a'))
const subject = fc.constantFrom(client('amber'), client('a.b_c-1'))

const change: fc.Arbitrary<Change> = fc
  .record({
    subject,
    author: fc.option(author, { nil: undefined }),
    source: fc.constantFrom(...sources),
    sequence,
    previous: hash,
    at: fc.maxSafeNat(),
    wish,
    reason: fc.option(reason, { nil: undefined }),
    seen,
    terms: fc.option(terms, { nil: undefined }),
    upTo,
  })
  .map(({ author, previous, reason, terms, upTo, ...rest }): Change => {
    const base = {
      ...rest,
      previous: rest.sequence === 1 ? '' : previous,
      operator: OPERATOR,
      ...(reason === undefined ? {} : { reason }),
    }
    if (author !== undefined) return { kind: 'revocation', ...base, subject: author, upTo }
    if (terms === undefined) return { kind: 'revocation', ...base }
    return { kind: 'grant', ...base, terms }
  })

function refusedFor(text: unknown): string | undefined {
  const parsed = parseChange(text)
  return parsed.ok ? undefined : parsed.why
}

test('the canonical text of a change is stable to the byte', t => {
  const grant = grantAt(ALPHA, 2, {
    reason: 'night shift',
    seen: SEEN,
    terms: { expiresAt: NOON + 3_600_000, keys: [KEY], commands: ['defrost'], sensors: ['door'] },
  })
  t.is(encodeChange({ ...grant, previous: PREVIOUS, wish: WISH }), GRANT)
  const revocation = { ...revocationAt(ALPHA, 1), wish: WISH }
  t.is(encodeChange(revocation), REVOCATION)
  const upTo = new Map([
    [testSource('beta', 2), { sequence: 1, hash: PREVIOUS }],
    [testSource('beta'), { sequence: 3, hash: PREVIOUS }],
  ])
  t.is(encodeChange({ ...revocation, subject: parseSubject('node/beta'), upTo }), WITHDRAWAL)
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
  // To draw a change costs more than to try all of these on it.
  const edits = fc.array(edit, { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(change, edits, (change, edits) => {
      const text = encodeChange(change)
      for (const { at, removed, added } of edits) {
        const start = at % (text.length + 1)
        const edited = text.slice(0, start) + added + text.slice(start + removed)
        const parsed = parseChange(edited)
        if (!parsed.ok || edited === text) continue
        t.is(encodeChange(parsed.change), edited)
        t.false(isDeepStrictEqual(parsed.change, change), edited)
      }
    }),
    { numRuns: 500 },
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
  ['a field of the other kind', REVOCATION.replace(at, `${at},"sensors":[]`)],
  ['a null where a field may be absent', REVOCATION.replace(at, `${at},"reason":null`)],
  ['a fraction', REVOCATION.replace('"sequence":1', '"sequence":1.0')],
  ['an exponent', REVOCATION.replace('"sequence":1', '"sequence":1e0')],
  ['an exponent of a time', REVOCATION.replace(at, '"at":17672688e5')],
  ['a negative zero', REVOCATION.replace(at, '"at":-0')],
  ['an escaped letter', REVOCATION.replace('client/amber', 'client/\\u0061mber')],
  ['an escaped slash', REVOCATION.replace('client/amber', 'client\\/amber')],
  ['a prototype', REVOCATION.replace('{', '{"__proto__":{"kind":"grant"},')],
  ['a prototype in what counts', WITHDRAWAL.replace('"upTo":{', '"upTo":{"__proto__":{},')],
  [
    'sources out of order',
    WITHDRAWAL.replace(/("beta#0000000000000001":.*\]),("beta#0000000000000002":.*\])/, '$2,$1'),
  ],
  [
    'a source twice',
    WITHDRAWAL.replace('"upTo":{', `"upTo":{"beta#0000000000000001":[3,"${PREVIOUS}"],`),
  ],
  ['ids out of order', GRANT.replace(`"${SEEN[0]}","${SEEN[1]}"`, `"${SEEN[1]}","${SEEN[0]}"`)],
  ['an id twice', GRANT.replace(`"${SEEN[0]}",`, `"${SEEN[0]}","${SEEN[0]}",`)],
]

for (const [what, text] of noncanonical) {
  test(`a text with ${what} is refused`, t => {
    t.not(text, REVOCATION)
    t.not(text, GRANT)
    t.not(text, WITHDRAWAL)
    t.is(typeof refusedFor(text), 'string')
  })
}

const invalid: [what: string, text: unknown][] = [
  ['nothing', ''],
  ['null', 'null'],
  ['an array', '[]'],
  ['a number', '1'],
  ['no text at all', { fridge: 2 }],
  ['the version before', REVOCATION.replace('"fridge":2', '"fridge":1')],
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
  ['nothing before a later place', GRANT.replace(PREVIOUS, '')],
  [
    'something before the first place',
    REVOCATION.replace('"previous":""', `"previous":"${PREVIOUS}"`),
  ],
  ['a hash that is too short', GRANT.replace(PREVIOUS, 'C'.repeat(42))],
  ['no wish', REVOCATION.replace(`"wish":"${WISH}",`, '')],
  ['a wish of too few bits', REVOCATION.replace(WISH, 'A'.repeat(21))],
  ['a wish that is no base64url', REVOCATION.replace(WISH, '+'.repeat(22))],
  ['nothing said of what was seen', GRANT.replace(/"seen":\[[^\]]*\],/, '')],
  ['an object as what was seen', GRANT.replace(/"seen":\[[^\]]*\]/, '"seen":{}')],
  ['an id that is none', GRANT.replace(`"${SEEN[0]}"`, '7')],
  [
    'more seen than one may see',
    REVOCATION.replace('"seen":[]', `"seen":${JSON.stringify(manyIds())}`),
  ],
  ['nothing said of how far an author counts', WITHDRAWAL.replace(/,"upTo":\{.*\}\}/, '}')],
  ['a place without its hash', WITHDRAWAL.replace(`[3,"${PREVIOUS}"]`, '[3]')],
  ['a number for a place', WITHDRAWAL.replace(`[3,"${PREVIOUS}"]`, '3')],
  ['a place and something else', WITHDRAWAL.replace(`[3,"${PREVIOUS}"]`, `[3,"${PREVIOUS}",1]`)],
  ['the place of a stray', WITHDRAWAL.replace('beta#', 'beta#0123456789abcdef')],
  ['a sensor twice', GRANT.replace('["door"]', '["door","door"]')],
  ['a sensor that is no name', GRANT.replace('["door"]', '["../door"]')],
  ['a key that is none', GRANT.replace(KEY, KEY.toUpperCase())],
  ['deep nesting', `{"fridge":1,"kind":${'['.repeat(15_000)}${']'.repeat(15_000)}}`],
  ['a text past its limit', REVOCATION.padEnd(CHANGE_LIMITS.maxText + 1)],
]

function manyIds(): string[] {
  const count = CHANGE_LIMITS.maxSeen + 1
  return Array.from({ length: count }, (_, index) => String(index).padStart(43, '0'))
}

for (const [what, text] of invalid) {
  test(`a change with ${what} is refused`, t => {
    t.not(text, REVOCATION)
    t.not(text, GRANT)
    t.not(text, WITHDRAWAL)
    t.is(typeof refusedFor(text), 'string')
  })
}

test('the texts that the refusals start from are valid themselves', t => {
  t.is(refusedFor(REVOCATION), undefined)
  t.is(refusedFor(GRANT), undefined)
  t.is(refusedFor(WITHDRAWAL), undefined)
})

test('refusing does not touch what every object shares', t => {
  for (const [, text] of [...noncanonical, ...invalid]) parseChange(text)
  t.is(({} as Record<string, unknown>)['kind'], undefined)
})

test('the hash of an entry depends on its text, which says what stands before it, and on both certificates', t => {
  const hashes = [
    entryHash(GRANT, SIGNATURES),
    entryHash(REVOCATION, SIGNATURES),
    entryHash(GRANT.replace(PREVIOUS, 'D'.repeat(43)), SIGNATURES),
    entryHash(GRANT, { ...SIGNATURES, operatorCertificate: 'e'.repeat(64) }),
    entryHash(GRANT, { ...SIGNATURES, nodeCertificate: 'e'.repeat(64) }),
  ]
  t.is(hashes[0]?.length, 43)
  t.is(new Set(hashes).size, hashes.length)
})

test('one subject let in and thrown out in turns by several nodes keeps short texts', t => {
  const replicas = [new ListReplica(), new ListReplica(), new ListReplica()]
  let longest = 0
  for (let turn = 0; turn < 2_000; turn += 1) {
    const at = turn % replicas.length
    const replica = replicas[at]
    if (replica === undefined) return t.fail()
    const kind = turn % 2 === 0 ? 'grant' : 'revocation'
    const source = testSource(`node-${at}`, Math.floor(turn / 10) + 1)
    const change = replica.list.draft(requestOf(kind, client('amber')), source, NOON)
    const entry = replica.accept(change)
    longest = Math.max(longest, entry.text.length)
    for (const other of replicas) if (other !== replica) t.is(other.take(entry), undefined)
  }
  t.true(longest < 500, `${longest} characters`)
  t.log(`the longest text has ${longest} characters`)
})
