import test from 'ava'
import { Isolation } from '../../../node/gossip/isolation.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
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
  readonly said: boolean[]
  aloneSince: number | undefined
  hasPeers: boolean
}

function watch(): Setting {
  const clock = new FakeClock()
  const said: boolean[] = []
  const setting = {
    clock,
    said,
    aloneSince: clock.monotonic() as number | undefined,
    hasPeers: true,
  }
  const isolation = new Isolation({
    clock,
    isolatedAfterMs: 10_000,
    aloneMs: () => (setting.aloneSince === undefined ? 0 : clock.monotonic() - setting.aloneSince),
    hasPeers: () => setting.hasPeers,
    onChange: isIsolated => said.push(isIsolated),
  })
  return Object.assign(setting, { isolation })
}

test('a node is isolated when no peer was heard for long enough, and says so once', async t => {
  const { clock, isolation, said } = watch()
  await clock.advance(9_000)
  t.false(isolation.isIsolated)
  await clock.advance(60_000)
  t.true(isolation.isIsolated)
  t.deepEqual(said, [true])
  isolation[Symbol.dispose]()
  t.is(clock.pending, 0)
})

test('a peer that is heard again ends isolation without waiting for the timer', async t => {
  const setting = watch()
  await setting.clock.advance(20_000)
  setting.aloneSince = undefined
  setting.isolation.look()
  t.false(setting.isolation.isIsolated)
  t.deepEqual(setting.said, [true, false])
  setting.isolation[Symbol.dispose]()
})

test('a node that is alone by design is never isolated', async t => {
  const setting = watch()
  setting.hasPeers = false
  await setting.clock.advance(3_600_000)
  t.deepEqual(setting.said, [])
  setting.isolation[Symbol.dispose]()
})

test('an isolated node that is to refuse cuts its clients, and admits them when a peer is back', async t => {
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    config: { isolatedAfterMs: 300, whenIsolated: 'refuse' },
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
    config: { isolatedAfterMs: 300 },
  })
  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  await cluster.log.find(({ node, text }) => node === 'node-2' && text.includes('isolated'))
  await using client = await cluster.client(2, 'c1')
  t.is(String(client.node), 'node-2')
})
