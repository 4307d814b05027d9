import test from 'ava'
import { RateLimit } from '../../../node/lib/rate-limit.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function limitOf(burst: number): { limit: RateLimit; clock: FakeClock } {
  const clock = new FakeClock()
  return { limit: new RateLimit({ perSecond: 1, burst, clock }), clock }
}

test('an address may start its burst at once, then its rate', async t => {
  const { limit, clock } = limitOf(2)
  t.deepEqual(
    [1, 2, 3].map(() => limit.allows('10.0.0.1')),
    [true, true, false],
  )
  t.true(limit.allows('10.0.0.2'))
  await clock.advance(1_000)
  t.true(limit.allows('10.0.0.1'))
  t.false(limit.allows('10.0.0.1'))
})

for (const [first, second, isOne] of [
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true],
  ['2001:db8::1', '2001:db8:0:0:1::', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['fe80::1%lo', 'fe80::2%lo', true],
  ['::1', '1::', false],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.2', false],
] as const) {
  test(`${first} and ${second} are ${isOne ? 'one network' : 'two'}`, t => {
    const { limit } = limitOf(1)
    t.true(limit.allows(first))
    t.is(limit.allows(second), !isOne)
  })
}
