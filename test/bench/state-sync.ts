import { setTimeout as delay } from 'node:timers/promises'
import { connectOperator } from '../../cli/operator.ts'
import { fillAgedList } from './aged-list.ts'
import { memoryOf } from './process-memory.ts'
import type { BenchOptions } from './result.ts'
import { startServer } from './server-process.ts'
import { BENCH_IO, makeSite } from './site.ts'

const ARCHIVED = 'node-1'
const NEWCOMER = 'node-2'

/** How often the newcomer is asked how far it has come, ms. */
const POLL_MS = 250

/** What a node with an empty disk costs that is sent the state of a list of this size. */
export interface StateSync {
  /** From its start until it holds all, ms. */
  readonly ms: number
  /** Its processor time for that, its start included, ms. */
  readonly cpuMs: number
  /** That of the node that sends it, ms. */
  readonly senderCpuMs: number
  /** The longest turn of its loop meanwhile, ms. */
  readonly turnMs: number
  readonly senderTurnMs: number
  /** What it then holds in memory, bytes. */
  readonly bytes: number
}

/** Start a node with an empty disk beside one whose log was archived. */
export async function measureStateSync(
  names: number,
  changesPerName: number,
  { progress }: BenchOptions,
): Promise<StateSync> {
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await makeSite([ARCHIVED, NEWCOMER]))
  progress(`${names} names, writing ${names * changesPerName} changes`)
  await fillAgedList({
    data: await site.dataFolder(ARCHIVED),
    names,
    changesPerName,
    operator: await site.certs.load('operator', 'admin'),
    node: await site.certs.load('node', ARCHIVED),
    checkpoint: true,
    archive: true,
    signs: true,
  })
  progress(`${names} names, sending their state`)
  const sender = stack.use(await startServer('our-server.ts', [await site.writeConfig(ARCHIVED)]))
  const peers = [`127.0.0.1:${sender.port}`]
  await sender.longestTurn()
  const before = await sender.cpuMicros()
  const startedAt = performance.now()
  // It serves operators before it holds anything.
  const config = await site.writeConfig(NEWCOMER, { peers, gossip: { firstSyncMs: 200 } })
  const newcomer = stack.use(await startServer('our-server.ts', [config]))
  await newcomer.longestTurn()
  const target = { certs: site.certs.dir, node: [`127.0.0.1:${newcomer.port}`] }
  const admin = stack.use(await connectOperator(target, BENCH_IO))
  const wanted = names * changesPerName + 1
  while ((await admin.status()).changes < wanted) await delay(POLL_MS)
  return {
    ms: performance.now() - startedAt,
    cpuMs: (await newcomer.cpuMicros()) / 1_000,
    senderCpuMs: ((await sender.cpuMicros()) - before) / 1_000,
    turnMs: (await newcomer.longestTurn()).ms,
    senderTurnMs: (await sender.longestTurn()).ms,
    bytes: (await memoryOf(newcomer.pid)).resident,
  }
}
