import test from 'ava'
import { allOrNone } from '../../../node/whitelist/all-or-none.ts'

function* steps(held: string[], failsAt?: string): Iterable<() => void> {
  for (const one of ['first', 'second', 'third']) {
    if (one === failsAt) throw new Error(`${one} cannot be done`)
    held.push(one)
    yield () => {
      held.push(`without ${one}`)
    }
  }
}

test('steps are taken back together, the last one first', t => {
  const held: string[] = []
  const takeBack = allOrNone(steps(held))
  t.deepEqual(held, ['first', 'second', 'third'])
  takeBack()
  t.deepEqual(held.slice(3), ['without third', 'without second', 'without first'])
})

test('a step that throws leaves none of those before it done', t => {
  const held: string[] = []
  t.throws(() => allOrNone(steps(held, 'third')), { message: 'third cannot be done' })
  t.deepEqual(held, ['first', 'second', 'without second', 'without first'])
})
