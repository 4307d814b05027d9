import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import type * as Operators from '../../cli/operator.ts'
import type {
  CommittedChange,
  OperatorConnection,
} from '../../node/client/operator/operator-connection.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { startCutWatch, type CutWatch } from './cut-watch.ts'
import { kilobytes, milliseconds, percent, seconds } from './figures.ts'
import { startKillableNode, type KillableNode } from './killable-node.ts'
import { memoryOf } from './process-memory.ts'
import { processorMsOf } from './process-time.ts'
import { median, type BenchOptions } from './result.ts'
import { BENCH_IO, CLIENT, commandOf, makeSite, ROOT, type Site } from './site.ts'
import { bytesBetween, readSockets, type Sockets } from './socket-bytes.ts'

const WAIT_MS = 60_000

/** Time for the cluster to come to rest after clients or nodes have come, ms. */
export const REST_MS = 2_000

/** Behind a removal: in this time all that it causes is done, ms. */
const AFTER_MS = 1_500

/** After which the nodes do not come to see each other any more, ms. */
const IN_REACH_MS = 180_000

/** Between two questions whether nodes see each other, ms: each is work for every node. */
const ASK_AGAIN_MS = 250

/** What a node spent meanwhile, on average. */
export interface Cost {
  readonly ms: number
  readonly processorMs: number
  /** Received of other nodes. */
  readonly bytes: number
}

/** One removal, in milliseconds from the operator's call. */
export interface Removal {
  /** Until the first client had been cut, as it saw it. */
  readonly firstCutMs: number
  readonly lastCutMs: number
  /** Until the operator had heard from every node. */
  readonly confirmedMs: number
  readonly cost: Cost
  /** Processor time that this process, with the operator, and that of the clients took until the last cut. */
  readonly watchingMs: number
}

