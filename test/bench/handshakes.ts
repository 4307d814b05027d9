import { setTimeout as delay } from 'node:timers/promises'
import { BARE, filesOf, NODE, OURS, STOCK } from './candidates.ts'
import { startConnects } from './connects.ts'
import { memoryOf } from './process-memory.ts'
import { median, type Bench, type BenchOptions, type Table } from './result.ts'
import type { MeasuredServer } from './server-process.ts'
import { makeSite, type Site } from './site.ts'

const CANDIDATES = [BARE, OURS, STOCK]

/** How long a server is left alone before it is weighed, ms. */
const REST_MS = 5_000

/** How many rounds there are of each kind of handshake, and how many handshakes a round. */
const ROUNDS = { quick: 2, whole: 10 }
const CONNECTS = 300

/** From the first byte of a handshake to the first event: a whole one, and one that is resumed. */
export const measureHandshakes: Bench = async options => {
  await using site = await makeSite([NODE])
  return [await measureCost(site, options), await measureChurn(site, options)]
}

/** All servers run at the same time and are measured in turn, as in the fan-out bench. */
async function measureCost(site: Site, { quick, progress }: BenchOptions): Promise<Table> {
  await using stack = new AsyncDisposableStack()
  const contenders: { title: string; server: MeasuredServer; full: number[]; resumed: number[] }[] =
    []
  for (const { title, start } of CANDIDATES) {
    const server = await start(site)
    if (server === undefined) throw new Error(`${title} does not start`)
    contenders.push({ title, server: stack.use(server), full: [], resumed: [] })
  }
  const { client: files } = await filesOf(site)
  const measure = async (server: MeasuredServer, resume: boolean): Promise<number> => {
    const before = await server.cpuMicros()
    await startConnects({ port: server.port, connects: CONNECTS, resume, files })
    return ((await server.cpuMicros()) - before) / 1_000 / CONNECTS
  }
  const rounds = quick ? ROUNDS.quick : ROUNDS.whole
  // The first round is for the compiler.
  for (let round = 0; round <= rounds; round += 1) {
    progress(`handshakes, round ${round} of ${rounds}`)
    for (const { server, full, resumed } of contenders) {
      const figures = { full: await measure(server, false), resumed: await measure(server, true) }
      if (round === 0) continue
      full.push(figures.full)
      resumed.push(figures.resumed)
    }
  }
  const [bare] = contenders
  const rows = contenders.map(({ title, full, resumed }) => {
    const ratios = full.map((value, round) => value / (bare?.full[round] ?? Number.NaN))
    const ofFull = resumed.map((value, round) => value / (full[round] ?? Number.NaN))
    return [
      title,
      `${median(full).toFixed(2)} ms`,
      median(ratios).toFixed(2),
      `${median(resumed).toFixed(2)} ms`,
      median(ofFull).toFixed(2),
    ]
  })
  return {
    title: 'Server processor time from handshake to first event, mutual TLS 1.3',
    rows: [['server', 'full', 'of bare', 'resumed', 'of full'], ...rows],
  }
}

/** Memory of a node after so many clients have come and gone. */
async function measureChurn(site: Site, { quick, progress }: BenchOptions): Promise<Table> {
  const server = await OURS.start(site)
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
