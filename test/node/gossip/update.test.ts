import test from 'ava'
import { pageOf } from '../../../node/gossip/update.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { chain, client, grantAt, testSource } from '../../support/replica-changes.ts'

function entriesOf(count: number, characters: number): Entry[] {
  const changes = Array.from({ length: count }, (_, index) =>
    grantAt(testSource('alpha'), index + 1, { subject: client(`c${index}`) }),
  )
  return chain(changes).map(entry => ({ ...entry, text: entry.text.padEnd(characters) }))
}

test('a page of what a peer lacks holds so many changes', t => {
  t.is(pageOf(entriesOf(40, 0), 30).length, 30)
  t.is(pageOf(entriesOf(20, 0), 30).length, 20)
  t.deepEqual(pageOf([], 30), [])
})

test('attack: the longest changes of one operator go page by page, so that no newcomer is cut over them', t => {
  const longest = 262_144
  t.is(pageOf(entriesOf(5, longest), 500).length, 1)
  t.is(pageOf(entriesOf(500, longest / 8), 500).length, 8)
})
