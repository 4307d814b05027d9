import { join } from 'node:path'
import { startMosquittoServer, startNatsServer } from './brokers.ts'
import type { ClientProtocol } from './broker-protocols.ts'
import { startClients, type Load } from './client-process.ts'
import { fillList } from './filled-list.ts'
import type { Bench, BenchOptions } from './result.ts'
import { startServer, type MeasuredServer } from './server-process.ts'
import { CLIENT, makeSite, type CertificateFiles, type Site } from './site.ts'

const NODE = 'node-1'
const CLIENTS = 100

const LOADS: readonly (Load & { readonly title: string })[] = [
  { title: 'bursts of 32', burst: 32, intervalMs: 25 },
  { title: 'single events', burst: 1, intervalMs: 8 },
]

interface Candidate {
  readonly title: string
  readonly protocol: ClientProtocol
  /** @returns undefined where its program is not installed */
  start(site: Site, load: Load): Promise<MeasuredServer | undefined>
}

const CANDIDATES: readonly Candidate[] = [
  { title: 'fridge node', protocol: 'plain', start: startOurs },
  { title: 'stock packages', protocol: 'plain', start: startStock },
  { title: 'NATS', protocol: 'nats', start: async site => startNatsServer(await filesOf(site)) },
  {
    title: 'Mosquitto',
    protocol: 'mqtt',
    start: async site => startMosquittoServer(await filesOf(site)),
  },
]

/** Processor time of a server for each event that a client receives. */
export const measureFanOut: Bench = async options => {
  const head = ['server', ...LOADS.map(({ title }) => title)]
  const micros = new Map<string, (number | undefined)[]>()
  await using site = await makeSite([NODE])
  for (const candidate of CANDIDATES) {
    const row: (number | undefined)[] = []
    for (const load of LOADS) row.push(await measureOne(candidate, site, load, options))
    micros.set(candidate.title, row)
  }
  const stock = micros.get('stock packages') ?? []
  const rows = Array.from(micros, ([title, row]) => [
    title,
    ...row.map((value, index) => {
      if (value === undefined) return 'skipped'
      const ratio = (stock[index] ?? Number.NaN) / value
      return `${value.toFixed(2)} µs (stock ${ratio.toFixed(1)} times that)`
    }),
  ])
  return [
    {
      title: `Fan-out: server processor time for each delivered event, mutual TLS 1.3, ${CLIENTS} clients`,
      rows: [head, ...rows],
    },
  ]
}

/** @returns microseconds for each delivered event; undefined where the server is not installed */
async function measureOne(
  candidate: Candidate,
  site: Site,
  load: (typeof LOADS)[number],
  { quick, progress }: BenchOptions,
): Promise<number | undefined> {
  const { title, protocol } = candidate
  const server = await candidate.start(site, load)
  if (server === undefined) {
    progress(`${title} is not installed: skipped`)
    return undefined
  }
  await using _server = server
  progress(`${title}, ${load.title}`)
  const { port } = server
  const files = await filesOf(site)
  await using clients = await startClients({ protocol, port, clients: CLIENTS, load, files })
  // Both counters are asked for at the same time, after the code has been compiled by use.
  await clients.wait(quick ? 1_000 : 4_000)
  const before = await Promise.all([server.cpuMicros(), clients.delivered()])
  await clients.wait(quick ? 2_000 : 10_000)
  const after = await Promise.all([server.cpuMicros(), clients.delivered()])
  const delivered = after[1].events - before[1].events
  const expected = ((after[1].atMs - before[1].atMs) / load.intervalMs) * load.burst * CLIENTS
  if (delivered < expected * 0.8) {
    progress(`${title} fell behind: ${delivered} of about ${Math.round(expected)} events`)
  }
  return (after[0] - before[0]) / delivered
}

/** Where the files of the server's and the client's certificates are. */
async function filesOf({ certs }: Site): Promise<CertificateFiles> {
  const { files: client } = await certs.load('client', CLIENT)
  const { files: server } = await certs.load('node', NODE)
  return { client, server }
}

/** The program that both servers in Node.js read their temperatures from. */
function eventSource({ burst, intervalMs }: Load): [string, ...string[]] {
  const file = join(import.meta.dirname, 'event-source.ts')
  return [process.execPath, file, String(burst), String(intervalMs)]
}

async function startOurs(site: Site, load: Load): Promise<MeasuredServer> {
  const data = await site.dataFolder(`${NODE}-${load.burst}`)
  const operator = await site.certs.load('operator', 'admin')
  fillList({ data, names: 1, operator, node: await site.certs.load('node', NODE) })
  const temperature = { driver: 'command', kind: 'temperature', command: eventSource(load) }
  const sensors = { door: { driver: 'simulated' }, temperature }
  const simulation = { doorOpensPerHour: 0 }
  return startServer('our-server.ts', [await site.writeConfig(NODE, { data, sensors, simulation })])
}

async function startStock(site: Site, load: Load): Promise<MeasuredServer> {
  const { server } = await filesOf(site)
  const files = [server.caFile, server.certificateFile, server.keyFile]
  return startServer('stock-server.ts', [...files, CLIENT, ...eventSource(load)])
}
