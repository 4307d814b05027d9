import test from 'ava'
import { OwnName } from '../../../node/gossip/own-name.ts'
import { parseName } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { recordLog, TIMES, type LogLine } from '../../support/gossip-cluster.ts'

/** A node that is turned away because another machine runs under its name. */

const ALPHA = parseName('alpha')
const GAMMA = parseName('gamma')

function watch(): { clock: FakeClock; log: LogLine[]; own: OwnName } {
  const clock = new FakeClock()
  const log: LogLine[] = []
  return { clock, log, own: new OwnName({ times: TIMES, clock, log: recordLog(log) }) }
}

test('a node that is turned away for longer than its last run could pass for alive says so once', async t => {
  const { clock, log, own } = watch()
  own.refused(ALPHA, 'it runs already')
  t.is(own.inUse, undefined)
  await clock.advance(2 * TIMES.deadAfterMs + 1)
  for (let times = 0; times < 3; times += 1) own.refused(ALPHA, 'it runs already')
  t.is(own.inUse, 'it runs already')
  t.is(log.length, 1)
  t.regex(String(log[0]?.fields['fix']), /fridge certs issue node NAME/)
})

test('a node that meets the other machine needs no second word', t => {
  const { log, own } = watch()
  own.met('another node is called beta')
  t.is(own.inUse, 'another node is called beta')
  t.is(log.length, 1)
})

test('once all who turned it away have taken it in, its name is its own', async t => {
  const { clock, own } = watch()
  for (const by of [ALPHA, GAMMA]) own.refused(by, 'it runs already')
  await clock.advance(60_000)
  own.refused(ALPHA, 'it runs already')
  own.accepted(ALPHA)
  t.not(own.inUse, undefined)
  own.accepted(GAMMA)
  t.is(own.inUse, undefined)
})
