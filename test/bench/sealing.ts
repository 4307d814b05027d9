import { setImmediate as nextTurn } from 'node:timers/promises'
import { FanOut } from '../../node/events/fan-out.ts'
import type { Carrier } from '../../node/events/subscriber.ts'
import { silentLog } from '../../node/lib/log.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { Seals } from '../../node/seal/seals.ts'
import type { FeedListener } from '../../node/sensors/feed.ts'
import { median, type Bench } from './result.ts'

const SENSOR = 'temperature'
const PAGES = [1, 100, 1_000]
const WARM = 2_000

/** Takes what a page would be sent: sealing is measured, and not what TLS and the kernel take. */
const CARRIER: Carrier = {
  bufferedBytes: 0,
  writeShared: () => {},
  drained: async () => {},
  cutAsTooSlow: () => {},
}

/** Processor time of each event of one sensor, sealed and not, in the fan-out to so many pages. */
export const measureSealing: Bench = async ({ quick, progress }) => {
  const rounds = quick ? 3 : 15
  const events = quick ? 2_000 : 10_000
  const seals = await Seals.open({
    channels: [
      {
        channel: 'bench',
        sensors: [SENSOR],
        hasGcrypt: false,
        passphrase: async () => 'correct horse battery staple',
      },
    ],
    domain: 'fridge',
    node: 'node-1',
    run: 'node-1#0123456789abcdef',
    clock: systemClock,
    log: silentLog,
  })
  await using _seals = seals
  const rows: string[][] = [['pages', 'in clear, µs', 'sealed, µs', 'sealing adds, µs']]
  for (const pages of PAGES) {
    progress(`${pages} pages`)
    const clear = openFanOut(pages)
    const sealed = openFanOut(pages, seals)
    const samples: [number, number][] = []
    for (const say of [clear, sealed]) await microsecondsOf(say, WARM)
    for (let round = 0; round < rounds; round += 1) {
      samples.push([await microsecondsOf(clear, events), await microsecondsOf(sealed, events)])
    }
    const of = (read: (sample: [number, number]) => number): string =>
      median(samples.map(sample => read(sample))).toFixed(1)
    const [inClear, inBoxes] = [of(([one]) => one), of(([, other]) => other)]
    rows.push([String(pages), inClear, inBoxes, of(([one, other]) => other - one)])
  }
  return [{ title: `Sealing an event in the fan-out (${rounds} rounds of ${events} events)`, rows }]
}

/** @returns what says one event to all pages */
function openFanOut(pages: number, seals?: Seals): FeedListener {
  let listener: FeedListener = () => {}
  const feeds = {
    subscribe: (hears: FeedListener) => {
      listener = hears
      return { [Symbol.dispose]: () => {} }
    },
  }
  const fanOut = new FanOut(feeds, { check: () => {} }, seals)
  for (let page = 0; page < pages; page += 1) {
    const subscriber = fanOut.join(CARRIER, 'page')
    const stream = { id: SENSOR, writeEncoded: () => {}, onClose: () => {} }
    fanOut.serve(subscriber, SENSOR, stream)
  }
  return (...said) => listener(...said)
}

async function microsecondsOf(say: FeedListener, events: number): Promise<number> {
  const sensor = { name: SENSOR, kind: 'temperature', watch: async () => {} } as const
  const before = process.cpuUsage()
  for (let event = 0; event < events; event += 1) {
    say(sensor, { type: 'reading', value: event / 100, unit: 'C', at: 1_767_268_800_000 + event })
    // Each event is flushed by itself, as readings come.
    await nextTurn()
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / events
}
