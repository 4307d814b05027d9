import test from 'ava'
import * as fc from 'fast-check'
import { idOf, type ChangeId } from '../../../node/whitelist/change.ts'
import {
  frontierOf,
  stateOf,
  UNKNOWN_SUBJECT,
  type SubjectState,
  type WeighedChange,
} from '../../../node/whitelist/merge.ts'
import { Sight } from '../../../node/whitelist/sight.ts'
import { chain, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')

interface Step {
  readonly kind: 'grant' | 'void grant' | 'revocation'
  /** What it has seen, of those before it, in thousandths; undefined for what stands. */
  readonly seen: readonly number[] | undefined
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('grant', 'grant', 'grant', 'void grant', 'revocation'),
  seen: fc.option(fc.array(fc.nat(999), { maxLength: 3, size: 'max' }), { nil: undefined }),
})

function changeOf(
  { kind, seen }: Step,
  before: readonly WeighedChange[],
  state: SubjectState,
): WeighedChange {
  const named: Iterable<ChangeId> =
    seen === undefined
      ? frontierOf(state)
      : new Set(
          seen.flatMap(dice => before.at(Math.floor((dice * before.length) / 1_000))?.id ?? []),
        )
  const place = before.length + 1
  const [entry] = chain([
    kind === 'revocation'
      ? revocationAt(ALPHA, place, undefined, [...named])
      : grantAt(ALPHA, place, { seen: [...named] }),
  ])
  if (entry === undefined) throw new Error('there is one change')
  const { change } = entry
  return { id: idOf(entry), change, seen: change.seen, isVoid: kind === 'void grant' }
}

function textOf({ grants, revocations }: SubjectState): object {
  return { grants: grants.map(({ id }) => id).sort(), revocations: [...revocations].sort() }
}

test('what is merged by what changes have seen is what all of them say together', t => {
  let merged = 0
  let unknown = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24, size: 'max' }), fc.nat(12), (steps, first) => {
      const all: WeighedChange[] = []
      let state = stateOf(all)
      let sight: Sight | undefined
      for (const one of steps) {
        const added = changeOf(one, all, state)
        all.push(added)
        const truth = stateOf(all)
        const found = sight && mergeInto(sight, state, added)
        if (found !== undefined) {
          t.deepEqual(textOf(found), textOf(truth))
          merged += 1
        } else if (sight !== undefined) unknown += 1
        // Where it cannot tell, the log is asked, and it begins anew.
        if (found === undefined) {
          sight = all.length > first ? Sight.of(all, truth.revocations, all) : undefined
        }
        state = found ?? truth
      }
    }),
    { numRuns: 1_000, ...(process.env['SEED'] && { seed: Number(process.env['SEED']) }) },
  )
  t.true(merged > 3_000)
  t.true(unknown < merged / 10, `the log was asked for ${unknown} changes`)
  t.log(`${merged} changes were merged, and for ${unknown} the log was asked`)
})

function mergeInto(
  sight: Sight,
  state: SubjectState,
  added: WeighedChange,
): SubjectState | undefined {
  return added.isVoid ? sight.pass(state, added) : sight.merge(state, added)
}

test('what names a change that is not known yet, or that was named before it came, the log has to tell', t => {
  const [first, second] = [1, 2].map(place => behind(place))
  const [third, fourth] = [behind(3, first), behind(4, second)]
  const state = stateOf([third])
  const sight = Sight.of([third], state.revocations, [third])
  t.is(first && sight?.merge(state, first), undefined)
  t.is(sight?.merge(state, fourth), undefined)
})

function behind(place: number, before?: WeighedChange): WeighedChange {
  const [entry] = chain([grantAt(ALPHA, place, { seen: before === undefined ? [] : [before.id] })])
  if (entry === undefined) throw new Error('there is one change')
  return { id: idOf(entry), change: entry.change, seen: entry.change.seen, isVoid: false }
}

test('attack: of more revocations than a change can name none is told apart', t => {
  const changes = Array.from({ length: 1_025 }, (_, index) =>
    changeOf({ kind: 'revocation', seen: [] }, Array<WeighedChange>(index), UNKNOWN_SUBJECT),
  )
  const ids = changes.map(({ id }) => id)
  t.is(Sight.of(changes, ids, changes), undefined)
  const last = changes.pop()
  const sight = Sight.of(changes, ids.slice(0, -1), changes)
  t.not(sight, undefined)
  t.is(last && sight?.merge(stateOf(changes), last), undefined)
})
