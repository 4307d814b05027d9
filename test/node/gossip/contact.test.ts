import test from 'ava'
import { Contact } from '../../../node/gossip/contact.ts'
import type { Moment } from '../../../node/lib/lookout.ts'

/** When a peer was last heard, from looks at how many bytes came. */

const LINK = { name: 'link' }
const OTHER = { name: 'other' }

/** So many ms after the start, by both clocks. */
function at(ms: number, wallMs = ms): Moment {
  return { monotonic: 5_000 + ms, wall: 1_767_225_600_000 + wallMs }
}

/** Looks every 250 ms from `from` on, of which each finds this many bytes of a link. */
function lookAt(contact: Contact, from: number, bytes: readonly number[]): void {
  for (const [index, count] of bytes.entries())
    contact.look(at(from + index * 250), [[LINK, count]])
}

test('the time alone is counted from the last look that found more bytes', t => {
  const contact = new Contact(at(0))
  lookAt(contact, 250, [100, 100, 130, 130, 130])
  t.is(contact.aloneMs(at(2_000)), 2_000 - 750)
})

test('a link that ends says nothing of when its peer was last heard', t => {
  const contact = new Contact(at(0))
  lookAt(contact, 250, [100, 100, 100])
  contact.look(at(1_000), [])
  t.is(contact.aloneMs(at(1_000)), 750)
})

test('a node without any peer is alone from its start on', t => {
  const contact = new Contact(at(0))
  contact.look(at(250), [])
  t.is(contact.aloneMs(at(9_000)), 9_000)
})

test('a peer that comes into step is heard', t => {
  const contact = new Contact(at(0))
  lookAt(contact, 250, [100])
  contact.look(at(500), [
    [LINK, 100],
    [OTHER, 0],
  ])
  t.is(contact.aloneMs(at(500)), 0)
})

test('what waited in the socket of a stopped process is as old as its last look before', t => {
  const contact = new Contact(at(0))
  lookAt(contact, 250, [100])
  t.is(contact.look(at(7_250), [[LINK, 200]]), 7_000)
  t.is(contact.aloneMs(at(7_250)), 7_000)
  // More of it is read a moment later, and a look may come soon behind.
  contact.look(at(7_260), [[LINK, 300]])
  contact.look(at(7_750), [[LINK, 400]])
  t.is(contact.aloneMs(at(7_750)), 7_500)
  contact.look(at(8_250), [[LINK, 401]])
  t.is(contact.aloneMs(at(8_250)), 0)
})

test('a machine that slept is seen by its wall clock, since the other stood still', t => {
  const contact = new Contact(at(0))
  lookAt(contact, 250, [100])
  t.is(contact.look(at(500, 3_600_000), [[LINK, 130]]), 3_599_750)
  t.is(contact.aloneMs(at(500, 3_600_000)), 3_599_750)
})

test('a wall clock that is set back takes nothing from the time alone', t => {
  const contact = new Contact(at(0))
  lookAt(contact, 250, [100])
  contact.look(at(2_000, -3_600_000), [[LINK, 100]])
  t.is(contact.aloneMs(at(2_000, -3_600_000)), 1_750)
})
