import test from 'ava'
import {
  parseCommitReport,
  parseNodeConfirmation,
  parseShowReport,
  parseStatusReport,
  parseSubjectPage,
} from '../../../../node/client/operator/answers.ts'
import { parseSubject } from '../../../../node/identity/names.ts'
import { testSource } from '../../../support/replica-changes.ts'

/** What a stolen node may answer to an operator. */

const source = testSource('node-1')
const place = { source, sequence: 3 }
const c1 = parseSubject('c1')
const grant = { ...place, operator: 'admin', at: 1, sensors: ['door'], reason: 'a fridge' }
const report = { subject: c1, standing: 'granted', grants: [grant], revocations: [], sessions: 0 }
const removal = { ...place, operator: 'admin', at: 2 }
const shown = { ...report, removals: [removal], nodes: [{ name: 'node-1', state: 'caught up' }] }
const node = {
  name: 'node-1',
  reachable: true,
  addresses: ['127.0.0.1:7443', '[::1]:7443'],
  version: '0.1.0',
  startedAt: 1,
  links: ['node-2'],
  changes: 3,
  clients: 0,
  certificateRenewFrom: 1,
  certificateEndsAt: 2,
}
const cluster = {
  node: 'node-1',
  changes: 3,
  subjects: 1,
  aloneMs: 0,
  isolated: false,
  nodes: [node],
}
const confirmation = { node: 'node-1', afterMs: 1.5, tookMs: 0.1, cut: 1 }
const committed = {
  outcome: 'committed',
  ...place,
  confirmed: [confirmation],
  silent: ['node-2'],
  unreachable: [],
  left: [],
}

const JUNK = [undefined, null, true, 0, -1, 1e300, '', 'x', '\u001B[8m', [], [[]], {}, { a: 1 }]

/** One answer after the other with a junk value in place of each of its fields. */
function* spoiled(value: object): Iterable<readonly [field: string, value: unknown]> {
  for (const field of Object.keys(value)) {
    for (const junk of JUNK) yield [field, { ...value, [field]: junk }]
  }
}

const PARSERS: readonly (readonly [string, object, (value: unknown) => unknown])[] = [
  ['a name of a page', report, value => parseSubjectPage([value], null)],
  ['a grant of it', grant, value => parseSubjectPage([{ ...report, grants: [value] }], null)],
  ['a name by itself', shown, value => parseShowReport(value, c1)],
  ['the cluster', cluster, value => parseStatusReport(value, 'node-1')],
  ['one of its nodes', node, value => parseStatusReport({ ...cluster, nodes: [value] }, 'node-1')],
  ['a commit', committed, value => parseCommitReport(value, place)],
  ['a confirmation', confirmation, value => parseNodeConfirmation(value)],
]

for (const [what, value, parse] of PARSERS) {
  test(`${what} is read whole, with what is not known dropped, and refused where a field is not what it should be`, t => {
    const whole = parse(value)
    t.not(typeof whole, 'string')
    t.deepEqual(parse({ ...value, more: '\u001B[8m' }), whole)
    for (const junk of JUNK) t.is(typeof parse(junk), 'string')
    for (const [field, bad] of spoiled(value)) {
      const parsed = parse(bad)
      // What is as good as the value itself, as no grants at all, is read as it is.
      const isSound = typeof parsed !== 'string'
      if (isSound) t.true(isHarmless(parsed), `${field}: ${JSON.stringify(bad)}`)
    }
  })
}

/** That it holds only what a person can be shown: no control character, no number without end. */
function isHarmless(value: unknown): boolean {
  return !/\\u00[01]|null|e\+/.test(JSON.stringify(value))
}

test('each required field is required', t => {
  for (const [what, value, parse] of PARSERS) {
    for (const field of Object.keys(value)) {
      if (['sensors', 'reason', 'tookMs', 'cut', 'left'].includes(field)) continue
      if (value === node && ['changes', 'clients'].includes(field)) continue
      t.is(typeof parse({ ...value, [field]: undefined }), 'string', `${what}: ${field}`)
    }
  }
})

test('a page of names goes on behind the one before, in order, and is no longer than a page', t => {
  const named = (...names: string[]): unknown[] =>
    names.map(name => ({ ...report, subject: `client/${name}` }))
  t.not(typeof parseSubjectPage(named('c2', 'c3'), c1), 'string')
  const refused = 'its names are not in order'
  t.is(parseSubjectPage(named('c1', 'c2'), c1), refused)
  t.is(parseSubjectPage(named('c3', 'c2'), c1), refused)
  t.is(parseSubjectPage(named('c2', 'c2'), c1), refused)
  const many = Array.from({ length: 1_001 }, (_, index) => String(100_000 + index))
  t.is(parseSubjectPage(named(...many), null), 'it is no page of names')
})

test('an answer about something else than what was asked for is none', t => {
  t.is(parseShowReport(shown, parseSubject('c2')), 'it is about another name')
  t.is(parseStatusReport(cluster, 'node-2'), 'it is of another node')
  t.is(parseCommitReport(committed, { source, sequence: 4 }), 'it is about another change')
  t.is(
    parseCommitReport(committed, { source: testSource('node-2'), sequence: 3 }),
    'it is about another change',
  )
})

test('why a place is taken is a line of bounded length', t => {
  const why = `taken\n  to mend it: curl evil ${'x'.repeat(10_000)}`
  const parsed = parseCommitReport({ outcome: 'again', why }, place)
  if (typeof parsed === 'string' || parsed.outcome !== 'again') return t.fail()
  t.true(parsed.why.startsWith('taken to mend it'))
  t.is(parsed.why.length, 1_022)
})
