import test from 'ava'
import { FakeClock } from './fake-clock.ts'

test('timers run in the order of their moments, each at its own moment', async t => {
  const clock = new FakeClock(1_000)
  const ran: [string, number][] = []
  clock.after(30, () => ran.push(['c', clock.now()]))
  clock.after(10, () => ran.push(['a', clock.now()]))
  clock.after(10, () => ran.push(['b', clock.now()]))
  await clock.advance(20)
  t.deepEqual(ran, [
    ['a', 1_010],
    ['b', 1_010],
  ])
  t.is(clock.now(), 1_020)
  await clock.advance(10)
  t.deepEqual(ran.at(-1), ['c', 1_030])
})

test('what a timer sets running settles before the next timer', async t => {
  const clock = new FakeClock()
  const ran: string[] = []
  const sleeper = (async () => {
    await clock.sleep(10)
    ran.push('woken')
    await clock.sleep(10)
    ran.push('woken again')
  })()
  clock.after(15, () => ran.push('between'))
  await clock.advance(25)
  t.deepEqual(ran, ['woken', 'between', 'woken again'])
  await sleeper
})

test('a disposed timer never runs', async t => {
  const clock = new FakeClock()
  const timer = clock.after(5, () => t.fail('it was disposed'))
  timer[Symbol.dispose]()
  t.is(clock.pending, 0)
  await clock.advance(10)
})

test('an aborted sleep rejects with the reason and leaves no timer', async t => {
  const clock = new FakeClock()
  const abort = new AbortController()
  const sleeping = clock.sleep(1_000, abort.signal)
  const reason = new Error('enough')
  abort.abort(reason)
  t.is(await t.throwsAsync(sleeping), reason)
  t.is(clock.pending, 0)
  t.is(await t.throwsAsync(clock.sleep(1, abort.signal)), reason)
})

test('a jump moves the wall clock and no timer', async t => {
  const clock = new FakeClock(0)
  const before = clock.monotonic()
  let ran = false
  clock.after(10, () => (ran = true))
  clock.jump(3_600_000)
  await clock.advance(0)
  t.is(clock.now(), 3_600_000)
  t.is(clock.monotonic(), before)
  t.false(ran)
})

test('time does not go back', async t => {
  await t.throwsAsync(new FakeClock().advance(-1), { instanceOf: RangeError })
})
