import test from 'ava'
import type { Update } from '../../../node/gossip/document-frames.ts'
import { Outgoing } from '../../../node/gossip/outgoing.ts'
import { PeerClock } from '../../../node/gossip/peer-clock.ts'
import type { Source } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')

/** What goes to a peer that is sent the updates of `eager` sources whole. */
function openOutgoing(eager: readonly Source[]) {
  const sent: unknown[] = []
  let isBehind = false
  const peerClock = new PeerClock({ held: () => 0, sources: () => [] })
  const outgoing = new Outgoing({
    clock: new FakeClock(),
    isCausal: true,
    announceMs: () => 20,
    relayMs: () => 0,
    isEager: ([, , source]) => eager.includes(source),
    peerClock,
    missing: () => [],
    announcementOf: (_source, sequence) => sequence,
    send: frame => sent.push(frame),
    drained: async () => {},
    isBehind: () => isBehind,
    onFailure: () => {},
  })
  return {
    outgoing,
    sent,
    peerClock,
    setBehind: () => {
      isBehind = true
    },
  }
}

const first: Update = ['first', 1, ALPHA]
const second: Update = ['second', 2, ALPHA]
const other: Update = ['other', 1, BETA]

test('what is sent ahead is not sent again when it is offered', t => {
  const { outgoing, sent } = openOutgoing([ALPHA])
  outgoing.sendAhead([first, second])
  outgoing.offer(first)
  outgoing.offer(second)
  t.deepEqual(sent, [first, second])
})

test('nothing is sent ahead of what the peer was only announced', t => {
  const { outgoing, sent } = openOutgoing([ALPHA])
  outgoing.offer(other)
  outgoing.sendAhead([first])
  t.deepEqual(sent, [], 'the update may have seen the other one')
})

test('behind an update that the peer is only to be announced nothing is sent ahead', t => {
  const { outgoing, sent } = openOutgoing([ALPHA])
  outgoing.sendAhead([other, first])
  t.deepEqual(sent, [])
})

test('what the peer has brought holds up nothing behind it', t => {
  const { outgoing, sent } = openOutgoing([ALPHA])
  outgoing.hears(BETA, 1)
  outgoing.sendAhead([other, first])
  t.deepEqual(sent, [first])
})

test('nothing is sent ahead to a peer that does not read, or whose link has ended', t => {
  const slow = openOutgoing([ALPHA])
  slow.setBehind()
  slow.outgoing.sendAhead([first])
  const ended = openOutgoing([ALPHA])
  ended.outgoing[Symbol.dispose]()
  ended.outgoing.sendAhead([first])
  t.deepEqual([...slow.sent, ...ended.sent], [])
})
