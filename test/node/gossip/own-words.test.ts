import test from 'ava'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import type { Update } from '../../../node/gossip/document.ts'
import { OwnWords } from '../../../node/gossip/own-words.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')

interface Hearing {
  readonly clock: FakeClock
  readonly words: OwnWords
  /** What was taken: the link, the run and the sequence. */
  readonly taken: string[]
  readonly hear: (link: DocumentStream, sequence: number, source?: Update[2]) => void
}

function hearing(): Hearing {
  const clock = new FakeClock()
  const taken: string[] = []
  const take = ([, sequence, source]: Update, from: DocumentStream): void => {
    taken.push(`${links.indexOf(from)} ${source} ${sequence}`)
  }
  const words = new OwnWords({ clock, take })
  return {
    clock,
    words,
    taken,
    hear: (link, sequence, source = ALPHA) => words.hear(['', sequence, source], link),
  }
}

const links = Array.from({ length: 3 }, (): DocumentStream => {
  const nothing = (): void => {}
  return {
    send: nothing,
    drained: async () => {},
    refuse: nothing,
    leave: nothing,
    onSynced: nothing,
  }
})
const [first, second, third] = links as [DocumentStream, DocumentStream, DocumentStream]

test('a node is heard twenty times at once, then four times a second, and its newest words count', async t => {
  const { clock, taken, hear } = hearing()
  for (let sequence = 1; sequence <= 1_000; sequence += 1) hear(first, sequence)
  t.is(taken.length, 20)
  await clock.advance(250)
  t.is(taken.length, 21)
  t.is(taken.at(-1), `0 ${ALPHA} 1000`)
  for (let sequence = 1_001; sequence <= 2_000; sequence += 1) {
    hear(first, sequence)
    await clock.advance(1)
  }
  t.is(taken.length, 25)
  await clock.advance(250)
  t.is(taken.at(-1), `0 ${ALPHA} 2000`)
  t.is(clock.pending, 0)
})

test('what comes while older words wait does not overtake them, though the pace would allow it', async t => {
  const { clock, taken, hear } = hearing()
  for (let sequence = 1; sequence <= 20; sequence += 1) hear(first, sequence)
  await clock.advance(225)
  hear(first, 21)
  await clock.advance(50)
  hear(first, 22)
  t.is(taken.length, 20)
  await clock.advance(200)
  t.deepEqual(taken.slice(20), [`0 ${ALPHA} 22`])
})

test('a node that says little is heard at once, however long it runs', async t => {
  const { clock, taken, hear } = hearing()
  for (let sequence = 1; sequence <= 200; sequence += 1) {
    hear(first, sequence)
    t.is(taken.length, sequence)
    await clock.advance(250)
  }
})

test('another run of a node is no way round its pace, and another node has its own', async t => {
  const { clock, taken, hear } = hearing()
  for (let run = 1; run <= 100; run += 1) hear(first, 1, testSource('alpha', run))
  t.is(taken.length, 20)
  hear(first, 1, testSource('beta'))
  t.is(taken.length, 21)
  await clock.advance(250)
  // Of what waited, as much as eight runs say.
  t.is(taken.length, 45)
})

test('of each link the newest is taken: a lie of one link cannot stand in for the words of another', async t => {
  const { clock, taken, hear } = hearing()
  for (let sequence = 1; sequence <= 20; sequence += 1) hear(first, sequence)
  hear(first, 21)
  hear(second, 1_000_000)
  hear(third, 22)
  hear(third, 21)
  await clock.advance(250)
  t.deepEqual(taken.slice(20).sort(), [`0 ${ALPHA} 21`, `1 ${ALPHA} 1000000`, `2 ${ALPHA} 22`])
})

test('what a link brought that has ended is taken no more, and nothing is left at the end', async t => {
  const { clock, words, taken, hear } = hearing()
  for (let sequence = 1; sequence <= 21; sequence += 1) hear(first, sequence)
  words.forget(first)
  t.is(clock.pending, 0)
  await clock.advance(250)
  t.is(taken.length, 20)
  hear(first, 22)
  words[Symbol.dispose]()
  await clock.advance(0)
  t.is(clock.pending, 0)
})

test('what waited of a link that ended keeps no timer, unless another link brought the same', t => {
  const { clock, words, hear } = hearing()
  for (let sequence = 1; sequence <= 21; sequence += 1) hear(first, sequence)
  hear(second, 22)
  words.forget(first)
  t.is(clock.pending, 1)
  words.forget(second)
  t.is(clock.pending, 0)
})
