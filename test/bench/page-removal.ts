import { once } from 'node:events'
import { connectOperator } from '../../cli/operator.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { joinAsPage, PAGE_ORIGIN } from './page-protocol.ts'
import { quantile, type Bench } from './result.ts'
import { startServer, type LongestTurn, type WatchedServer } from './server-process.ts'
import { BENCH_IO, makeSite } from './site.ts'

const WAIT_MS = 30_000
const NODES = ['node-1', 'node-2', 'node-3']
const PAGES = 1_000

/** Pages that join at a time: each costs a handshake on both ends. */
const AT_ONCE = 8

/** From the operator's call to the moment at which the last page of a removed origin has ended. */
export const measurePageRemoval: Bench = async ({ quick, progress }) => {
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await makeSite(NODES))
  const nodes: WatchedServer[] = []
  for (const name of NODES) {
    const peers = addressesOf(nodes)
    const web = { listen: '127.0.0.1:0', maxConnections: 100_000, maxPagesPerAddress: 100_000 }
    const config = await site.writeConfig(name, { peers, web })
    nodes.push(stack.use(await startServer('page-server.ts', [config, site.certs.dir])))
  }
  const target = { certs: site.certs.dir, as: 'admin', node: addressesOf(nodes) }
  const operator = stack.use(await connectOperator(target, BENCH_IO))
  const subject = parseSubject(`origin/${PAGE_ORIGIN}`)
  const terms = { sensors: ['temperature'], public: true } as const
  const [lasts, medians, confirmed]: [number[], number[], number[]] = [[], [], []]
  const [ofNodes, turns, ofPages]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < (quick ? 2 : 10); round += 1) {
    await operator.change({ kind: 'grant', subject, terms }, { waitMs: WAIT_MS })
    progress(`${PAGES} pages join, round ${round + 1}`)
    const pages = await joinAll(nodes, site.certs.ca)
    await longestTurns(nodes)
    const [nodesBefore, pagesBefore] = [await cpuMsOf(nodes), process.cpuUsage()]
    const startedAt = performance.now()
    const ends = pages.map(async page => {
      await once(page, 'close')
      return performance.now() - startedAt
    })
    await operator.change({ kind: 'revocation', subject }, { waitMs: WAIT_MS })
    confirmed.push(performance.now() - startedAt)
    const cuts = await Promise.all(ends)
    lasts.push(Math.max(...cuts))
    medians.push(quantile(cuts, 0.5))
    const { user, system } = process.cpuUsage(pagesBefore)
    ofPages.push((user + system) / 1_000)
    ofNodes.push(((await cpuMsOf(nodes)) - nodesBefore) / nodes.length)
    turns.push(Math.max(...(await longestTurns(nodes)).map(({ cpuMs }) => cpuMs)))
  }
  const row = (what: string, times: readonly number[]): string[] => [
    what,
    ...[0.5, 1].map(share => `${quantile(times, share).toFixed(1)} ms`),
  ]
  return [
    {
      title: `Removal of an origin with ${PAGES} pages on ${NODES.length} nodes, from the call of the operator (${lasts.length} rounds)`,
      rows: [
        ['what', 'median', 'slowest'],
        row('half of the pages have ended', medians),
        row('the last page has ended', lasts),
        row('every node confirmed to the operator', confirmed),
        row('processor time of each node', ofNodes),
        row('of the turn of a node that took most of it', turns),
        row('processor time of all pages and the operator', ofPages),
      ],
    },
  ]
}

type JoinedPage = Awaited<ReturnType<typeof joinAsPage>>

function addressesOf(nodes: readonly WatchedServer[]): string[] {
  return nodes.map(({ address }) => address ?? '')
}

async function longestTurns(nodes: readonly WatchedServer[]): Promise<LongestTurn[]> {
  return Promise.all(nodes.map(async node => node.longestTurn()))
}

/** Processor time of all nodes since they began. */
async function cpuMsOf(nodes: readonly WatchedServer[]): Promise<number> {
  const micros = await Promise.all(nodes.map(async node => node.cpuMicros()))
  return micros.reduce((sum, one) => sum + one, 0) / 1_000
}

/** Pages that have joined, as many on each node. */
async function joinAll(nodes: readonly WatchedServer[], ca: string): Promise<JoinedPage[]> {
  const ports = nodes.map(({ port }) => port)
  const pages: JoinedPage[] = []
  while (pages.length < PAGES) {
    const joining = ports.flatMap(port => Array.from({ length: AT_ONCE }, () => port))
    const joined = joining.slice(0, PAGES - pages.length)
    pages.push(...(await Promise.all(joined.map(async port => joinAsPage(port, { ca })))))
  }
  // What they are told is read and thrown away; how they end is not an error.
  for (const page of pages) page.on('error', () => {}).resume()
  return pages
}
