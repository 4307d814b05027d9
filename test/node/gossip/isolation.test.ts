import test from 'ava'
import { Isolation } from '../../../node/gossip/isolation.ts'
import { Lookout } from '../../../node/lib/lookout.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { ISOLATED_SOON, makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { SkipClock } from '../../support/skip-clock.ts'
import type { TestCerts } from '../../support/certs.ts'

let certs: TestCerts
let remove: () => Promise<void>

test.before(async () => {
  ;({ certs, remove } = await makeSharedCerts())
})
test.after.always(async () => remove())

interface Setting {
  readonly clock: FakeClock
  readonly isolation: Isolation
  readonly lookout: Lookout
  readonly said: boolean[]
  readonly slept: number[]
  /** Bytes that were heard of the one peer in step; undefined while there is none. */
  bytes: number | undefined
  hasPeers: boolean
}

function watch(): Setting {
  const clock = new FakeClock()
  const lookout = new Lookout(clock)
  const said: boolean[] = []
  const slept: number[] = []
  const link = {}
  const setting = {
    clock,
    lookout,
    said,
    slept,
    hasPeers: true,
    bytes: undefined as number | undefined,
  }
  const isolation = new Isolation({
    clock,
    lookout,
    isolatedAfterMs: 10_000,
    times: { heartbeatMs: 1_000, deadAfterMs: 5_000 },
    heard: () => (setting.bytes === undefined ? [] : [[link, setting.bytes]]),
    hasPeers: () => setting.hasPeers,
    onSlept: ms => slept.push(ms),
    onChange: isIsolated => said.push(isIsolated),
  })
  return Object.assign(setting, { isolation })
}

/** Let seconds pass in which the peer beats. */
async function beat(setting: Setting, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    setting.bytes = (setting.bytes ?? 0) + 10
    await setting.clock.advance(1_000)
  }
}

test('a node is isolated when no peer was heard for long enough, and says so once', async t => {
  const { clock, isolation, lookout, said } = watch()
  await clock.advance(9_000)
  t.false(isolation.isIsolated)
  await clock.advance(60_000)
  t.true(isolation.isIsolated)
  t.deepEqual(said, [true])
  isolation[Symbol.dispose]()
  lookout[Symbol.dispose]()
  t.is(clock.pending, 0)
})

test('a link that stands and is silent does not keep a node from being isolated', async t => {
  const setting = watch()
  await beat(setting, 5)
  t.is(setting.isolation.aloneMs, 0)
  await setting.clock.advance(9_000)
  t.deepEqual(setting.said, [])
  t.true(setting.isolation.aloneMs > 9_000)
  await setting.clock.advance(1_000)
  t.deepEqual(setting.said, [true])
})

test('a peer that comes into step ends isolation without waiting for the next look', async t => {
  const setting = watch()
  await setting.clock.advance(20_000)
  setting.bytes = 0
  setting.isolation.look()
  t.false(setting.isolation.isIsolated)
  t.deepEqual(setting.said, [true, false])
})

test('a node that slept is isolated before anybody is admitted, and cuts its links then', async t => {
  const setting = watch()
  await beat(setting, 5)
  // As a machine that sleeps: no timer has fallen due, and what peers sent before waits.
  setting.clock.jump(24_000)
  setting.bytes = (setting.bytes ?? 0) + 1_000
  setting.lookout.check()
  t.deepEqual(setting.said, [true])
  t.is(setting.slept.length, 1)
  t.true((setting.slept[0] ?? 0) >= 24_000)
  // The links are gone; what came from them counts for nothing.
  setting.bytes = undefined
  await setting.clock.advance(5_000)
  t.deepEqual(setting.said, [true])
})

test('a check costs no look while looks are in time', async t => {
  const { clock, lookout } = watch()
  let looks = 0
  lookout.subscribe(() => void (looks += 1))
  await clock.advance(800)
  t.is(looks, 1)
  lookout.check()
  t.is(looks, 1)
  clock.jump(1_000)
  lookout.check()
  t.is(looks, 2)
})

test('a node that is alone by design is never isolated', async t => {
  const setting = watch()
  setting.hasPeers = false
  await setting.clock.advance(3_600_000)
  t.deepEqual(setting.said, [])
  // Nor is it at the moment when it hears of a first peer.
  setting.hasPeers = true
  await setting.clock.advance(5_000)
  t.deepEqual(setting.said, [])
})

test('an isolated node that is to refuse cuts its clients, and admits them when a peer is back', async t => {
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    config: { ...ISOLATED_SOON, whenIsolated: 'refuse' },
  })
  await cluster.grant(1, 'c1')
  const client = await cluster.client(2, 'c1')
  await cluster.stop(1)
  t.is((await client.ended).code, 'ERR_ISOLATED')
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_ISOLATED' })
  // An operator can still see what is wrong.
  await using operator = await cluster.operator(2)
  t.true((await operator.status()).isolated)

  await cluster.start(1)
  await cluster.log.find(({ node, text }) => node === 'node-2' && text.includes('in reach again'))
  await using back = await cluster.client(2, 'c1')
  t.is(String(back.node), 'node-2')
})

test('an isolated node serves by its last view unless it is told otherwise', async t => {
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    config: ISOLATED_SOON,
  })
  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  await cluster.log.find(({ node, text }) => node === 'node-2' && text.includes('isolated'))
  await using client = await cluster.client(2, 'c1')
  t.is(String(client.node), 'node-2')
})

test('a node whose machine slept serves nobody by its old list, from the first moment on', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    clock,
    config: { isolatedAfterMs: 60_000, whenIsolated: 'refuse' },
  })
  await cluster.grant(1, 'c1')
  const client = await cluster.client(2, 'c1')
  await cluster.stop(1)
  await using alone = await cluster.client(2, 'c1')
  clock.jump(61_000)
  // No timer has run: the door is the first to look.
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_ISOLATED' })
  t.is((await client.ended).code, 'ERR_ISOLATED')
  t.is((await alone.ended).code, 'ERR_ISOLATED')
})

test('a node whose machine slept beside a peer links anew, and serves again', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    clock,
    config: { isolatedAfterMs: 60_000, whenIsolated: 'refuse' },
  })
  await cluster.grant(1, 'c1')
  const client = await cluster.client(2, 'c1')
  clock.jump(61_000)
  t.is((await client.ended).code, 'ERR_ISOLATED')
  await cluster.log.find(({ node, text }) => node === 'node-2' && text.includes('in reach again'))
  await using back = await cluster.client(2, 'c1')
  t.is(String(back.node), 'node-2')
  t.true(cluster.log.lines.some(({ text }) => text.startsWith('this node did not run')))
})
