import test from 'ava'
import { MEMBERS_SPREADING } from '../../../node/gossip/spreading.ts'
import { Trees } from '../../../node/gossip/trees.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { testSource } from '../../support/replica-changes.ts'

/** One end of a link, with what it was sent. */
function openLink(dialed: boolean) {
  const sent: unknown[] = []
  return { dialed, sent, send: (frame: unknown) => sent.push(frame) }
}

test('of two ends in step only the one that dialed asks the other to announce: both would leave no link', t => {
  const trees = new Trees<ReturnType<typeof openLink>>({
    self: testSource('alpha'),
    clock: new FakeClock(),
    spreading: MEMBERS_SPREADING,
    held: () => 0,
    compare: () => {},
  })
  const [first, dialed, accepted] = [true, true, false].map(openLink)
  if (!first || !dialed || !accepted) return t.fail()
  for (const link of [first, dialed, accepted]) trees.join(link)
  trees.settle(accepted)
  t.deepEqual(accepted.sent, [])
  trees.settle(dialed)
  t.deepEqual(dialed.sent, [{ lazy: true }])
  t.deepEqual(first.sent, [])
})
