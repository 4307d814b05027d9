import test from 'ava'
import { AddressBook } from '../../../node/gossip/address-book.ts'
import { parseName } from '../../../node/identity/names.ts'

const [ALPHA, BETA, GAMMA] = ['alpha', 'beta', 'gamma'].map(parseName) as [never, never, never]

function addressesIn(book: AddressBook): string[] {
  return Array.from(book.entries(), ([address]) => address).sort()
}

test('whose an address is that two nodes claim only a dial shows', t => {
  const book = new AddressBook()
  book.claim('one:1', BETA)
  t.is(book.learn('one:1').owner, BETA)
  book.claim('one:1', GAMMA)
  t.is(book.learn('one:1').owner, undefined)
})

test('of one node 32 addresses are remembered, the latest ones, and seeds besides', t => {
  const book = new AddressBook()
  book.claim('seed:1', BETA)
  book.learn('seed:1').isSeed = true
  for (let port = 1; port <= 33; port += 1) book.claim(`one:${port}`, BETA)
  book.claim('other:1', GAMMA)
  const addresses = addressesIn(book)
  t.is(addresses.length, 34)
  t.false(addresses.includes('one:1'))
  t.true(['one:2', 'one:33', 'other:1', 'seed:1'].every(one => addresses.includes(one)))
})

test('what a name stood for before is forgotten, unless another name stands for it', t => {
  const book = new AddressBook()
  book.spread('fridge:1', ['10.0.0.1:1', '10.0.0.2:1'], 0)
  book.spread('cold:1', ['10.0.0.2:1', '10.0.0.3:1'], 0)
  book.spread('fridge:1', ['10.0.0.4:1'], 30)
  t.deepEqual(addressesIn(book), ['10.0.0.2:1', '10.0.0.3:1', '10.0.0.4:1', 'cold:1', 'fridge:1'])
  t.true(book.isName('fridge:1'))
  t.is(book.learn('fridge:1').notBefore, 30)
  t.true(book.learn('10.0.0.4:1').isSeed)
})

test('a name counts as one node until dials show how many are behind it', t => {
  const book = new AddressBook()
  book.spread('fridge:1', ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1'], 0)
  t.is(book.owners(ALPHA).size, 1)
  book.learn('10.0.0.1:1').isSelf = true
  book.learn('10.0.0.2:1').owner = BETA
  book.learn('10.0.0.3:1').owner = GAMMA
  t.deepEqual([...book.owners(ALPHA)].sort(), [ALPHA, BETA, GAMMA])
})

test('that nobody is reached is said once: of an address, and of a name when none behind it answers', t => {
  const book = new AddressBook()
  t.is(book.failed('one:1'), 'one:1')
  t.is(book.failed('one:1'), undefined)
  book.reached('one:1')
  t.is(book.failed('one:1'), 'one:1')
  book.spread('fridge:1', ['10.0.0.1:1', '10.0.0.2:1'], 0)
  t.is(book.failed('10.0.0.1:1'), undefined)
  t.is(book.failed('10.0.0.2:1'), 'fridge:1')
  t.is(book.failed('10.0.0.1:1'), undefined)
  book.reached('10.0.0.1:1')
  t.is(book.failed('10.0.0.1:1'), 'fridge:1')
})

test('that nobody is reached is said of an address whose link has ended before, and once; not where the peer left', t => {
  const book = new AddressBook()
  book.reached('one:1')
  book.ended('one:1', { isLeaving: false, wasInVain: false })
  t.is(book.failed('one:1'), 'one:1')
  book.ended('one:1', { isLeaving: false, wasInVain: false })
  t.is(book.failed('one:1'), undefined)
  book.ended('two:1', { isLeaving: true, wasInVain: false })
  t.is(book.failed('two:1'), undefined)
  book.reached('two:1')
  t.is(book.failed('two:1'), 'two:1')
})

test('an address whose link is cut soon after the peer was in step has failed as often as before, and once more', t => {
  const book = new AddressBook()
  for (let round = 1; round <= 3; round += 1) {
    book.reached('one:1')
    t.is(book.learn('one:1').failures, 0)
    book.ended('one:1', { isLeaving: false, wasInVain: true })
    t.is(book.learn('one:1').failures, round)
  }
  book.reached('one:1')
  book.ended('one:1', { isLeaving: false, wasInVain: false })
  t.is(book.learn('one:1').failures, 1)
})
