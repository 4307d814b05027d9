import test from 'ava'
import { Ways } from '../../../node/gossip/ways.ts'
import { testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')

test('the neighbour that brought the newest change first is the way, and the others stand in for it', t => {
  const ways = new Ways<string>()
  t.false(ways.isKnown(ALPHA))
  ways.lead(ALPHA, 'x')
  ways.add(ALPHA, 'y')
  ways.add(ALPHA, 'x')
  t.is(ways.first(ALPHA), 'x')
  ways.lead(ALPHA, 'z')
  t.is(ways.first(ALPHA), 'z')
  t.deepEqual(ways.firstOf(ALPHA, 2), ['z', 'x'])
  t.true(ways.close(ALPHA, 'z'))
  t.is(ways.first(ALPHA), 'x')
  t.false(ways.close(ALPHA, 'y'))
  t.true(ways.close(ALPHA, 'x'))
  t.is(ways.first(ALPHA), undefined)
  t.deepEqual(ways.firstOf(ALPHA, 2), [])
})

test('a neighbour that is gone tells to which sources it was the way, and which have none any more', t => {
  const ways = new Ways<string>()
  ways.lead(ALPHA, 'x')
  ways.add(ALPHA, 'y')
  ways.lead(BETA, 'y')
  t.deepEqual(ways.forget('y'), [BETA])
  t.deepEqual(ways.lost(), [BETA])
  t.true(ways.isKnown(BETA), 'a confirmation for it may come all the same')
  t.deepEqual(ways.forget('y'), [])
  ways.add(BETA, 'z')
  t.deepEqual(ways.lost(), [])
})
