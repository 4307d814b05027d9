import test from 'ava'
import * as fc from 'fast-check'
import type { Source } from '../../../node/identity/names.ts'
import type { Change } from '../../../node/whitelist/change.ts'
import {
  mergeChange,
  seenOf,
  UNKNOWN_SUBJECT,
  type SubjectState,
} from '../../../node/whitelist/merge.ts'
import { client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import { placesOf, standingGrants, stateText } from '../../support/replica-model.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const SOURCES = [ALPHA, BETA, testSource('alpha', 2), testSource('gamma')]
const AMBER = client('amber')

function merged(changes: Iterable<Change>, state: SubjectState = UNKNOWN_SUBJECT): SubjectState {
  for (const change of changes) state = mergeChange(state, change)
  return state
}

const seen = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...SOURCES), fc.integer({ min: 1, max: 8 })), {
    selector: ([source]) => source,
    maxLength: SOURCES.length,
  })
  .map(pairs => new Map<Source, number>(pairs))

/** Any changes of one subject, far wilder than honest nodes make: only the places are distinct. */
const changes = fc
  .array(
    fc.record({
      source: fc.constantFrom(...SOURCES),
      isGrant: fc.boolean(),
      seen,
      skip: fc.integer({ min: 0, max: 1 }),
    }),
    { maxLength: 10 },
  )
  .map(drafts => {
    const last = new Map<Source, number>()
    return drafts.map(({ source, isGrant, seen, skip }): Change => {
      const sequence = (last.get(source) ?? 0) + 1 + skip
      last.set(source, sequence)
      if (!isGrant) return revocationAt(source, sequence)
      // No grant has seen itself: such a text is refused before it comes here.
      const past = [...seen].map(
        ([from, upTo]) => [from, from === source ? Math.min(upTo, sequence - 1) : upTo] as const,
      )
      return grantAt(source, sequence, { seen: past.filter(([, upTo]) => upTo > 0) })
    })
  })

/** Some of the changes, in any order, some of them more than once. */
const deliveries = changes.chain(all =>
  fc.record({
    all: fc.constant(all),
    first: fc.shuffledSubarray(all),
    again: all.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...all), { maxLength: 6 }),
  }),
)

test('a grant stands, and a revocation in sight of it ends it', t => {
  const granted = merged([grantAt(ALPHA, 1)])
  t.is(granted.grants.length, 1)
  const revoked = merged([revocationAt(ALPHA, 2)], granted)
  t.deepEqual(revoked.grants, [])
  t.is(granted.grants.length, 1, 'the state that was merged into is left as it was')
})

test('a revocation beats every grant made concurrently with it, whichever comes first', t => {
  const grant = grantAt(ALPHA, 1)
  const revocation = revocationAt(BETA, 1)
  t.deepEqual(merged([grant, revocation]).grants, [])
  t.deepEqual(merged([revocation, grant]).grants, [])
})

test('a later grant, made in sight of the revocation, lets in again; the old one never does', t => {
  const old = grantAt(ALPHA, 1)
  const revocation = revocationAt(BETA, 1)
  const later = grantAt(BETA, 2, { seen: [[BETA, 1]] })
  t.deepEqual(placesOf(merged([old, revocation, later, old]).grants), placesOf([later]))
})

test('a later grant replaces the one that it has seen, and that one does not come back', t => {
  const wide = grantAt(ALPHA, 1)
  const narrow = grantAt(BETA, 1, { seen: [[ALPHA, 1]], terms: { sensors: ['door'] } })
  t.deepEqual(placesOf(merged([wide, narrow, wide]).grants), placesOf([narrow]))
  t.deepEqual(placesOf(merged([narrow, wide]).grants), placesOf([narrow]))
})

test('a grant that is dead itself has still replaced what it had seen', t => {
  const first = grantAt(ALPHA, 1, { seen: [[BETA, 1]] })
  const dead = grantAt(ALPHA, 2, { seen: [[ALPHA, 1]] })
  t.deepEqual(merged([first, dead, revocationAt(BETA, 1)]).grants, [])
})

test('merging agrees with the naive model for every subset, order and repetition', t => {
  fc.assert(
    fc.property(deliveries, ({ first, again }) => {
      const delivered = [...first, ...again]
      const { grants } = merged(delivered)
      t.deepEqual(placesOf(grants), placesOf(standingGrants(delivered, AMBER)))
    }),
    { numRuns: 5_000 },
  )
  t.pass()
})

test('merging is commutative, associative and idempotent, down to what it remembers', t => {
  fc.assert(
    fc.property(deliveries, ({ all, first, again }) => {
      const once = stateText(merged(all))
      // `first` before, between and after the rest: every grouping of the same set.
      const rest = all.filter(change => !first.includes(change))
      t.is(stateText(merged([...first, ...again, ...rest])), once)
      t.is(stateText(merged([...rest, ...again.toReversed(), ...first.toReversed()])), once)
      t.is(stateText(merged(all, merged(all))), once)
    }),
    { numRuns: 3_000 },
  )
  t.pass()
})

test('a revocation at a new place always shuts out, and a grant made now always stands alone', t => {
  fc.assert(
    fc.property(changes, all => {
      const state = merged(all)
      t.deepEqual(mergeChange(state, revocationAt(ALPHA, 100)).grants, [])
      const now = grantAt(BETA, 100, { seen: seenOf(state) })
      t.deepEqual(placesOf(mergeChange(state, now).grants), placesOf([now]))
    }),
    { numRuns: 2_000 },
  )
  t.pass()
})
