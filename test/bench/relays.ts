import { FanOut } from '../../node/events/fan-out.ts'
import type { Carrier, EventStream } from '../../node/events/subscriber.ts'
import type { FeedListener } from '../../node/sensors/feed.ts'
import type { Sensor } from '../../node/sensors/sensor.ts'
import { ANYBODY, FAR, FarNode } from '../support/far-node.ts'
import { median, type Bench } from './result.ts'

const PAGES = [1, 100, 1_000]

/** Events of a round, so many at once: less than a far node may send before it is read more slowly. */
const EVENTS = 400
const AT_ONCE = 20

/** A page that reads at once. */
function sink(): Carrier {
  return {
    bufferedBytes: 0,
    writeShared: () => {},
    drained: async () => {},
    cutAsTooSlow: () => {},
  }
}

/**
 * Processor time of one event, told to pages of the node that has the sensor and to pages of one that
 * relays it: in memory, without TLS, the far node's end and its framing included.
 */
export const measureRelays: Bench = async ({ quick }) => {
  const rounds = quick ? 3 : 20
  const rows = [['pages', 'own', 'relayed']]
  // Its code is compiled by use.
  for (let round = 0; round < 2 * rounds; round += 1) {
    await measureOwn(1)
    await measureRelayed(1)
  }
  for (const count of PAGES) {
    const own: number[] = []
    const relayed: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      own.push(await measureOwn(count))
      relayed.push(await measureRelayed(count))
    }
    rows.push([String(count), `${median(own).toFixed(1)} µs`, `${median(relayed).toFixed(1)} µs`])
  }
  return [{ title: 'Relays: processor time of one event, in memory', rows }]
}

async function measureOwn(count: number): Promise<number> {
  const listeners: FeedListener[] = []
  const feeds = {
    subscribe: (listener: FeedListener) => {
      listeners.push(listener)
      return { [Symbol.dispose]: () => {} }
    },
  }
  using fanOut = new FanOut(feeds, { check: () => {} })
  for (let page = 0; page < count; page += 1) {
    const stream: EventStream = { id: 'air', writeEncoded: () => {}, onClose: () => {} }
    fanOut.serve(fanOut.join(sink(), 'page'), 'air', stream)
  }
  const sensor: Sensor = { name: 'air', kind: 'temperature', watch: async () => undefined }
  return measure(async at => {
    for (const listener of listeners) {
      listener(sensor, { type: 'reading', value: 4.25, unit: 'C', at })
    }
  })
}

async function measureRelayed(count: number): Promise<number> {
  using far = new FarNode()
  for (let page = 0; page < count; page += 1) {
    far.relays.watch(FAR, ANYBODY, { carrier: sink(), mayRead: () => true })
  }
  await far.settle()
  far.greet()
  await far.settle()
  const id = far.admit(1)
  await far.settle()
  return measure(async at => far.emit(id, 'reading', 4.25, 'C', 0, at))
}

/** @returns microseconds of processor time for each event */
async function measure(tell: (sequence: number) => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  for (let told = 0; told < EVENTS; told += AT_ONCE) {
    for (let one = 1; one <= AT_ONCE; one += 1) await tell(told + one)
    // What was told goes out on later turns of the loop.
    for (let turn = 0; turn < 3; turn += 1) {
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    }
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / EVENTS
}
