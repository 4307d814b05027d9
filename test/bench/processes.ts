import { setTimeout as delay } from 'node:timers/promises'
import { connectOperator } from '../../cli/operator.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import type {
  CommittedChange,
  OperatorConnection,
} from '../../node/client/operator/operator-connection.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { startKillableNode, type KillableNode } from './killable-node.ts'
import { memoryOf } from './process-memory.ts'
import { processorMsOf } from './process-time.ts'
import { median, type Bench, type BenchOptions } from './result.ts'
import { BENCH_IO, CLIENT, makeSite, type Site } from './site.ts'
import { bytesBetween, readSockets, type Sockets } from './socket-bytes.ts'

const WAIT_MS = 60_000

/** Time for the cluster to come to rest after clients or nodes have come, ms. */
const REST_MS = 2_000

/** Behind a removal: in this time all that it causes is done, ms. */
const AFTER_MS = 1_500

/** After which the nodes do not come to see each other any more, ms. */
const IN_REACH_MS = 180_000

/** Between two questions whether nodes see each other, ms: each is work for every node. */
const ASK_AGAIN_MS = 250

/** Nodes that are processes on loopback: how they link, what a removal and doing nothing cost, and half of them killed. */
export const measureProcesses: Bench = async options => {
  const size = options.quick ? 8 : 30
  const rounds = options.quick ? 3 : 10
  const idleMs = options.quick ? 10_000 : 60_000
  const { progress } = options
  await using cluster = await ProcessCluster.start(size, options)
  const rows = [['what', '', 'figure']]
  // The run is long: what is known by then is not lost with what comes behind it.
  const tell = (...known: readonly string[][]): void => {
    for (const row of known) progress(row.filter(cell => cell !== '').join(', '))
    rows.push(...known)
  }
  tell(...(await cluster.describeLinks()))

  progress(`${idleMs / 1_000} s of rest`)
  await delay(REST_MS)
  const idle = await cluster.cost(async () => delay(idleMs))
  tell(
    ['at rest', 'processor time a node', percent(idle.processorMs / idle.ms)],
    ['', 'received of other nodes, a node and second', kilobytes(idle.bytes / (idle.ms / 1_000))],
    ['', 'resident memory of a node, median', await cluster.describeMemory()],
  )

  progress(`${rounds} removals`)
  const removals: Removal[] = []
  for (let round = 0; round < rounds; round += 1) removals.push(await cluster.removeOnce(round))
  // What would have been spent without the removal is no part of its cost.
  const above = (cost: Cost, of: 'processorMs' | 'bytes'): number =>
    cost[of] - (idle[of] / idle.ms) * cost.ms
  tell(
    [
      'removal',
      'to the last cut, median',
      milliseconds(median(removals.map(one => one.lastCutMs))),
    ],
    ['', 'worst', milliseconds(Math.max(...removals.map(one => one.lastCutMs)))],
    [
      '',
      'to the last confirmation, median',
      milliseconds(median(removals.map(one => one.confirmedMs))),
    ],
    [
      '',
      'processor time a node, median',
      milliseconds(median(removals.map(one => above(one.cost, 'processorMs')))),
    ],
    [
      '',
      'received of other nodes, a node, median',
      kilobytes(median(removals.map(one => above(one.cost, 'bytes')))),
    ],
  )
  await cluster.measureKill(options, tell)
  return [
    {
      title: `${size} nodes in processes of their own on this machine, ${rounds} removals`,
      rows,
      notes: [
        'Bytes are those of TCP, as ss(8) counts them; what rests costs is taken off a removal.',
      ],
    },
  ]
}

/** What a node spent meanwhile, on average. */
interface Cost {
  readonly ms: number
  readonly processorMs: number
  /** Received of other nodes. */
  readonly bytes: number
}

interface Removal {
  readonly lastCutMs: number
  readonly confirmedMs: number
  readonly cost: Cost
}

class ProcessCluster implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack
  readonly #site: Site
  readonly #nodes: KillableNode[]
  readonly #startMs: number

  private constructor(
    stack: AsyncDisposableStack,
    parts: { readonly site: Site; readonly nodes: KillableNode[]; readonly startMs: number },
  ) {
    this.#stack = stack
    this.#site = parts.site
    this.#nodes = parts.nodes
    this.#startMs = parts.startMs
  }

  /** Start nodes one after the other, and wait until each sees all. */
  static async start(size: number, { progress }: BenchOptions): Promise<ProcessCluster> {
    progress(`starting ${size} nodes`)
    const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
    await using stack = new AsyncDisposableStack()
    const site = stack.use(await makeSite(names))
    const nodes: KillableNode[] = []
    const startedAt = performance.now()
    for (const name of names) {
      const peers = nodes.slice(0, 2).map(({ address }) => address)
      const config = await site.writeConfig(name, { peers })
      nodes.push(stack.use(await startKillableNode(config)))
    }
    const startMs = performance.now() - startedAt
    const cluster = new ProcessCluster(stack.move(), { site, nodes, startMs })
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
      const credentials = await this.#site.certs.load('client', CLIENT)
      const clients = await Promise.all(
        this.#nodes.map(async ({ address }) =>
          openNodeConnection({ address: parseAddress(address), credentials, clock: systemClock }),
        ),
      )
      await delay(REST_MS)
      let [lastCutMs, confirmedMs] = [0, 0]
      const cost = await this.cost(async () => {
        const startedAt = performance.now()
        const change = operator.change({ kind: 'revocation', subject }, { waitMs: WAIT_MS })
        await Promise.all(clients.map(async ({ ended }) => ended))
        lastCutMs = performance.now() - startedAt
        await change
        confirmedMs = performance.now() - startedAt
        await delay(AFTER_MS)
      })
      return { lastCutMs, confirmedMs, cost }
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
    await using operator = await connectOperator(
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

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} % of a core`
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
