import test from 'ava'
import * as fc from 'fast-check'

import { nearest } from '../../../node/lib/nearest.ts'

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
  // One slip is near in three letters, two in six, three in nine.
  t.is(nearest('cta', ['cat']), 'cat')
  t.is(nearest('tca', ['cat']), undefined)
  t.is(nearest('ahttei', ['hattie']), 'hattie')
  t.is(nearest('sittingxx', ['kittenxx']), 'kittenxx')
  t.is(nearest('sittingx', ['kittenx']), undefined)
})

test('any single slip in a word of four letters or more finds the word, and a word finds itself', t => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 4, maxLength: 8 })
  fc.assert(
    fc.property(word, fc.nat(7), (word, nat) => {
      const place = nat % word.length
      const [before, after] = [word.slice(0, place), word.slice(place + 1)]
      t.is(nearest(word, [word]), word)
      t.is(nearest(`${before}x${word.slice(place)}`, [word]), word)
      t.is(nearest(`${before}x${after}`, [word]), word)
      t.is(nearest(`${before}${after}`, [word]), word)
    }),
    { numRuns: 200 },
  )
})
