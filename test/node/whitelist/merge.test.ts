import { mock } from 'node:test'
import test from 'ava'
import { idOf, type Change, type ChangeId } from '../../../node/whitelist/change.ts'
import {
  frontierOf,
  mergeChange,
  stateOf,
  UNKNOWN_SUBJECT,
  type IdentifiedChange,
  type SubjectState,
} from '../../../node/whitelist/merge.ts'
import { chain, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'

// What is merged in any order, by many authors, is checked in evaluate.test.ts.

const ALPHA = testSource('alpha')
const BETA = testSource('beta')

function identified(change: Change): IdentifiedChange {
  const [entry] = chain([change])
  if (entry === undefined) throw new Error('there is one change')
  return { id: idOf(entry), change: entry.change }
}

const grant = (source: typeof ALPHA, seen: readonly ChangeId[] = []): IdentifiedChange =>
  identified(grantAt(source, 1, { seen }))
const revocation = (source: typeof ALPHA, seen: readonly ChangeId[] = []): IdentifiedChange =>
  identified(revocationAt(source, 1, undefined, seen))

/** Merge what the state alone decides. */
function merged(
  changes: readonly IdentifiedChange[],
  state: SubjectState = UNKNOWN_SUBJECT,
): SubjectState {
  for (const change of changes) {
    const next = mergeChange(state, change)
    if (next === undefined) throw new Error('only the log can tell')
    state = next
  }
  return state
}

function weighed(changes: readonly IdentifiedChange[], isVoid: readonly IdentifiedChange[] = []) {
  return stateOf(
    changes.map(one => ({ ...one, isVoid: isVoid.includes(one), seen: one.change.seen })),
  )
}

const idsOf = ({ grants }: SubjectState): ChangeId[] => grants.map(({ id }) => id)

test('a grant stands, and a revocation in sight of it ends it', t => {
  const first = grant(ALPHA)
  const granted = merged([first])
  t.deepEqual(idsOf(granted), [first.id])
  const removal = revocation(ALPHA, frontierOf(granted))
  t.deepEqual(idsOf(merged([removal], granted)), [])
  t.deepEqual(idsOf(granted), [first.id], 'the state that was merged into is left as it was')
})

test('a revocation beats every grant made concurrently with it, whichever comes first', t => {
  const first = grant(ALPHA)
  const removal = revocation(BETA)
  t.deepEqual(idsOf(merged([first, removal])), [])
  t.is(mergeChange(merged([removal]), first), undefined)
  t.deepEqual(idsOf(weighed([removal, first])), [])
})

test('a later grant, made in sight of the revocation, lets in again; the old one never does', t => {
  const old = grant(ALPHA)
  const removal = revocation(BETA, [old.id])
  const removed = merged([old, removal])
  const later = grant(BETA, frontierOf(removed))
  t.deepEqual(idsOf(merged([later], removed)), [later.id])
  t.deepEqual(idsOf(weighed([later, removal, old])), [later.id])
})

test('a grant that replaces another one has seen what that had seen', t => {
  const removal = revocation(ALPHA)
  const wide = grant(ALPHA, [removal.id])
  const narrow = grant(BETA, [wide.id])
  const state = merged([removal, wide, narrow])
  t.deepEqual(idsOf(state), [narrow.id])
  t.deepEqual(frontierOf(state), [narrow.id])
  t.deepEqual(idsOf(weighed([narrow, wide, removal])), [narrow.id])
})

test('two grants made on two sides of a partition both stand, and the next one replaces both', t => {
  const state = merged([grant(ALPHA), grant(BETA)])
  t.is(state.grants.length, 2)
  const next = identified(grantAt(ALPHA, 2, { seen: frontierOf(state) }))
  t.deepEqual(idsOf(merged([next], state)), [next.id])
})

test('of two revocations made at once a grant has to have seen both', t => {
  const one = revocation(ALPHA)
  const other = revocation(BETA)
  const state = merged([one, other])
  t.deepEqual(frontierOf(state), [one.id, other.id].sort())
  t.is(mergeChange(state, grant(ALPHA, [one.id])), undefined)
  t.deepEqual(idsOf(weighed([one, other, grant(ALPHA, [one.id])])), [])
  t.is(merged([grant(ALPHA, frontierOf(state))], state).grants.length, 1)
})

test('a grant that a void one had replaced stands again, and what a void one has seen is seen', t => {
  const first = grant(ALPHA)
  const thief = grant(BETA, [first.id])
  t.deepEqual(idsOf(weighed([first, thief], [thief])), [first.id])
  const later = identified(grantAt(ALPHA, 2, { seen: [thief.id] }))
  t.deepEqual(idsOf(weighed([first, thief, later], [thief])), [later.id])
})

test('a text of a wish that was signed before has the id of the first, wherever it stands', t => {
  const removal = revocationAt(ALPHA, 1)
  const again = { ...removal, source: BETA, at: removal.at + 1, reason: 'again' }
  t.is(identified(removal).id, identified(again).id)
  t.not(identified(removal).id, identified({ ...removal, wish: 'A'.repeat(22) }).id)
  t.not(
    identified(removal).id,
    identified({ ...removal, seen: [identified(removal).id] }).id,
    'what it has seen belongs to it',
  )
})

test('thousands of removals made at once cost no more each than hundreds', t => {
  const few = insertionsFor(250)
  const many = insertionsFor(2_000)
  t.true(few > 0)
  t.true(many <= 8 * 1.5 * few, `${many} insertions for 2,000 removals, ${few} for 250`)
})

/** How often something is put into a set or a map while so many removals are merged. */
function insertionsFor(removals: number): number {
  const { change } = revocation(ALPHA)
  // Each second one has seen the one before it: those leave the state again.
  const changes = Array.from({ length: removals }, (_, index) => ({
    id: idAt(index),
    change: { ...change, seen: index % 2 === 0 ? [] : [idAt(index - 1)] },
  }))
  const inserts = [mock.method(Set.prototype, 'add'), mock.method(Map.prototype, 'set')]
  try {
    merged(changes)
    return inserts.reduce((sum, insert) => sum + insert.mock.callCount(), 0)
  } finally {
    for (const insert of inserts) insert.mock.restore()
  }
}

const idAt = (index: number): ChangeId => String(index).padStart(43, 'A') as ChangeId

test('the id of a grant is that of one place', t => {
  const first = grantAt(ALPHA, 1)
  t.not(identified(first).id, identified({ ...first, source: BETA }).id)
})
