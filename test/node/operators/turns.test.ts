import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { parseName, type Name } from '../../../node/identity/names.ts'
import { Turns } from '../../../node/operators/turns.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const [anna, boris, clara] = ['anna', 'boris', 'clara'].map(parseName) as [Name, Name, Name]

interface Node {
  readonly clock: FakeClock
  readonly turns: Turns
  /** Who got the next place, in order. */
  readonly given: string[]
  readonly propose: (operator: Name, removes?: Name, signal?: AbortSignal) => Promise<void>
  /** @returns whether it was done */
  readonly commit: (operator: Name, work?: Promise<void>) => Promise<boolean>
}

function open(): Node {
  const clock = new FakeClock()
  const turns = new Turns(clock)
  const given: string[] = []
  return {
    clock,
    turns,
    given,
    propose: async (operator, removes, signal = new AbortController().signal) => {
      await turns.take(operator, { removes, signal })
      given.push(operator)
    },
    commit: async (operator, work = Promise.resolve()) =>
      (await turns.commit(operator, async () => work.then(() => true))) ?? false,
  }
}

/** What has not settled after a turn of the event loop waits for somebody. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  void promise.finally(() => (isSettled = true)).catch(() => {})
  await nextTurn()
  return !isSettled
}

test('an operator alone waits for nothing, however much it proposes and commits', async t => {
  const { propose, commit, given, clock } = open()
  await Promise.all(Array.from({ length: 10 }, async () => propose(anna)))
  t.is(given.length, 10)
  t.deepEqual(await Promise.all([commit(anna), commit(anna), commit(anna)]), [true, true, true])
  t.is(clock.pending, 0)
})

test('the next place is kept for the operator that was proposed a change, and only until it has committed', async t => {
  const { propose, commit } = open()
  await propose(anna)
  t.false(await commit(boris))
  const second = propose(boris)
  t.true(await waits(second))
  t.true(await commit(anna))
  await second
  t.false(await commit(anna))
  t.true(await commit(boris))
})

test('an operator that proposes and never commits keeps the next place for two seconds at most', async t => {
  const { propose, commit, clock } = open()
  await propose(anna)
  const second = propose(boris)
  await clock.advance(1_999)
  await propose(anna)
  t.true(await waits(second))
  await clock.advance(1)
  await second
  t.false(await commit(anna))
  t.true(await commit(boris))
})

test('operators take turns, one change each, however many one of them waits with', async t => {
  const { propose, commit, given } = open()
  await propose(clara)
  const all = [
    ...Array.from({ length: 4 }, async () => propose(anna)),
    propose(boris),
    propose(boris),
  ]
  for (const operator of [clara, anna, boris, anna, boris, anna, anna]) {
    await nextTurn()
    t.true(await commit(operator))
  }
  await Promise.all(all)
  t.deepEqual(given, ['clara', 'anna', 'boris', 'anna', 'boris', 'anna', 'anna'])
})

test('nobody gets the next place while a commit of another is under way', async t => {
  const { propose, commit } = open()
  const work = Promise.withResolvers<void>()
  await propose(anna)
  const [first, second] = [commit(anna, work.promise), commit(anna)]
  t.true(await second)
  const other = propose(boris)
  t.true(await waits(other))
  t.false(await commit(anna), 'somebody waits')
  work.resolve()
  t.true(await first)
  await other
})

test('the removal of an operator ends its turn', async t => {
  const { propose, commit } = open()
  await propose(anna)
  const waiting = propose(clara)
  await propose(boris, anna)
  t.false(await commit(anna))
  t.true(await commit(boris))
  await waiting
})

test('the removal of an operator goes before what it waits with, and before others', async t => {
  const { propose, commit, given } = open()
  await propose(clara)
  const waiting = [propose(anna), propose(anna), propose(boris, anna)]
  t.true(await commit(clara))
  await nextTurn()
  t.deepEqual(given, ['clara', 'boris'])
  for (const operator of [boris, anna, anna]) {
    t.true(await commit(operator))
    await nextTurn()
  }
  await Promise.all(waiting)
})

test('the removal of an operator that holds up nobody waits for its turn', async t => {
  const { propose, commit, given } = open()
  await propose(anna)
  const waiting = [propose(boris), propose(clara, parseName('nobody'))]
  t.true(await commit(anna))
  await nextTurn()
  t.deepEqual(given, ['anna', 'boris'])
  t.true(await commit(boris))
  await Promise.all(waiting)
})

test('whoever goes gives up its turn, and its place in the row', async t => {
  const { propose, commit, turns, clock } = open()
  const gone = new AbortController()
  await propose(anna, undefined, gone.signal)
  const waiting = propose(boris, undefined, gone.signal)
  const other = propose(clara)
  gone.abort(new Error('gone'))
  await t.throwsAsync(waiting, { message: 'gone' })
  await other
  t.true(await commit(clara))
  await t.throwsAsync(propose(anna, undefined, gone.signal), { message: 'gone' })
  await propose(anna)
  turns[Symbol.dispose]()
  t.is(clock.pending, 0)
})

test('a commit that fails ends its turn like another', async t => {
  const { propose, commit } = open()
  await propose(anna)
  const other = propose(boris)
  await t.throwsAsync(commit(anna, Promise.reject(new Error('refused'))), { message: 'refused' })
  await other
})
