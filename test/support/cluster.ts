import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import type { ChangeWish } from '../../node/client/operator/operator-connection.ts'
import { formatAddress } from '../../node/lib/address.ts'
import {
  openNodeConnection,
  type NodeConnection,
  type NodeConnectionOptions,
} from '../../node/client/node-connection.ts'
import { systemClock, type Clock } from '../../node/lib/clock.ts'
import { nodeConfigSchema, type NodeConfig } from '../../node/config/config.ts'
import type { Log } from '../../node/lib/log.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { startNode, type RunningNode, type StartOptions } from '../../node/start.ts'
import type { Terms } from '../../node/whitelist/terms.ts'
import {
  issueTestCerts,
  makeTestCerts,
  makeTestFolder,
  writeTestCerts,
  type IssuedCerts,
  type TestCerts,
  type TestCertsOptions,
} from './certs.ts'
import { recordIo, runCommand, type CommandResult } from './cli.ts'

type Teardown = Pick<ExecutionContext, 'teardown'>

/** Any part of the configuration as it is written in a file. */
export type ConfigText = Readonly<Record<string, unknown>>

export interface ClusterOptions extends Pick<StartOptions, 'startWorker'> {
  /** How many, called `node-1`, `node-2`… Default 1. */
  readonly nodes?: number
  /** Certificates to use; one of another cluster may be shared by the tests of a file. */
  readonly certs?: TestCerts
  /** Over the fast defaults of tests. */
  readonly config?: ConfigText
  readonly clock?: Clock
}

/** One line of a node's log. */
export interface LogLine {
  readonly node: string
  readonly level: keyof Log
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A cluster in this process, over real TLS on loopback. The first node is the others' one seed. */
export interface Cluster extends AsyncDisposable {
  readonly certs: TestCerts
  readonly log: ClusterLog
  /** @param index from 1 */
  node(index: number): RunningNode
  /** `HOST:PORT`. */
  address(index: number): string
  /** The configuration that a node was started with; its port is the one that it got. */
  config(index: number): NodeConfig
  stop(index: number): Promise<void>
  /** Start a stopped node again, on its data and port. */
  start(index: number, config?: ConfigText): Promise<RunningNode>
  operator(index: number, name?: string): Promise<OperatorConnection>
  grant(index: number, client: string, terms?: Terms): Promise<void>
  revoke(index: number, subject: string): Promise<void>
  /** Connect as a client of `fridge/1`. */
  client(
    index: number,
    name: string,
    options?: Partial<NodeConnectionOptions>,
  ): Promise<NodeConnection>
}

/** Everyone whom the tests of one file need; `test.after.always` calls what `teardown` was given. */
export const PEOPLE: TestCertsOptions = {
  nodes: ['node-1', 'node-2', 'node-3'],
  clients: ['c1', 'c2'],
  operators: ['admin'],
}

/** What all nodes have said, to wait for it. */
export class ClusterLog {
  readonly lines: LogLine[] = []
  readonly #more = new EventEmitter().setMaxListeners(0)

  of(node: string): Log {
    const write =
      (level: keyof Log) =>
      (fields: object, text: string): void => {
        this.lines.push({ node, level, fields: fields as LogLine['fields'], text })
        this.#more.emit('line')
      }
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    }
  }

