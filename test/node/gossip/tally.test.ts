import test from 'ava'
import {
  emptyTag,
  encodeTally,
  joinTallies,
  markOf,
  parseTally,
  sumOf,
  TallyKey,
  type Tally,
} from '../../../node/gossip/tally.ts'
import { testSource } from '../../support/replica-changes.ts'

const [ALPHA, BETA, GAMMA] = [testSource('alpha'), testSource('beta'), testSource('gamma')]
const [alpha, beta, gamma] = [new TallyKey(), new TallyKey(), new TallyKey()]

function tallyOf(key: TallyKey, run: typeof BETA): Tally {
  const tag = key.tag(alpha.publicKey, run, ALPHA, 7) ?? emptyTag()
  return { to: ALPHA, applied: 7, marks: new Set([markOf(run)]), tag }
}

test('two nodes share a tag, and nobody else has it', t => {
  const tag = beta.tag(alpha.publicKey, BETA, ALPHA, 7)
  t.deepEqual(alpha.tag(beta.publicKey, BETA, ALPHA, 7), tag)
  t.notDeepEqual(gamma.tag(alpha.publicKey, BETA, ALPHA, 7), tag)
  for (const [run, to, applied] of [
    [GAMMA, ALPHA, 7],
    [BETA, GAMMA, 7],
    [BETA, ALPHA, 8],
  ] as const) {
    t.notDeepEqual(alpha.tag(beta.publicKey, run, to, applied), tag)
  }
})

test('joined tallies have the tags of all in one, and nobody is in them twice', t => {
  const [one, other] = [tallyOf(beta, BETA), tallyOf(gamma, GAMMA)]
  const joined = joinTallies(one, other)
  t.deepEqual(joined?.tag, sumOf(one.tag, other.tag))
  t.deepEqual(joined?.marks, new Set([markOf(BETA), markOf(GAMMA)]))
  t.is(joinTallies(one, one), undefined)
  t.is(joinTallies(one, { ...other, applied: 8 }), undefined)
  t.is(joinTallies(one, { ...other, to: GAMMA }), undefined)
})

test('a tally is read as it was written', t => {
  const joined = joinTallies(tallyOf(beta, BETA), tallyOf(gamma, GAMMA))
  if (joined === undefined) return t.fail()
  t.deepEqual(parseTally(JSON.parse(JSON.stringify(encodeTally(joined)))), joined)
})

const [to, applied, marks, tag] = encodeTally(tallyOf(beta, BETA))
const MALFORMED: readonly (readonly [string, unknown])[] = [
  ['of nobody', ['alpha', applied, marks, tag]],
  ['of no place', [to, 0, marks, tag]],
  ['without marks', [to, applied, '', tag]],
  ['with half a mark', [to, applied, marks.slice(1), tag]],
  ['with a mark twice', [to, applied, marks + marks, tag]],
  ['with marks without end', [to, applied, 'abcdef'.repeat(4_097), tag]],
  ['without a tag', [to, applied, marks]],
  ['with half a tag', [to, applied, marks, tag.slice(1)]],
  ['with more to it', [to, applied, marks, tag, 1]],
  ['that is no list', { to }],
]

for (const [what, value] of MALFORMED) {
  test(`a tally ${what} is none`, t => {
    t.is(typeof parseTally(value), 'string')
  })
}

test('a key that is none has no secret', t => {
  t.is(alpha.tag('A'.repeat(43), BETA, ALPHA, 7), undefined)
})
