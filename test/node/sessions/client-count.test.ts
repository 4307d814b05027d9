import test from 'ava'
import { startClientCount } from '../../../node/sessions/client-count.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('the number of clients is told at most once a second, and only when it is another', async t => {
  const clock = new FakeClock()
  const sessions = { clients: 0 }
  const told: (number | undefined)[] = []
  const members = {
    self: { clients: 0 },
    say: ({ clients = 0 }: { readonly clients?: number }) => {
      members.self = { clients }
      told.push(clients)
    },
  }
  const counting = startClientCount(sessions, members, clock)
  sessions.clients = 1
  await clock.advance(500)
  sessions.clients = 3
  t.deepEqual(told, [])
  await clock.advance(10_000)
  t.deepEqual(told, [3])
  sessions.clients = 2
  counting[Symbol.dispose]()
  await clock.advance(10_000)
  t.deepEqual(told, [3])
  t.is(clock.pending, 0)
})
