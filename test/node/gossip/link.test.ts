import test from 'ava'
import { Link, type LinkEnd } from '../../../node/gossip/link.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { makePipe } from '../../support/gossip-pipe.ts'
import { NOON } from '../../support/replica-changes.ts'
import { openReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const TIMES = { heartbeatMs: 1_000, deadAfterMs: 5_000 }
const people = await makePeople({ nodes: ['alpha', 'beta'] })

function linkTo(isDialed: boolean) {
  const clock = new FakeClock(NOON)
  const { replica } = openReplica(people, 'alpha', { clock })
  const [socket, far] = makePipe().ends
  const ends: LinkEnd[] = []
  const link = new Link({
    socket,
    peer: people.node('beta').signer.identity,
    own: people.node('alpha').signer.identity,
    dialed: isDialed,
    from: 'beta:1',
    // Nothing is gossiped before a hello.
    documents: { whitelist: replica, members: undefined as never },
    times: TIMES,
    clock,
    onHello: () => undefined,
    onSynced: () => {},
    onEnd: (_, end) => ends.push(end),
  })
  return { clock, link, far, ends }
}

test('a peer that takes a connection and never says a word on it is given up, whoever dialed', async t => {
  for (const isDialed of [true, false]) {
    const { clock, ends } = linkTo(isDialed)
    await clock.advance(TIMES.deadAfterMs - 1)
    t.deepEqual(ends, [])
    await clock.advance(2 * TIMES.heartbeatMs)
    t.deepEqual(
      ends.map(({ reason, hostile }) => [reason, hostile]),
      [['dead', false]],
    )
    t.is(clock.pending, 0)
  }
})

test('a link that is closed before a hello waits for none', async t => {
  const { clock, link, far, ends } = linkTo(true)
  link.close('leaving', 'the node is stopping')
  far.destroy()
  await clock.advance(TIMES.deadAfterMs)
  t.is(ends.length, 1)
  t.is(clock.pending, 0)
})
