import test from 'ava'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import { UnkeptRemovals } from '../../../node/gossip/unkept-removals.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'
import { idOf } from '../../../node/whitelist/change.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { chain, client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const AMBER = client('amber')
const CORAL = client('coral')

/** A list in which AMBER is in by ALPHA, and what becomes of it. */
function setScene() {
  const log = new MemoryStore()
  const [grant] = chain([grantAt(ALPHA, 1, { subject: AMBER })])
  if (grant === undefined) throw new Error('there is one grant')
  log.append([grant])
  const list = buildWhitelist(log, ALL_VOUCHED)
  const unkept = new UnkeptRemovals({ list: () => list, log })
  const isIn = (): boolean => unkept.stateOf(AMBER).grants.length > 0
  const [removal] = chain([revocationAt(BETA, 1, AMBER, [idOf(grant)])])
  if (removal === undefined) throw new Error('there is one removal')
  return { unkept, removal, isIn }
}

test('a removal that a peer brought acts until it is stored', t => {
  const { unkept, removal, isIn } = setScene()
  t.deepEqual(unkept.add(removal, false), [AMBER])
  t.false(isIn())
  t.deepEqual(unkept.dropRefused(), [])
  t.false(isIn())
  unkept.stored(removal)
  t.true(isIn(), 'what is stored is the business of the list')
})

test('a removal of which an operator was told that it is not recorded acts while the disk fails', t => {
  const { unkept, removal, isIn } = setScene()
  unkept.add(removal, true)
  t.false(isIn())
  t.deepEqual(unkept.dropRefused(), [AMBER])
  t.true(isIn())
})

test('a removal that a peer brought acts on, also where an operator was refused the same wish', t => {
  for (const order of [
    [false, true],
    [true, false],
  ]) {
    const { unkept, removal, isIn } = setScene()
    for (const isRefused of order) unkept.add(removal, isRefused)
    unkept.dropRefused()
    t.false(isIn(), order.join())
  }
})

test('a removal of a client whom nothing lets in is not kept in mind', t => {
  const { unkept } = setScene()
  const [removal] = chain([revocationAt(BETA, 1, CORAL)])
  if (removal === undefined) throw new Error('there is one removal')
  t.deepEqual(unkept.add(removal, false), [])
  t.is(unkept.stateOf(CORAL).revocations.size, 0)
})

test('a removal of a node takes what the node let in out of its sight', t => {
  const { unkept, isIn } = setScene()
  const node = subjectOf('node', parseName('alpha'))
  const [removal] = chain([{ ...revocationAt(BETA, 1, node), upTo: new Map() }])
  if (removal === undefined) throw new Error('there is one removal')
  t.deepEqual(unkept.add(removal, false), [node, AMBER])
  t.false(isIn())
})
