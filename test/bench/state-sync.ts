import { setTimeout as delay } from 'node:timers/promises'
import { connectOperator } from '../../cli/operator.ts'
import { memoryOf } from './process-memory.ts'
import { startServer } from './server-process.ts'
import { BENCH_IO, type Site } from './site.ts'

/** How often the newcomer is asked how far it has come, ms. */
const POLL_MS = 250

/** A newcomer that has not come so far by then never will, ms. */
const PATIENCE_MS = 600_000

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

export interface StateSyncOptions {
  readonly site: Site
  /** The configuration of a node whose log was archived. */
  readonly archived: string
  /** The name of a node that has no data. */
  readonly newcomer: string
  /** How many changes there are in all. */
  readonly changes: number
}

/** Start a node with an empty disk beside one whose log was archived. */
export async function measureStateSync({
  site,
  archived,
  newcomer: name,
  changes,
}: StateSyncOptions): Promise<StateSync> {
  await using stack = new AsyncDisposableStack()
  const sender = stack.use(await startServer('our-server.ts', [archived]))
  const peers = [`127.0.0.1:${sender.port}`]
  await sender.longestTurn()
  const before = await sender.cpuMicros()
  const startedAt = performance.now()
  // It serves operators before it holds anything.
  const config = await site.writeConfig(name, { peers, gossip: { firstSyncMs: 200 } })
  const newcomer = stack.use(await startServer('our-server.ts', [config]))
  await newcomer.longestTurn()
  const target = { certs: site.certs.dir, node: [`127.0.0.1:${newcomer.port}`] }
  const admin = stack.use(await connectOperator(target, BENCH_IO))
  while ((await admin.status()).changes < changes) {
    if (performance.now() - startedAt > PATIENCE_MS) throw new Error('a newcomer has no list')
    await delay(POLL_MS)
  }
  return {
    ms: performance.now() - startedAt,
    cpuMs: (await newcomer.cpuMicros()) / 1_000,
    senderCpuMs: ((await sender.cpuMicros()) - before) / 1_000,
    turnMs: (await newcomer.longestTurn()).ms,
    senderTurnMs: (await sender.longestTurn()).ms,
    bytes: (await memoryOf(newcomer.pid)).resident,
  }
}
