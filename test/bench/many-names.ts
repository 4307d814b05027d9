import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { processorMsOf } from './process-time.ts'
import { median, type BenchOptions, type Table } from './result.ts'
import { BENCH_IO, makeSite } from './site.ts'
import { startProgram, type Program } from './start.ts'

const NODES = 3
const NAMES = 1_000

/** Time for the cluster to come to rest after its nodes have linked, in milliseconds. */
const REST_MS = 2_000

/** Many names that one command lets in, and another one removes, until every node has confirmed all. */
export async function measureManyNames(
  program: Program,
  { quick, progress }: BenchOptions,
): Promise<Table> {
  const names = Array.from({ length: NODES }, (_, index) => `node-${index + 1}`)
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await makeSite(names))
  const nodes: Awaited<ReturnType<typeof startProgram>>[] = []
  for (const name of names) {
    const peers = nodes.map(({ address }) => address)
    nodes.push(stack.use(await startProgram(program, await site.writeConfig(name, { peers }))))
  }
  await delay(REST_MS)
  const target = ['--certs', site.certs.dir, '--as', 'admin']
  for (const { address } of nodes) target.push('--node', address)
  const accepting = nodes[0]?.pid ?? 0
  const rounds = quick ? 1 : 5
  const rows = [['command', 'whole, median', 'slowest', 'processor time of the accepting node']]
  for (const what of ['add', 'remove']) {
    progress(`whitelist ${what} of ${NAMES.toLocaleString('en')} names`)
    const times: number[] = []
    const costs: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      const clients = Array.from({ length: NAMES }, (_, index) => `fridge-${round}-${index}`)
      const before = await processorMsOf(accepting)
      const startedAt = performance.now()
      await runQuietly(program, ['whitelist', what, ...clients, ...target])
      times.push(performance.now() - startedAt)
      costs.push((await processorMsOf(accepting)) - before)
    }
    rows.push([
      `fridge whitelist ${what}, of ${NAMES.toLocaleString('en')} names`,
      `${(median(times) / 1_000).toFixed(2)} s`,
      `${(Math.max(...times) / 1_000).toFixed(2)} s`,
      `${median(costs).toFixed(0)} ms`,
    ])
  }
  return {
    title: `Many names in one command on ${NODES} nodes, with proof (${rounds} runs each)`,
    rows,
  }
}

/** @throws when the command fails */
async function runQuietly([command, ...flags]: Program, args: readonly string[]): Promise<void> {
  const child = spawn(command, [...flags, ...args], {
    cwd: BENCH_IO.cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [status] = (await once(child, 'exit')) as [number]
  if (status !== 0) throw new Error(`${args.slice(0, 2).join(' ')} ended with ${status}`)
}
