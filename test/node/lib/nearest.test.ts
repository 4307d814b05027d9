import test from 'ava'
import * as fc from 'fast-check'

import { editDistance, nearest } from '../../../node/lib/nearest.ts'

const KEYS = ['name', 'listen', 'advertise', 'peers', 'certs', 'data', 'logLevel']

test('a key with one slip in it finds the key that was meant', t => {
  t.is(nearest('lisen', KEYS), 'listen')
  t.is(nearest('listten', KEYS), 'listen')
  t.is(nearest('lsiten', KEYS), 'listen')
  t.is(nearest('Loglevel', KEYS), 'logLevel')
  t.is(nearest('advertize', KEYS), 'advertise')
})

test('a word that is like none of the keys finds nothing', t => {
  t.is(nearest('colour', KEYS), undefined)
  t.is(nearest('x', ['y']), undefined)
  t.is(nearest('', KEYS), undefined)
  t.is(nearest('listen', []), undefined)
  t.is(nearest('n'.repeat(100_000), ['n'.repeat(100_000)]), undefined)
})

test('the nearest of several candidates wins, and the first of equal ones', t => {
  t.is(nearest('redialMax', ['redialMinMs', 'redialMaxMs']), 'redialMaxMs')
  t.is(nearest('bat', ['cat', 'rat']), 'cat')
})

test('a swap of neighbours counts as one slip', t => {
  t.is(editDistance('peers', 'eprs'), 2)
  t.is(editDistance('peers', 'peesr'), 1)
  t.is(editDistance('kitten', 'sitting'), 3)
  t.is(editDistance('', 'abc'), 3)
})

test('the distance is the same both ways, nothing for equal words, and one for any single slip', t => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })
  fc.assert(
    fc.property(word, word, fc.nat(8), (a, b, place) => {
      t.is(editDistance(a, b), editDistance(b, a))
      t.is(editDistance(a, a), 0)
      t.true(editDistance(a, b) <= Math.max(a.length, b.length))
      t.true(editDistance(a, b) >= Math.abs(a.length - b.length))
      t.is(editDistance(a, `${a.slice(0, place)}x${a.slice(place)}`), 1)
    }),
    { numRuns: 200 },
  )
})