/** Nodes that are processes on loopback, with a client for each in one more process. */
export class ProcessCluster implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack
  readonly #site: Site
  readonly #nodes: KillableNode[]
  readonly #startMs: number
  readonly #watch: CutWatch
  readonly #connect: typeof Operators.connectOperator

  private constructor(
    stack: AsyncDisposableStack,
    parts: {
      readonly site: Site
      readonly nodes: KillableNode[]
      readonly startMs: number
      readonly watch: CutWatch
      readonly connect: typeof Operators.connectOperator
    },
  ) {
    this.#stack = stack
    this.#site = parts.site
    this.#nodes = parts.nodes
    this.#startMs = parts.startMs
    this.#watch = parts.watch
    this.#connect = parts.connect
  }

  /**
   * Start nodes one after the other, and wait until each sees all.
   * @param root where the version is that the nodes and the operator run. Default: here
   */
  static async start(
    size: number,
    { progress }: Pick<BenchOptions, 'progress'>,
    root = ROOT,
  ): Promise<ProcessCluster> {
    progress(`starting ${size} nodes`)
    const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
    await using stack = new AsyncDisposableStack()
    const site = stack.use(await makeSite(names))
    const nodes: KillableNode[] = []
    const startedAt = performance.now()
    for (const name of names) {
      const peers = nodes.slice(0, 2).map(({ address }) => address)
      const config = await site.writeConfig(name, { peers })
      nodes.push(stack.use(await startKillableNode(config, commandOf(root))))
    }
    const startMs = performance.now() - startedAt
    const files = credentialFiles(site.certs.dir, 'client', parseName(CLIENT))
    const watch = stack.use(startCutWatch(files))
    // What operators and nodes call each other by belongs to a version.
    const module = (await import(join(root, 'cli/operator.ts'))) as typeof Operators
    const connect = module.connectOperator
    const cluster = new ProcessCluster(stack.move(), { site, nodes, startMs, watch, connect })
    await cluster.#untilInReach(nodes, size)
    return cluster
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async describeLinks(): Promise<string[][]> {
    const { nodes } = await this.#with(this.#node(0), async operator => operator.status())
    const counts = nodes.map(({ links }) => links.length)
    return [
      ['start', 'all, one after the other', seconds(this.#startMs)],
      [
        'links',
        'of a node, fewest / median / most',
        [Math.min(...counts), median(counts), Math.max(...counts)].join(' / '),
      ],
    ]
  }

  async describeMemory(): Promise<string> {
    const memory = await Promise.all(this.#nodes.map(async ({ pid }) => memoryOf(pid)))
    return `${(median(memory.map(({ resident }) => resident)) / 2 ** 20).toFixed(0)} MiB`
  }

  /** What the nodes that run spend while something goes on. */
  async cost(task: () => Promise<unknown>): Promise<Cost> {
    const running = this.#nodes.filter(({ isRunning }) => isRunning)
    const pids = running.map(({ pid }) => pid)
    const read = async (): Promise<{ at: number; processorMs: number; sockets: Sockets }> => {
      const times = await Promise.all(pids.map(processorMsOf))
      const processorMs = times.reduce((sum, ms) => sum + ms, 0)
      return { at: performance.now(), processorMs, sockets: await readSockets(new Set(pids)) }
    }
    const before = await read()
    await task()
    const after = await read()
    return {
      ms: after.at - before.at,
      processorMs: (after.processorMs - before.processorMs) / pids.length,
      bytes: bytesBetween(before.sockets, after.sockets) / pids.length,
    }
  }

  /** Let a client in, connect it to every node, and remove it. @param round whose turn it is to accept */
  async removeOnce(round: number): Promise<Removal> {
    return await this.#with(this.#node(round % this.#nodes.length), async operator => {
      const subject = parseSubject(CLIENT)
      const added = await operator.change(
        { kind: 'grant', subject, terms: {} },
        { waitMs: WAIT_MS },
      )
      if (added.confirmed.length < this.#nodes.length) throw new Error('the cluster is not whole')
      const { cuts } = await this.#watch.connect(this.#nodes.map(({ address }) => address))
      await delay(REST_MS)
      let removal = { firstCutMs: 0, lastCutMs: 0, confirmedMs: 0, watchingMs: 0 }
      const cost = await this.cost(async () => {
        const [startedAt, usageBefore] = [process.hrtime.bigint(), process.cpuUsage()]
        const change = operator.change({ kind: 'revocation', subject }, { waitMs: WAIT_MS })
        const [seen, watchedMs] = await Promise.all([
          cuts,
          cuts.then(({ processorMs }) => processorMs + spentSince(usageBefore)),
          change,
        ])
        const confirmedMs = msBetween(startedAt, process.hrtime.bigint())
        const times = seen.at.map(at => msBetween(startedAt, BigInt(at)))
        removal = {
          firstCutMs: Math.min(...times),
          lastCutMs: Math.max(...times),
          confirmedMs,
          watchingMs: watchedMs,
        }
        await delay(AFTER_MS)
      })
      return { ...removal, cost }
    })
  }

  /** Kill half of the nodes, remove a client meanwhile, and start them again. @param tell given each row once it is known */
  async measureKill(
    { progress, quick }: BenchOptions,
    tell: (...known: readonly string[][]) => void,
  ): Promise<void> {
    const half = Math.ceil(this.#nodes.length / 2)
    const [living, dead] = [this.#nodes.slice(0, half), this.#nodes.slice(half)]
    progress(`kill -9 of ${dead.length} nodes`)
    const killedAt = performance.now()
    await Promise.all(dead.map(async node => node.kill()))
    await this.#untilInReach(living, living.length)
    const seenMs = performance.now() - killedAt
    tell(['half killed', 'until all others see them out of reach', seconds(seenMs)])
    const down = await this.cost(async () => delay(quick ? 5_000 : 20_000))
    tell(
      ['', 'processor time a living node', percent(down.processorMs / down.ms)],
      ['', 'received, a living node and second', kilobytes(down.bytes / (down.ms / 1_000))],
    )
    const removedAt = performance.now()
    const removed = await this.#with(this.#node(0), async operator =>
      operator.change(
        { kind: 'revocation', subject: parseSubject('never-there') },
        { waitMs: WAIT_MS },
      ),
    )
    tell(['', 'a removal then', describeRemoval(removed, performance.now() - removedAt)])
    progress('starting them again')
    const startedAt = performance.now()
    await Promise.all(dead.map(async node => node.restart()))
    const readyMs = performance.now() - startedAt
    tell(['back', 'until the last is ready, all at once', seconds(readyMs)])
    await this.#untilInReach(this.#nodes, this.#nodes.length)
    tell(['', 'until each sees all', seconds(performance.now() - startedAt)])
  }

  /** Wait until each of these nodes sees so many in reach. @throws when one does not for long */
  async #untilInReach(viewers: readonly KillableNode[], count: number): Promise<void> {
    const deadline = AbortSignal.timeout(IN_REACH_MS)
    for (const viewer of viewers) {
      await this.#with(viewer, async operator => {
        for (;;) {
          const { nodes } = await operator.status()
          const seen = nodes.filter(({ reachable }) => reachable).length
          if (seen === count) return
          if (deadline.aborted) {
            throw new Error(`${viewer.address} sees ${seen} nodes in reach, and not ${count}`)
          }
          await delay(ASK_AGAIN_MS)
        }
      })
    }
  }

  async #with<T>(
    { address }: KillableNode,
    use: (operator: OperatorConnection) => Promise<T>,
  ): Promise<T> {
    await using operator = await this.#connect(
      { certs: this.#site.certs.dir, node: [address] },
      BENCH_IO,
    )
    return await use(operator)
  }

  #node(index: number): KillableNode {
    const node = this.#nodes[index]
    if (node === undefined) throw new RangeError(`there is no node ${index}`)
    return node
  }
}

function describeRemoval({ confirmed, unreachable, silent }: CommittedChange, ms: number): string {
  const parts = [`${confirmed.length} confirmed`, `${unreachable.length} out of reach`]
  return [...parts, `${silent.length} silent`, `after ${milliseconds(ms)}`].join(', ')
}

function msBetween(from: bigint, to: bigint): number {
  return Number(to - from) / 1e6
}

/** Processor time of this process since then, ms. */
function spentSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
