import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { BARE, MOSQUITTO, NATS, NODE, OURS, STOCK, filesOf, type Candidate } from './candidates.ts'
import { OUR_PAGES, STOCK_SOCKET_IO, STOCK_WS } from './page-candidates.ts'
import { startClients, type ClientProcess } from './client-process.ts'
import { openLoadControl, type Load, type LoadControl } from './load.ts'
import { median, type Bench, type BenchOptions, type Table } from './result.ts'
import type { MeasuredServer } from './server-process.ts'
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

/** Servers that are measured beside each other. */
interface Field {
  readonly what: string
  readonly ours: Candidate
  readonly candidates: readonly Candidate[]
}

const CLIENTS: Field = {
  what: 'mutual TLS 1.3',
  ours: OURS,
  candidates: [BARE, OURS, STOCK, NATS, MOSQUITTO],
}

const PAGES: Field = {
  what: 'pages over wss',
  ours: OUR_PAGES,
  candidates: [OUR_PAGES, STOCK_SOCKET_IO, STOCK_WS],
}

/** Before a server is measured its code is compiled by use. */
const WARM_MS = 4_000

/** A load runs for a moment before it is measured, and is then measured for so long. */
const SETTLE_MS = 200
const MEASURED_MS = 1_500

/** A server with its clients, ready to be given events. */
interface Contender {
  readonly title: string
  readonly server: MeasuredServer
  readonly clients: ClientProcess
  readonly control: LoadControl
}

/** Processor time of a server for each event that a client receives. */
export const measureFanOut: Bench = async options => measureField(CLIENTS, options)

/** The same for pages in browsers. */
export const measurePages: Bench = async options => measureField(PAGES, options)

async function measureField(field: Field, options: BenchOptions): Promise<Table[]> {
  await using site = await makeSite([NODE])
  const tables = []
  for (const size of SIZES) tables.push(await measureSize(site, field, size, options))
  return tables
}

/**
 * All servers run at the same time and are measured in turn, so that what else the machine does
 * meanwhile befalls all of them.
 */
async function measureSize(
  site: Site,
  field: Field,
  { clients: count, slower }: (typeof SIZES)[number],
  options: BenchOptions,
): Promise<Table> {
  await using stack = new AsyncDisposableStack()
  const contenders: Contender[] = []
  for (const candidate of field.candidates) {
    const contender = await startOne(candidate, site, { count, stack, options })
    if (contender !== undefined) contenders.push(contender)
  }
  const columns: Map<string, number[]>[] = []
  for (const { title, burst, intervalMs } of LOADS) {
    const load = { burst, intervalMs: intervalMs * slower }
    options.progress(`${title}, ${count} clients`)
    columns.push(await measureLoad(contenders, { load, count, options }))
  }
  return {
    title: `Fan-out: server processor time for each delivered event, ${field.what}, ${count} clients`,
    rows: [['server', ...LOADS.map(({ title }) => title)], ...rowsOf(field, columns)],
  }
}

interface Surroundings {
  readonly count: number
  readonly stack: AsyncDisposableStack
  readonly options: BenchOptions
}

/** @returns undefined where the server is not installed */
async function startOne(
  { title, protocol, start }: Candidate,
  site: Site,
  { count, stack, options }: Surroundings,
): Promise<Contender | undefined> {
  const path = join(site.folder, `${randomUUID()}.sock`)
  const control = stack.use(await openLoadControl(path))
  const server = await start(site, path)
  if (server === undefined) {
    options.progress(`${title} is not installed: skipped`)
    return undefined
  }
  stack.use(server)
  const { port } = server
  const files = await filesOf(site)
  const clients = await startClients({ protocol, port, clients: count, control: path, files })
  stack.use(clients)
  return { title, server, clients, control }
}

interface Measure {
  readonly load: Load
  readonly count: number
  readonly options: BenchOptions
}

/** @returns microseconds for each delivered event, of each server, a figure a round */
async function measureLoad(
  contenders: readonly Contender[],
  measure: Measure,
): Promise<Map<string, number[]>> {
  const { load, options } = measure
  for (const { control, clients } of contenders) {
    control.set(load)
    await clients.wait(options.quick ? WARM_MS / 4 : WARM_MS)
    control.set(undefined)
  }
  const rounds = options.quick ? 2 : 8
  const figures = new Map(contenders.map(({ title }) => [title, [] as number[]]))
  for (let round = 0; round < rounds; round += 1) {
    // There and back, so that nobody always follows the same one.
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      figures.get(contender.title)?.push(await measureOnce(contender, measure))
    }
  }
  return figures
}

async function measureOnce(
  { title, server, clients, control }: Contender,
  { load, count, options }: Measure,
): Promise<number> {
  control.set(load)
  await clients.wait(SETTLE_MS)
  // Both counters are asked for at the same time.
  const before = await Promise.all([server.cpuMicros(), clients.delivered()])
  await clients.wait(MEASURED_MS)
  const after = await Promise.all([server.cpuMicros(), clients.delivered()])
  control.set(undefined)
  const delivered = after[1].events - before[1].events
  const expected = ((after[1].atMs - before[1].atMs) / load.intervalMs) * load.burst * count
  if (delivered < expected * 0.8) {
    options.progress(`${title} fell behind: ${delivered} of about ${Math.round(expected)} events`)
  }
  // The last events are taken before the next server is measured.
  await clients.wait(SETTLE_MS)
  return (after[0] - before[0]) / delivered
}

/** The median of each server, and that of how many times as much ours took in the same round. */
function rowsOf(
  { ours: own, candidates }: Field,
  columns: readonly ReadonlyMap<string, readonly number[]>[],
): string[][] {
  return candidates.map(({ title }) => [
    title,
    ...columns.map(figures => {
      const theirs = figures.get(title)
      if (theirs === undefined) return 'skipped'
      const micros = `${median(theirs).toFixed(2)} µs`
      if (title === own.title) return micros
      const ours = figures.get(own.title) ?? []
      const ratios = theirs.map((value, round) => (ours[round] ?? Number.NaN) / value)
      return `${micros} (ours ${median(ratios).toFixed(2)} of it)`
    }),
  ])
}
