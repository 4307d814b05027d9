import test from 'ava'
import { GatheredLog } from '../../../node/lib/gathered-log.ts'
import type { Log } from '../../../node/lib/log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function gathered(): { log: GatheredLog; clock: FakeClock; lines: [string, object, string][] } {
  const lines: [string, object, string][] = []
  const write = (level: string) => (fields: object, text: string) => {
    lines.push([level, fields, text])
  }
  const all: Log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
  const clock = new FakeClock()
  return { log: new GatheredLog(all, clock), clock, lines }
}

test('of a sentence that is said again and again, the first are written and the rest is counted', async t => {
  const { log, clock, lines } = gathered()
  for (let port = 0; port < 1_000; port += 1) log.warn({ port }, 'too many')
  t.is(lines.length, 10)
  t.deepEqual(lines[9], ['warn', { port: 9 }, 'too many'])
  await clock.advance(10_000)
  t.deepEqual(lines.slice(10), [['warn', { port: 999, repeated: 990 }, 'too many']])
  log.warn({ port: 1 }, 'too many')
  t.is(lines.length, 12)
})

test('what is said seldom is written as it is, and no timer goes on', async t => {
  const { log, clock, lines } = gathered()
  log.info({}, 'one')
  await clock.advance(10_000)
  t.deepEqual(lines, [['info', {}, 'one']])
  t.is(clock.pending, 0)
})

test('each subject has lines of its own, each address has not', t => {
  const { log, lines } = gathered()
  for (let index = 0; index < 100; index += 1) log.info({ subject: `client/${index}` }, 'admitted')
  t.is(lines.length, 100)
  for (let index = 0; index < 100; index += 1) log.info({ address: `10.0.0.${index}` }, 'failed')
  t.is(lines.length, 110)
})

test('however many subjects there are, the kinds held are bounded', async t => {
  const { log, clock, lines } = gathered()
  for (let index = 0; index < 20_000; index += 1) log.info({ subject: `client/${index}` }, 'no')
  t.is(lines.length, 10_010)
  await clock.advance(10_000)
  t.deepEqual(lines.at(-1), ['info', { subject: 'client/19999', repeated: 9_990 }, 'no'])
})

test('what was not written is summed up at the end', t => {
  const { log, clock, lines } = gathered()
  for (let index = 0; index < 12; index += 1) log.error({}, 'no')
  log[Symbol.dispose]()
  t.deepEqual(lines.at(-1), ['error', { repeated: 2 }, 'no'])
  t.is(clock.pending, 0)
})
