import test from 'ava'
import type { Say } from '../../../node/gossip/own-member.ts'
import { startVitals } from '../../../node/fleet/vitals-teller.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function start({ vitalsInMs = 0 } = {}) {
  const clock = new FakeClock()
  const said: Say[] = []
  let value = 1
  let listener: (isUrgent: boolean) => void = () => {}
  let encoded = 0
  const signs = {
    encode: (maxBytes: number) => {
      encoded += 1
      return { value, maxBytes }
    },
    subscribe: (given: typeof listener) => {
      listener = given
      return { [Symbol.dispose]: () => (listener = () => {}) }
    },
  }
  const teller = startVitals(signs, { say: words => void said.push(words), vitalsInMs }, clock)
  const change = (isUrgent: boolean, to = value + 1): void => {
    value = to
    listener(isUrgent)
  }
  return { clock, said, teller, change, encoded: () => encoded }
}

test('moves and alarms are said at once, readings once a second at most, and nothing twice', async t => {
  const { clock, said, teller, change } = start()
  const words = (): unknown[] => said.map(({ vitals, isUrgent }) => [vitals?.['value'], isUrgent])
  t.deepEqual(words(), [[1, true]])
  for (let count = 0; count < 30; count += 1) change(false)
  t.is(said.length, 1)
  await clock.advance(1_000)
  t.deepEqual(words().slice(1), [[31, false]])
  change(true)
  t.deepEqual(words().slice(2), [[32, true]])
  change(true, 32)
  change(false, 32)
  await clock.advance(1_000)
  t.is(said.length, 3)
  change(false)
  teller[Symbol.dispose]()
  t.is(clock.pending, 0)
})

test('readings that may not be told yet are not worked out, and then told as they are', async t => {
  const { clock, said, teller, change, encoded } = start({ vitalsInMs: 60_000 })
  for (let second = 0; second < 59; second += 1) {
    change(false)
    await clock.advance(1_000)
  }
  t.is(encoded(), 1)
  change(true)
  t.is(said.at(-1)?.vitals?.['value'], 61)
  change(false)
  await clock.advance(1_000)
  t.is(said.at(-1)?.vitals?.['value'], 62)
  t.is(encoded(), 3)
  teller[Symbol.dispose]()
})
