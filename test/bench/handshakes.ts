import { setTimeout as delay } from 'node:timers/promises'
import { BARE, filesOf, NODE, OURS, QUIET, STOCK, type Candidate } from './candidates.ts'
import { startConnects } from './connects.ts'
import { memoryOf } from './process-memory.ts'
import type { Bench, BenchOptions, Table } from './result.ts'
import { makeSite, type Site } from './site.ts'

const CANDIDATES = [BARE, OURS, STOCK]

/** How long a server is left alone before it is weighed, ms. */
const REST_MS = 5_000

/** From the first byte of a handshake to the first event: a whole one, and one that is resumed. */
export const measureHandshakes: Bench = async options => {
  await using site = await makeSite([NODE])
  const counts = { full: options.quick ? 300 : 3_000, resumed: options.quick ? 300 : 3_000 }
  const rows = [['server', 'full', 'resumed', 'resumed of full']]
  for (const candidate of CANDIDATES) {
    const { full, resumed } = await measureOne(candidate, site, counts, options)
    const ratio = (resumed / full).toFixed(2)
    rows.push([candidate.title, `${full.toFixed(2)} ms`, `${resumed.toFixed(2)} ms`, ratio])
  }
  return [
    { title: 'Server processor time from handshake to first event, mutual TLS 1.3', rows },
    await measureChurn(site, options),
  ]
}

async function measureOne(
  { title, start }: Candidate,
  site: Site,
  counts: { readonly full: number; readonly resumed: number },
  { progress }: BenchOptions,
): Promise<{ full: number; resumed: number }> {
  const server = await start(site, QUIET)
  if (server === undefined) throw new Error(`${title} does not start`)
  await using _server = server
  const { client } = await filesOf(site)
  const measure = async (resume: boolean, connects: number): Promise<number> => {
    progress(`${title}, ${connects} ${resume ? 'resumed' : 'full'} handshakes`)
    await startConnects({ port: server.port, connects: 100, resume, files: client })
    const before = await server.cpuMicros()
    await startConnects({ port: server.port, connects, resume, files: client })
    return ((await server.cpuMicros()) - before) / 1_000 / connects
  }
  return { full: await measure(false, counts.full), resumed: await measure(true, counts.resumed) }
}

/** Memory of a node after so many clients have come and gone. */
async function measureChurn(site: Site, { quick, progress }: BenchOptions): Promise<Table> {
  const server = await OURS.start(site, QUIET)
  if (server === undefined) throw new Error('the node does not start')
  await using _server = server
  const { client } = await filesOf(site)
  const [warm, ...rest] = quick ? [500, 2_000] : [5_000, 20_000, 75_000]
  const rows = [['connects and disconnects', 'resident memory']]
  let done = 0
  for (const connects of [warm ?? 0, ...rest]) {
    progress(`${connects} more connects and disconnects`)
    await startConnects({ port: server.port, connects, resume: false, files: client })
    await delay(REST_MS)
    done += connects
    const { resident } = await memoryOf(server.pid)
    rows.push([done.toLocaleString('en'), `${(resident / 2 ** 20).toFixed(1)} MiB`])
  }
  return { title: 'Memory of a node after clients have come and gone', rows }
}
