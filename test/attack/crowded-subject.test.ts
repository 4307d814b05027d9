import { mock } from 'node:test'
import test from 'ava'
import { idOf, type Change, type ChangeId } from '../../node/whitelist/change.ts'
import { ListReplica } from '../support/list-replica.ts'
import { client, grantAt, revocationAt, testSource } from '../support/replica-changes.ts'

/** What somebody with the keys of an operator and of a node does with one subject. */

const MALLORY = testSource('mallory')
const AMBER = client('amber')
const grant = (...seen: ChangeId[]): Change => grantAt(MALLORY, 1, { seen })
const removal = (...seen: ChangeId[]): Change => revocationAt(MALLORY, 1, AMBER, seen)
const otherRemoval = (ids: readonly ChangeId[], seen: readonly ChangeId[]): Change =>
  revocationAt(MALLORY, 100 + ids.length, AMBER, seen)

/** How often all changes of the subject are read while an attacker goes on. */
function readsOf(start: readonly Change[], next: (ids: readonly ChangeId[]) => Change): number {
  const replica = new ListReplica()
  const ids = start.map(change => idOf(replica.accept(change)))
  const reads = mock.method(replica.store, 'ofSubject')
  for (let turn = 0; turn < 100; turn += 1) ids.push(idOf(replica.accept(next(ids))))
  const count = reads.mock.callCount()
  reads.mock.restore()
  const faults = replica.faults()
  if (faults.length > 0) throw new Error(faults.join('; '))
  return count
}

const at = (ids: readonly ChangeId[], index: number): ChangeId[] => ids.slice(index).slice(0, 1)

test('attack: thousands of grants that name one that was replaced have no log read', t => {
  const replica = new ListReplica()
  const first = replica.accept(grant())
  replica.accept(grant(idOf(first)))
  const reads = mock.method(replica.store, 'ofSubject')
  for (let count = 0; count < 100; count += 1) replica.accept(grant(idOf(first)))
  t.is(reads.mock.callCount(), 1)
  t.is(replica.list.state(AMBER).grants.length, 101)
  reads.mock.restore()
  t.deepEqual(replica.faults(), [])
})

test('attack: nor have grants and removals that name whatever stood once, in any order', t => {
  const start = [grant(), removal(), removal(), grant()]
  const variants: Record<string, (ids: readonly ChangeId[]) => Change> = {
    'each another one': ids => grant(...at(ids, Math.floor(ids.length / 2))),
    'a removal between': ids =>
      ids.length % 2 === 0 ? otherRemoval(ids, at(ids, 0)) : grant(...at(ids, -3)),
    'the same removal between': ids =>
      ids.length % 2 === 0 ? removal(...at(ids, 0)) : grant(...at(ids, -3)),
    'two that missed each other': ids => grant(...at(ids, 0), ...at(ids, 1)),
    'the last but one': ids => grant(...at(ids, -2)),
  }
  for (const [name, next] of Object.entries(variants)) t.true(readsOf(start, next) <= 2, name)
})
