import test from 'ava'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import { ReplicaLinks } from '../../../node/gossip/replica-links.ts'
import { StateExchange, type StateExchangeOptions } from '../../../node/gossip/state-exchange.ts'
import { standingFrame } from '../../../node/gossip/state-frames.ts'
import { parseName } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const BASE = 'b'.repeat(43)
const OTHER = 'c'.repeat(43)

/** A node whose list begins at a checkpoint, and a link to one whose list is whole. */
function begin() {
  const clock = new FakeClock(0)
  const links = new ReplicaLinks(clock)
  const left: string[] = []
  const exchange = new StateExchange({
    store: { base: () => ({ checkpoint: BASE }), isComplete: false },
    links,
    onWitnessed: () => {},
  } as unknown as StateExchangeOptions)
  const link = {
    wasWhole: { here: false, there: true },
    leave: (text: string) => left.push(text),
  } as unknown as DocumentStream
  links.add(link)
  exchange.met(link, parseName('beta'))
  exchange.noteOthers(2)
  return { clock, exchange, link, left }
}

test('a peer that came to hold a checkpoint by a link is asked anew whether it stands there', async t => {
  const { clock, exchange, link, left } = begin()
  for (const frame of standingFrame([OTHER])) exchange.take(frame, link)
  exchange.noteInStep(link)
  t.is(exchange.lacking, 2)
  await clock.advance(9_999)
  t.deepEqual(left, [])
  await clock.advance(1)
  t.deepEqual(left, ['this node asks anew which checkpoints stand there'])
})

test('a peer is not asked anew where others have said enough meanwhile, nor one that has said it', async t => {
  const { clock, exchange, link, left } = begin()
  exchange.noteInStep(link)
  exchange.noteOthers(1)
  const second = { ...link }
  exchange.met(second, parseName('gamma'))
  for (const frame of standingFrame([BASE])) exchange.take(frame, second)
  exchange.noteInStep(second)
  t.true(exchange.isWitnessed)
  await clock.advance(20_000)
  t.deepEqual(left, [])
})
