import { BARE, MOSQUITTO, NATS, NODE, OURS, STOCK, filesOf, type Candidate } from './candidates.ts'
import { startClients, type Load } from './client-process.ts'
import type { Bench, BenchOptions } from './result.ts'
import { makeSite, type Site } from './site.ts'

const LOADS: readonly (Load & { readonly title: string })[] = [
  { title: 'bursts of 32', burst: 32, intervalMs: 25 },
  { title: 'single events', burst: 1, intervalMs: 8 },
]

/** A tenth as many events a client where there are ten times as many clients. */
const SIZES = [
  { clients: 100, slower: 1 },
  { clients: 1_000, slower: 10 },
]

const CANDIDATES = [BARE, OURS, STOCK, NATS, MOSQUITTO]

/** Processor time of a server for each event that a client receives. */
export const measureFanOut: Bench = async options => {
  await using site = await makeSite([NODE])
  const tables = []
  for (const { clients, slower } of SIZES) {
    const micros = new Map<string, (number | undefined)[]>()
    for (const candidate of CANDIDATES) {
      const row: (number | undefined)[] = []
      for (const load of LOADS) {
        const slowed = { ...load, intervalMs: load.intervalMs * slower }
        row.push(await measureOne(candidate, site, { load: slowed, clients }, options))
      }
      micros.set(candidate.title, row)
    }
    tables.push({
      title: `Fan-out: server processor time for each delivered event, mutual TLS 1.3, ${clients} clients`,
      rows: [['server', ...LOADS.map(({ title }) => title)], ...rowsOf(micros)],
    })
  }
  return tables
}

/** Each figure, and how many times as much ours is. */
function rowsOf(micros: ReadonlyMap<string, readonly (number | undefined)[]>): string[][] {
  const ours = micros.get(OURS.title) ?? []
  return Array.from(micros, ([title, row]) => [
    title,
    ...row.map((value, index) => {
      if (value === undefined) return 'skipped'
      const ratio = (ours[index] ?? Number.NaN) / value
      return (
        `${value.toFixed(2)} µs` + (title === OURS.title ? '' : ` (ours ${ratio.toFixed(2)} of it)`)
      )
    }),
  ])
}

interface Measure {
  readonly load: Load & { readonly title?: string }
  readonly clients: number
}

/** @returns microseconds for each delivered event; undefined where the server is not installed */
async function measureOne(
  { title, protocol, start }: Candidate,
  site: Site,
  { load, clients: count }: Measure,
  { quick, progress }: BenchOptions,
): Promise<number | undefined> {
  const server = await start(site, load)
  if (server === undefined) {
    progress(`${title} is not installed: skipped`)
    return undefined
  }
  await using _server = server
  progress(`${title}, ${load.title}, ${count} clients`)
  const { port } = server
  const files = await filesOf(site)
  await using clients = await startClients({ protocol, port, clients: count, load, files })
  // Both counters are asked for at the same time, after the code has been compiled by use.
  await clients.wait(quick ? 1_000 : 4_000)
  const before = await Promise.all([server.cpuMicros(), clients.delivered()])
  await clients.wait(quick ? 2_000 : 10_000)
  const after = await Promise.all([server.cpuMicros(), clients.delivered()])
  const delivered = after[1].events - before[1].events
  const expected = ((after[1].atMs - before[1].atMs) / load.intervalMs) * load.burst * count
  if (delivered < expected * 0.8) {
    progress(`${title} fell behind: ${delivered} of about ${Math.round(expected)} events`)
  }
  return (after[0] - before[0]) / delivered
}
