import { getEventListeners } from 'node:events'
import process from 'node:process'
import test from 'ava'
import { connect } from '../../../node/client/connect.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { layCable } from '../../support/cable.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { METRICS_ON, scrape } from '../../support/scrape.ts'
import { collectGarbage } from '../../support/wire-garbage.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** How many; `npm run test:reconnect` does 10,000. */
const RECONNECTS = Number(process.env['RECONNECTS'] ?? 200)
/** Before the first look: what is made once and kept has been made by then. */
const WARM_UP = Math.max(RECONNECTS / 10, 50)
/** What the heap may grow by meanwhile: compiled code and caches. At 10,000 that is 200 bytes each. */
const MAX_GROWTH_BYTES = 2_000_000

test('a client that reconnects again and again leaves nothing behind, nor does its node', async t => {
  t.timeout(60_000 + 54 * RECONNECTS)
  await using cluster = await startCluster(t, { certs, config: METRICS_ON })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  const abort = new AbortController()
  await using fridge = await connect({
    nodes: [cable.address],
    certs: certs.dir,
    as: 'c1',
    signal: abort.signal,
    clock: { ...systemClock, sleep: async () => {} },
  })
  const events = fridge.events({ signal: abort.signal })
  const reconnect = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      cable.cut()
      for (let isBack = false; !isBack;) {
        const { value } = await events.next()
        isBack = value?.type === 'connected'
      }
      cluster.log.lines.length = 0
    }
  }
  const look = async () => {
    // It answers over the new connection: by then both ends have let go of the one before.
    await fridge.call('defrost')
    collectGarbage()
    return {
      listeners: getEventListeners(abort.signal, 'abort').length,
      resources: process
        .getActiveResourcesInfo()
        .filter(type => type !== 'Immediate')
        .sort(),
      heap: process.memoryUsage().heapUsed,
    }
  }
  await events.next()
  await reconnect(WARM_UP)
  const before = await look()
  const startedAt = performance.now()
  await reconnect(RECONNECTS)
  const tookMs = performance.now() - startedAt
  const after = await look()
  t.is(after.listeners, 2)
  t.deepEqual(after.resources, before.resources)
  const growth = after.heap - before.heap
  t.true(growth < MAX_GROWTH_BYTES, `the heap has grown by ${growth} bytes`)
  const samples = await scrape(cluster.node(1))
  t.is(samples.of('fridge_handshakes_total resumed'), WARM_UP + RECONNECTS)
  t.log(`${RECONNECTS} in ${Math.round(tookMs)} ms, heap ${growth} bytes more`)
})
