import test from 'ava'
import { rootOfPath, StateRoot, type StateLeaf } from '../../../node/whitelist/state-root.ts'
import { client } from '../../support/replica-changes.ts'

function leavesOf(count: number): StateLeaf[] {
  return Array.from({ length: count }, (_, index) => ({
    subject: client(`name-${String(index).padStart(3, '0')}`),
    revocations: [],
    grants: [String(index)],
  }))
}

test('in a tree of any size the path of each leaf leads from it to the root, and from no other place', t => {
  for (const count of [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33]) {
    const leaves = leavesOf(count)
    for (const [index, leaf] of leaves.entries()) {
      const state = new StateRoot(leaf.subject)
      for (const one of leaves) state.add(one)
      const path = state.path()
      t.is(path?.index, index)
      if (path === undefined) continue
      t.is(rootOfPath(leaf, path, count), state.root())
      t.not(rootOfPath({ ...leaf, grants: ['x'] }, path, count), state.root())
      t.not(rootOfPath(leaf, { ...path, path: path.path.slice(1) }, count + 1), state.root())
      t.is(rootOfPath(leaf, { ...path, index: count }, count), undefined)
      t.not(rootOfPath(leaf, { ...path, path: [...path.path, state.root()] }, count), state.root())
    }
  }
})

test('of a subject without a leaf there is no path, and the root is the same whosever is asked for', t => {
  const [asked, other] = [new StateRoot(client('absent')), new StateRoot()]
  for (const leaf of leavesOf(5)) {
    asked.add(leaf)
    other.add(leaf)
  }
  t.is(asked.path(), undefined)
  t.is(asked.root(), other.root())
})