  /** The first line from the place `from`, said or still to come, that fits. */
  async find(isIt: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    for (;;) {
      const line = this.lines.slice(from).find(isIt)
      if (line !== undefined) return line
      await once(this.#more, 'line')
    }
  }
}

/** Runs `fridge COMMAND …` on a node as the first operator: others come and go in tests. */
export function asAdmin(
  command: string,
): (cluster: Cluster, node: number, ...args: string[]) => Promise<CommandResult> {
  return async (cluster, node, ...args) =>
    runCommand([command, ...args, '--node', cluster.address(node)], {
      env: { FRIDGE_CERTS: cluster.certs.dir, FRIDGE_AS: 'admin' },
    })
}

let issuedToPeople: Promise<IssuedCerts> | undefined

/**
 * Certificates that the tests of a file share: give it `test.before` and `test.after.always`.
 * @param options who has one, from an authority of their own. Default: the usual people, who are
 *   the same in every file of this process, each in a folder of its own: to make them takes longer
 *   than to start a cluster
 */
export async function makeSharedCerts(
  options?: TestCertsOptions,
): Promise<{ certs: TestCerts; remove: () => Promise<void> }> {
  const removals: (() => unknown)[] = []
  const issued = options ? issueTestCerts(options) : (issuedToPeople ??= issueTestCerts(PEOPLE))
  const teardown = (removal: () => unknown): void => void removals.push(removal)
  const certs = await writeTestCerts({ teardown }, await issued)
  return {
    certs,
    remove: async () => {
      for (const removal of removals) await removal()
    },
  }
}

/** How fast nodes of tests are to find each other again. */
export const FAST = { redialMinMs: 10, redialMaxMs: 100, firstSyncMs: 20_000 }

/** For the configuration of nodes that are to be isolated soon, and not because the machine is busy. */
export const ISOLATED_SOON = { isolatedAfterMs: 1_000, gossip: { ...FAST, heartbeatMs: 100 } }

/**
 * For the configuration of nodes on a `SkipClock` that skips seconds: a peer that says nothing in
 * time that has not passed is not dead, nor the node alone.
 */
export const SKIPPABLE = { isolatedAfterMs: 3_600_000, gossip: { ...FAST, deadAfterMs: 3_600_000 } }

/** A configuration with everything of it in a folder of the test's own, on a free port. */
export function testConfig(
  name: string,
  { certs, data, config = {} }: { certs: string; data: string; config?: ConfigText },
): NodeConfig {
  const parsed = nodeConfigSchema.parse({
    name,
    listen: '127.0.0.1:0',
    // A busy machine must not make a node look dead; links that end are noticed at once anyway.
    gossip: FAST,
    tls: {
      handshakesPerSecond: 10_000,
      handshakeBurst: 10_000,
      handshakesPerSecondTotal: 10_000,
      handshakeBurstTotal: 10_000,
    },
    metrics: { listen: 'off' },
    web: { listen: 'off' },
    simulation: { seed: 1, doorOpensPerHour: 0 },
    ...config,
  })
  return { ...parsed, certs, data }
}

/** Start nodes that know each other before this returns. */
export async function startCluster(t: Teardown, options: ClusterOptions = {}): Promise<Cluster> {
  const { nodes: size = 1, clock = systemClock, startWorker } = options
  const certs = options.certs ?? (await makeTestCerts(t, PEOPLE))
  const data = await makeTestFolder(t)
  const log = new ClusterLog()
  const running = new Map<number, RunningNode>()
  const configs = new Map<number, NodeConfig>()
  await using stack = new AsyncDisposableStack()
  stack.defer(async () => {
    await Promise.all(Array.from(running.values(), async node => node[Symbol.asyncDispose]()))
  })

  const start = async (index: number, over: ConfigText = {}): Promise<RunningNode> => {
    const name = `node-${index}`
    const known = configs.get(index)
    const seed = running.get(index === 1 ? 2 : 1)
    const config = testConfig(name, {
      certs: certs.dir,
      data: join(data, name),
      config: {
        ...options.config,
        ...(seed !== undefined && { peers: [formatAddress(seed.address)] }),
        ...(known !== undefined && { listen: formatAddress(known.listen) }),
        ...over,
      },
    })
    const node = await startNode(config, {
      log: log.of(name),
      clock,
      ...(startWorker && { startWorker }),
    })
    running.set(index, node)
    configs.set(index, { ...config, listen: node.address })
    return node
  }
  const nodeAt = (index: number): RunningNode => {
    const node = running.get(index)
    if (node === undefined) throw new Error(`node-${index} does not run`)
    return node
  }
  await start(1)
  for (let index = 2; index <= size; index += 1) await start(index)
  const cluster = stack.move()
  const made: Cluster = {
    certs,
    log,
    node: nodeAt,
    config: index => {
      const config = configs.get(index)
      if (config === undefined) throw new Error(`node-${index} was never started`)
      return config
    },
    start,
    stop: async index => {
      const node = nodeAt(index)
      running.delete(index)
      await node[Symbol.asyncDispose]()
    },
    ...connectionsTo(nodeAt, certs),
    [Symbol.asyncDispose]: async () => cluster.disposeAsync(),
  }
  // One that is alone knows itself.
  if (size === 1) return made
  try {
    for (let index = 1; index <= size; index += 1) await untilReachable(made, index, size)
    return made
  } catch (error) {
    await cluster.disposeAsync()
    throw error
  }
}

/** What a test does to the nodes of a cluster as an operator or a client. */
function connectionsTo(
  nodeAt: Cluster['node'],
  certs: Cluster['certs'],
): Pick<Cluster, 'address' | 'operator' | 'grant' | 'revoke' | 'client'> {
  const address = (index: number): string => formatAddress(nodeAt(index).address)
  const operator: Cluster['operator'] = async (index, name = 'admin') =>
    connectOperator({ certs: certs.dir, as: name, node: [address(index)] }, recordIo().io)
  const change = async (index: number, request: ChangeWish): Promise<void> => {
    await using connection = await operator(index)
    await connection.change(request, { waitMs: 20_000 })
  }
  return {
    address,
    operator,
    grant: async (index, client, terms = {}) =>
      change(index, { kind: 'grant', subject: parseSubject(client), terms }),
    revoke: async (index, subject) =>
      change(index, { kind: 'revocation', subject: parseSubject(subject) }),
    client: async (index, name, more = {}) =>
      openNodeConnection({
        address: nodeAt(index).address,
        credentials: await certs.load('client', parseName(name)),
        clock: systemClock,
        ...more,
      }),
  }
}

/** End a node so that no other hears its last words: the others are off at that moment, and start again. */
export async function endUnheard(
  cluster: Pick<Cluster, 'start' | 'stop'>,
  index: number,
  [first, ...others]: readonly [number, ...number[]],
): Promise<void> {
  for (const other of [first, ...others]) await cluster.stop(other)
  await cluster.stop(index)
  await cluster.start(first, { peers: [], gossip: { ...FAST, firstSyncMs: 1 } })
  for (const other of others) await cluster.start(other)
}

/** Wait until a node sees this many nodes up. */
export async function untilReachable(
  cluster: Pick<Cluster, 'operator'>,
  index: number,
  count: number,
): Promise<void> {
  await using operator = await cluster.operator(index)
  await until(async () => {
    const { nodes } = await operator.status()
    return nodes.filter(({ reachable }) => reachable).length === count
  })
}

/** Between two askings, in milliseconds: each is a round trip over TLS that keeps others from work. */
const ASK_AGAIN_MS = 10

/** Ask until it is so. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await systemClock.sleep(ASK_AGAIN_MS)
}
