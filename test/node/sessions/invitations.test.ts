import test from 'ava'
import { parseName, type KeyId } from '../../../node/identity/names.ts'
import { Invitations } from '../../../node/sessions/invitations.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const ADMIN = parseName('admin')
const GUEST = { origin: 'https://n.example', key: 'a'.repeat(64) as KeyId, proof: '' }
const OVER = { code: 'ERR_REFUSED', message: /was used, is over, or never was/ }

function open() {
  const clock = new FakeClock()
  const invitations = new Invitations(clock)
  const came: number[] = []
  const signal = new AbortController().signal
  const onGuest = (number: number): void => void came.push(number)
  const hosted = invitations.host('i', { operator: ADMIN, onGuest, signal })
  return { clock, invitations, came, hosted }
}

test('an invitation that nobody has used is over after ten minutes, for those that wait too', async t => {
  const { clock, invitations, hosted } = open()
  const offered = invitations.offer('i', GUEST)
  await clock.advance(599_999)
  const early = t.throwsAsync(invitations.offer('i', GUEST), OVER)
  const waiting = t.throwsAsync(offered, OVER)
  await clock.advance(1)
  await Promise.all([hosted, early, waiting])
  await t.throwsAsync(invitations.offer('i', GUEST), OVER)
})

test('one that was used is over at once, and only the operator who made it can say so', async t => {
  const { invitations } = open()
  const offered = invitations.offer('i', GUEST)
  t.false(invitations.answer('i', parseName('mallory'), 1, undefined))
  t.true(invitations.answer('i', ADMIN, 1, undefined))
  await offered
  await t.throwsAsync(invitations.offer('i', GUEST), OVER)
})

test('a browser that is turned away leaves it open, but not for ever', async t => {
  const { invitations, came } = open()
  for (let number = 1; number <= 16; number += 1) {
    const offered = invitations.offer('i', GUEST)
    t.true(invitations.answer('i', ADMIN, number, 'no'))
    await t.throwsAsync(offered, { message: 'no' })
  }
  t.is(came.length, 16)
  await t.throwsAsync(invitations.offer('i', GUEST), OVER)
})
