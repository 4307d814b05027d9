import { setTimeout as delay } from 'node:timers/promises'
import { BARE, filesOf, MOSQUITTO, NATS, NODE, OURS, STOCK, type Candidate } from './candidates.ts'
import { OUR_PAGES, STOCK_SOCKET_IO, STOCK_WS } from './page-candidates.ts'
import { startClients } from './client-process.ts'
import { memoryOf } from './process-memory.ts'
import type { Bench, BenchOptions, Table } from './result.ts'
import { makeSite, type Site } from './site.ts'

const CANDIDATES = [BARE, OURS, STOCK, NATS, MOSQUITTO]
const PAGES = [OUR_PAGES, STOCK_SOCKET_IO, STOCK_WS]

/** Clients that come and go first, so that code and pools of the server are there already. */
const WARM = 200

/** How long a server is left alone before it is weighed, ms. */
const REST_MS = 3_000

/** What a client costs a server in memory while nothing happens. */
export const measureIdleMemory: Bench = async options => [
  await measureAll(CANDIDATES, 'client, mutual TLS 1.3', options),
  await measureAll(PAGES, 'page over wss', options),
]

async function measureAll(
  candidates: readonly Candidate[],
  what: string,
  options: BenchOptions,
): Promise<Table> {
  await using site = await makeSite([NODE])
  const sizes = options.quick ? [500] : [1_000, 5_000]
  const rows = [['server', ...sizes.map(size => `${size.toLocaleString('en')} clients`)]]
  for (const candidate of candidates) {
    const row: string[] = [candidate.title]
    for (const size of sizes) row.push(await measureOne(candidate, site, size, options))
    rows.push(row)
  }
  return { title: `Resident memory for each idle ${what}`, rows }
}

async function measureOne(
  { title, protocol, start }: Candidate,
  site: Site,
  clients: number,
  { progress }: BenchOptions,
): Promise<string> {
  const server = await start(site)
  if (server === undefined) return 'skipped'
  await using _server = server
  progress(`${title}, ${clients} clients`)
  const { port, pid } = server
  const order = { protocol, port, files: await filesOf(site) }
  {
    await using _warm = await startClients({ ...order, clients: WARM })
  }
  await delay(REST_MS)
  const before = await memoryOf(pid)
  await using _clients = await startClients({ ...order, clients })
  await delay(REST_MS)
  const after = await memoryOf(pid)
  return `${((after.resident - before.resident) / clients / 1_024).toFixed(1)} KiB`
}
