import test from 'ava'
import { parseName } from '../../../node/identity/names.ts'
import { Quota } from '../../../node/operators/quota.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const MEBI = 1_048_576
const [anna, boris] = [parseName('anna'), parseName('boris')]

test('an operator may add 8 MiB at once, then 1 MiB a minute, and is told what to do', async t => {
  const clock = new FakeClock()
  const quota = new Quota(clock)
  for (let count = 0; count < 8; count += 1) quota.take(anna, 'grant', MEBI)
  t.throws(() => quota.take(anna, 'grant', MEBI / 2), {
    code: 'ERR_LIMIT',
    message:
      'operator/anna has added as much to the log as it may through one node: wait 30 s, or use another node with --node HOST:PORT',
  })
  await clock.advance(30_000)
  t.notThrows(() => quota.take(anna, 'grant', MEBI / 2))
  t.throws(() => quota.take(anna, 'grant', 1_000))
})

test('another operator, and removals, have a measure of their own', t => {
  const quota = new Quota(new FakeClock())
  quota.take(anna, 'grant', 8 * MEBI)
  t.throws(() => quota.take(anna, 'grant', 1))
  t.notThrows(() => quota.take(anna, 'revocation', 1))
  t.notThrows(() => quota.take(boris, 'grant', 1))
})

test('what was not added is given back', t => {
  const quota = new Quota(new FakeClock())
  const giveBack = quota.take(anna, 'grant', 8 * MEBI)
  giveBack()
  t.notThrows(() => quota.take(anna, 'grant', 8 * MEBI))
})

test('an operator that waits saves up no more than it may add at once', async t => {
  const clock = new FakeClock()
  const quota = new Quota(clock)
  quota.take(anna, 'grant', MEBI)
  await clock.advance(3_600_000)
  quota.take(anna, 'grant', 8 * MEBI)
  t.throws(() => quota.take(anna, 'grant', 1))
})
