import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectOperator } from '../../cli/operator.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { fillList } from './filled-list.ts'
import { memoryOf } from './process-memory.ts'
import { median, quantile, type Bench, type BenchOptions } from './result.ts'
import { startServer, type MeasuredServer } from './server-process.ts'
import { BENCH_IO, CLIENT, makeSite, type Site } from './site.ts'
import { millisecondsSince } from './timed-thermometer.ts'

const FULL = 'node-1'
const EMPTY = 'node-2'
const SIZES = [100, 1_000, 10_000, 100_000]

/** How often the thermometer of the empty node is read, ms. */
const READING_MS = 5

/** How often the empty node is asked how far it has come, ms. */
const POLL_MS = 100

const WAIT_MS = 30_000

/** A full node finds one that serves a client and has an empty list; then what one change costs. */
export const measureFirstSync: Bench = async options => {
  const sync = [
    ['names', 'until all are stored', 'event p50', 'p99', 'slowest', 'memory after', 'peak'],
  ]
  const change = [['names', 'confirmed by both', 'processor time of both']]
  for (const names of SIZES) {
    const { alone, during, ms, memory, changeMs, changeCpuMs } = await measureSize(names, options)
    const times = (samples: readonly number[]): string[] =>
      [0.5, 0.99, 1].map(share => `${quantile(samples, share).toFixed(1)} ms`)
    if (names === SIZES[0]) sync.push(['alone', '', ...times(alone), '', ''])
    const mebibytes = [memory.resident, memory.peak].map(
      bytes => `${Math.round(bytes / 2 ** 20)} MiB`,
    )
    sync.push([
      names.toLocaleString('en'),
      `${(ms / 1_000).toFixed(2)} s`,
      ...times(during),
      ...mebibytes,
    ])
    change.push([
      names.toLocaleString('en'),
      `${median(changeMs).toFixed(1)} ms`,
      `${changeCpuMs.toFixed(1)} ms`,
    ])
  }
  return [
    {
      title:
        'First sync of an empty node, both signatures of each change checked, while it serves events',
      rows: sync,
    },
    { title: 'One change in a cluster of two, by the size of the list', rows: change },
  ]
}

interface Measured {
  /** From a reading to its arrival at the client of the empty node: while it was alone, ms. */
  readonly alone: readonly number[]
  /** The same while it took in the list, ms. */
  readonly during: readonly number[]
  /** From its link until all changes were stored, ms. */
  readonly ms: number
  readonly memory: { readonly resident: number; readonly peak: number }
  /** From an operator's call until both nodes had confirmed, ms. */
  readonly changeMs: readonly number[]
  /** Processor time of both nodes for one change, ms. */
  readonly changeCpuMs: number
}

async function measureSize(names: number, { quick, progress }: BenchOptions): Promise<Measured> {
  progress(`${names} names`)
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await makeSite([FULL, EMPTY]))
  const operator = await site.certs.load('operator', 'admin')
  for (const [node, size] of [
    [FULL, names],
    [EMPTY, 1],
  ] as const) {
    const data = await site.dataFolder(node)
    fillList({ data, names: size, operator, node: await site.certs.load('node', node) })
  }
  const empty = stack.use(await startEmpty(site))
  const address = `127.0.0.1:${empty.port}`
  const latencies: number[] = []
  stack.use(
    await openNodeConnection({
      address: parseAddress(address),
      credentials: await site.certs.load('client', CLIENT),
      clock: systemClock,
      onEvent: (_, event) => {
        if (event.type === 'reading') latencies.push(millisecondsSince(event.value))
      },
    }),
  )
  const target = { certs: site.certs.dir, node: [address] }
  const admin = stack.use(await connectOperator(target, BENCH_IO))
  await delay(quick ? 1_000 : 3_000)
  const alone = latencies.splice(0)
  const starting = site
    .writeConfig(FULL, { peers: [address] })
    .then(async config => startServer('our-server.ts', [config]))
  starting.catch(() => {})
  const ms = await waitForChanges(admin, names + 1)
  const during = latencies.splice(0)
  const memory = await memoryOf(empty.pid)
  const full = stack.use(await starting)
  await delay(2_000)
  const rounds = quick ? 20 : 200
  const cpu = async (): Promise<number> => (await empty.cpuMicros()) + (await full.cpuMicros())
  const before = await cpu()
  const changeMs: number[] = []
  for (let round = 0; round < rounds; round += 1) changeMs.push(await changeOnce(admin, round))
  // What the thermometer costs meanwhile is a part of it, the same for all sizes.
  const changeCpuMs = ((await cpu()) - before) / 1_000 / rounds
  return { alone, during, ms, memory, changeMs, changeCpuMs }
}

async function startEmpty(site: Site): Promise<MeasuredServer> {
  const command = [
    process.execPath,
    join(import.meta.dirname, 'timed-thermometer.ts'),
    String(READING_MS),
  ]
  const temperature = { driver: 'command', kind: 'temperature', command, minIntervalMs: 0 }
  return startServer('our-server.ts', [await site.writeConfig(EMPTY, { sensors: { temperature } })])
}

/** @returns milliseconds from the first sight of a peer until so many changes are stored */
async function waitForChanges(admin: OperatorConnection, wanted: number): Promise<number> {
  let linkedAt: number | undefined
  for (;;) {
    const { changes, nodes } = await admin.status()
    if (nodes.length > 1) linkedAt ??= performance.now()
    if (changes === wanted) return performance.now() - (linkedAt ?? Number.NaN)
    await delay(linkedAt === undefined ? 5 : POLL_MS)
  }
}

async function changeOnce(admin: OperatorConnection, round: number): Promise<number> {
  const subject = parseSubject(`changed-${round % 10}`)
  const startedAt = performance.now()
  const wish =
    round % 2 === 0
      ? ({ kind: 'grant', subject, terms: {} } as const)
      : ({ kind: 'revocation', subject } as const)
  const { confirmed } = await admin.change(wish, { waitMs: WAIT_MS })
  if (confirmed.length !== 2) throw new Error('the cluster is not whole')
  return performance.now() - startedAt
}
