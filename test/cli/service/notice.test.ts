import test from 'ava'
import { keepTold, noticeIntervalMs, noticeOf } from '../../../cli/service/notice.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const EVERY_MS = 20_000

function told(health: { whyNotReady: string | undefined; isStalled: boolean }, fails = 0) {
  const clock = new FakeClock()
  const stop = new AbortController()
  const sent: string[] = []
  const warnings: string[] = []
  let failing = fails
  const send = async (variables: readonly string[]): Promise<void> => {
    if (failing > 0) {
      failing -= 1
      throw new Error('spawn systemd-notify ENOENT')
    }
    sent.push(variables.join(' '))
  }
  const log = { ...silentLog, warn: (_: object, text: string) => void warnings.push(text) }
  const done = keepTold(health, { send, everyMs: EVERY_MS, clock, log, signal: stop.signal })
  return { clock, sent, warnings, stop: () => stop.abort(), done }
}

test('a node is ready when it serves, and says until then why it does not', async t => {
  const health = { whyNotReady: 'no exchange with a peer\nis complete' as string | undefined }
  const { clock, sent, stop, done } = told({ ...health, isStalled: false })
  await clock.advance(1_000)
  t.deepEqual(sent, [
    'STATUS=no exchange with a peer is complete WATCHDOG=1 EXTEND_TIMEOUT_USEC=60000000',
  ])
  stop()
  await done
  t.is(sent.at(-1), 'STOPPING=1 STATUS=stopping')
  t.false(sent.some(notice => notice.includes('READY')))
})

test('a change is told within a second, and that the node lives three times a watchdog', async t => {
  const health = { whyNotReady: 'starting' as string | undefined, isStalled: false }
  const { clock, sent, stop, done } = told(health)
  await clock.advance(1_000)
  health.whyNotReady = undefined
  await clock.advance(1_000)
  t.deepEqual(sent.slice(1), ['READY=1 STATUS=serving WATCHDOG=1'])
  await clock.advance(EVERY_MS - 2_000)
  t.is(sent.length, 2)
  await clock.advance(2_000)
  t.is(sent.length, 3)
  stop()
  await done
})

test('a node that checks no signatures any more is not said to live', async t => {
  const health = { whyNotReady: undefined as string | undefined, isStalled: false }
  const { clock, sent, stop, done } = told(health)
  await clock.advance(1_000)
  health.isStalled = true
  health.whyNotReady = 'signatures are not being checked'
  await clock.advance(3 * EVERY_MS)
  t.true(sent.length > 2)
  t.deepEqual([...new Set(sent.slice(1))], ['STATUS=signatures are not being checked'])
  stop()
  await done
})

test('a full disk is not mended by a restart, so the node still lives', t => {
  const notice = noticeOf({ whyNotReady: 'changes cannot be stored: full', isStalled: false }, 1)
  t.true(notice.includes('WATCHDOG=1'))
  t.false(notice.includes('READY=1'))
})

test('a service manager that cannot be told is warned of once, and told again later', async t => {
  const { clock, sent, warnings, stop, done } = told(
    { whyNotReady: undefined, isStalled: false },
    2,
  )
  await clock.advance(2 * EVERY_MS + 2_000)
  t.is(warnings.length, 1)
  t.deepEqual(sent, ['READY=1 STATUS=serving WATCHDOG=1'])
  stop()
  await done
})

test('the watchdog of the service manager says how often it is told', t => {
  t.is(noticeIntervalMs('60000000'), 20_000)
  t.is(noticeIntervalMs('1'), 1_000)
  t.is(noticeIntervalMs(undefined), 20_000)
  t.is(noticeIntervalMs('-5'), 20_000)
  t.is(noticeIntervalMs('soon'), 20_000)
})
