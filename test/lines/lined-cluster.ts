import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import { openNodeConnection, type NodeConnection } from '../../node/client/node-connection.ts'
import type {
  ChangeWish,
  CommittedChange,
  OperatorConnection,
} from '../../node/client/operator/operator-connection.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { connectTls, tlsOptions } from '../../node/identity/tls.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { processorMsOf } from '../bench/process-time.ts'
import type { StatusReport } from '../../node/operators/status.ts'
import { makeTestCerts, makeTestFolder, type TestCerts } from '../support/certs.ts'
import { recordIo, spawnCli, type CliProcess } from '../support/cli.ts'
import { Switchboard, type Line } from './switchboard.ts'

export const CLIENTS = ['c1', 'c2', 'c3', 'c4', 'c5'] as const

/** A host name that the certificate of each node has. */
export const SHARED_HOST = 'nodes.example'

/** How long an operator waits for the nodes in reach, in milliseconds: lines are bad and machines busy. */
const WAIT_MS = 120_000

/** Between two askings, in milliseconds: each is work for every node. */
const ASK_AGAIN_MS = 500

/** What nodes say in their logs when their list of links changes. */
const LINK_CHANGE = /"msg":"(linked|link ended|link cut: [^"]*)"/

/** Say what the suite does, as a script that a person can read. */
export function say(text: string): void {
  console.log(`  · ${text}`)
}

/** The numbers of the nodes from one to another. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

interface Way {
  readonly from: number
  readonly to: number
  readonly line: Line
}

/** Nodes in processes and network namespaces of their own, node-N at 10.0.0.N. */
export class LinedCluster {
  readonly size: number
  readonly #t: Pick<ExecutionContext, 'teardown'>
  readonly #certs: TestCerts
  readonly #folder: string
  readonly #lines: Switchboard
  /** The run of each node that is up, and all that it has said. */
  readonly #processes = new Map<number, CliProcess>()
  /** The lines that are not as they were made, each way, by `FROM TO`. */
  readonly #changed = new Map<string, Way>()

  private constructor(
    t: Pick<ExecutionContext, 'teardown'>,
    size: number,
    parts: { readonly certs: TestCerts; readonly folder: string; readonly lines: Switchboard },
  ) {
    this.size = size
    this.#t = t
    this.#certs = parts.certs
    this.#folder = parts.folder
    this.#lines = parts.lines
  }

  /** Start nodes that know the first two of them, on lines that are whole. */
  static async start(
    t: Pick<ExecutionContext, 'teardown'>,
    { size, seed }: { readonly size: number; readonly seed: number },
  ): Promise<LinedCluster> {
    say(`make ${size} network namespaces, with a line between any two; SEED=${seed}`)
    const folder = await makeTestFolder(t)
    const certs = await makeTestCerts(t, { clients: CLIENTS, operators: ['admin'] })
    for (const index of range(1, size)) {
      await certs.issue('node', `node-${index}`, { hosts: [host(index), SHARED_HOST] })
    }
    const lines = await Switchboard.start(size, seed, folder)
    t.teardown(async () => lines[Symbol.asyncDispose]())
    const cluster = new LinedCluster(t, size, { certs, folder, lines })
    await cluster.startNodes(cluster.all)
    return cluster
  }

  /** The numbers of all nodes. */
  get all(): number[] {
    return range(1, this.size)
  }

  async startNodes(indices: readonly number[]): Promise<void> {
    say(`start ${named(indices)}`)
    await Promise.all(
      indices.map(async index => {
        const name = `node-${index}`
        const seeds = [1, 2].filter(seed => seed !== index)
        const args = ['node', 'start', '--name', name, '--listen', address(index)]
        const folders = ['--certs', this.#certs.dir, '--data', join(this.#folder, name)]
        const peers = seeds.flatMap(seed => ['--peer', address(seed)])
        const through = this.#lines.through(index)
        const process = spawnCli(this.#t, [...args, ...folders, ...peers], { through })
        this.#processes.set(index, process)
        await process.out.find(/^fridge node \S+ ready on /, 0, 2 * WAIT_MS)
      }),
    )
  }

  /**
   * Run a command on the machine of a node, where the host name of all stands for these addresses.
   * @returns its exit status
   */
  async run(
    index: number,
    args: readonly string[],
    addresses: readonly string[],
  ): Promise<number | NodeJS.Signals | null> {
    say(`fridge ${args.join(' ')}, on the machine of node-${index}`)
    const hosts = join(this.#folder, 'hosts')
    await writeFile(hosts, addresses.map(one => `${one} ${SHARED_HOST}\n`).join(''))
    const bind = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"']
    const through = [...bind, hosts, ...this.#lines.through(index)]
    const who = ['--certs', this.#certs.dir, '--as', 'admin']
    const { exit, err } = spawnCli(this.#t, [...args, ...who], { through })
    const status = await exit
    for (const line of err.all) say(line)
    return status
  }

  /** End nodes as a power cut does. */
  async kill(indices: readonly number[]): Promise<void> {
    say(`kill -9 ${named(indices)}`)
    for (const index of indices) this.#process(index).child.kill('SIGKILL')
    await Promise.all(indices.map(async index => this.#process(index).exit))
  }

  /** Nothing runs on a node until it is thawed; its sockets stay. */
  freeze(index: number): void {
    say(`freeze node-${index}`)
    this.#process(index).child.kill('SIGSTOP')
  }

  thaw(index: number): void {
    say(`let node-${index} go on`)
    this.#process(index).child.kill('SIGCONT')
  }

  /** Change how packets go between two nodes, both ways. */
  async line(a: number, b: number, line: Line): Promise<void> {
    await this.oneWay(a, b, line)
    await this.oneWay(b, a, line)
  }

  /** Change how packets go from one node to another; the way back stays as it is. */
  async oneWay(from: number, to: number, line: Line): Promise<void> {
    this.#changed.set(`${from} ${to}`, { from, to, line })
    await this.#lines.set(from, to, line)
  }

  /** Cut all lines between two parts of the cluster. */
  async cut(left: readonly number[], right: readonly number[]): Promise<void> {
    say(`cut ${named(left)} off from ${named(right)}`)
    for (const a of left) for (const b of right) await this.line(a, b, { loss: 1 })
  }

  /** Make all lines whole again. @returns how many packets the changed ones have lost since they were made */
  async heal(): Promise<number> {
    if (this.#changed.size > 0) say('heal all lines')
    let lost = 0
    for (const { from, to } of this.#changed.values()) lost += await this.#lines.set(from, to, {})
    this.#changed.clear()
    return lost
  }

  /** How many packets have been lost one way between two nodes, since the cluster was started. */
  async lost(from: number, to: number): Promise<number> {
    const { line } = this.#changed.get(`${from} ${to}`) ?? { line: {} }
    return await this.#lines.set(from, to, line)
  }

  async operator(index: number): Promise<OperatorConnection> {
    const target = { certs: this.#certs.dir, as: 'admin', node: [address(index)] }
    return await connectOperator(target, recordIo().io)
  }

  /** Connect as a client to one node. */
  async client(index: number, name: (typeof CLIENTS)[number]): Promise<NodeConnection> {
    return await openNodeConnection({
      address: parseAddress(address(index)),
      credentials: await this.#certs.load('client', name),
      clock: systemClock,
      timeoutMs: WAIT_MS,
    })
  }

  /**
   * Connect over bare TLS, as a client that never asks whether its node is still there.
   * @returns `closed` resolves when its connection is over, however that came
   */
  async patientClient(
    index: number,
    name: (typeof CLIENTS)[number],
  ): Promise<{ readonly closed: Promise<void> }> {
    const credentials = await this.#certs.load('client', name)
    const socket = connectTls({ ...tlsOptions(credentials), ...parseAddress(address(index)) })
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    await once(socket, 'secureConnect')
    // A node that cuts may reset the connection.
    socket.on('error', () => {}).on('close', () => resolve())
    socket.resume()
    return { closed }
  }

  async add(index: number, name: string, reason?: string): Promise<CommittedChange> {
    say(`fridge whitelist add ${name} --node node-${index}`)
    const wish = { kind: 'grant', subject: parseSubject(name), terms: {} } as const
    return await this.#change(index, { ...wish, ...(reason !== undefined && { reason }) })
  }

  /** @param waitMs how long for nodes that are silent, in milliseconds. Default 120000 */
  async remove(index: number, name: string, waitMs = WAIT_MS): Promise<CommittedChange> {
    say(`fridge whitelist remove ${name} --node node-${index}`)
    return await this.#change(index, { kind: 'revocation', subject: parseSubject(name) }, waitMs)
  }

  async status(index: number): Promise<StatusReport> {
    await using operator = await this.operator(index)
    return await operator.status()
  }

  /** The numbers of the nodes that a node is linked to, by its own word. */
  async linksOf(index: number): Promise<number[]> {
    const { nodes } = await this.status(index)
    return nodes.find(({ name }) => name === `node-${index}`)?.links.map(numberOf) ?? []
  }

  /** Wait until each of these nodes sees just these in reach. */
  async untilInReach(viewers: readonly number[], seen: readonly number[]): Promise<void> {
    say(`wait until ${named(viewers)} see ${named(seen)}, and no other`)
    const wanted = seen
      .map(index => `node-${index}`)
      .toSorted()
      .join(' ')
    await Promise.all(
      viewers.map(async viewer =>
        this.until(`node-${viewer} sees them`, async () => {
          const { nodes } = await this.status(viewer)
          const inReach = nodes.filter(({ reachable }) => reachable).map(({ name }) => String(name))
          return inReach.toSorted().join(' ') === wanted
        }),
      ),
    )
  }

  /** Say how many links the nodes have by their own word. */
  async sayLinks(): Promise<void> {
    const counts = await Promise.all(
      this.all.map(async index => (await this.linksOf(index)).length),
    )
    say(`links, a node: ${counts.join(' ')}`)
  }

  /** Say what a node spends on average while nobody asks for anything. */
  async sayRest(ms: number): Promise<void> {
    const spent = async (): Promise<number[]> => {
      const pids = this.all.map(index => this.#process(index).child.pid ?? Number.NaN)
      const each = await Promise.all(
        pids.map(async pid => [await processorMsOf(pid), await receivedBytes(pid)] as const),
      )
      return [0, 1].map(at => each.reduce((sum, one) => sum + (one[at] ?? 0), 0) / this.size)
    }
    const [processorBefore = 0, bytesBefore = 0] = await spent()
    await systemClock.sleep(ms)
    const [processorAfter = 0, bytesAfter = 0] = await spent()
    const share = ((processorAfter - processorBefore) / ms) * 100
    const kilobytes = (bytesAfter - bytesBefore) / ms
    say(
      `at rest for ${ms / 1_000} s, a node: ${share.toFixed(2)} % of a core, ${kilobytes.toFixed(2)} kB/s of packets received`,
    )
  }

  /** Wait until all nodes hold the same list. @returns how each subject stands */
  async untilEqual(): Promise<Map<string, string>> {
    say('wait until all lists are equal')
    let lists: string[][] = []
    await this.until('all lists are equal', async () => {
      lists = await Promise.all(this.all.map(async index => this.#list(index)))
      return new Set(lists.map(list => list.join('\n'))).size === 1
    })
    const pairs = (lists[0] ?? []).map(line => line.split(' ') as [string, string])
    return new Map(pairs)
  }

  /** Ask until it is so; a node that cannot answer now is asked again. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    let problem = ''
    const note = (text: string): void => {
      if (text !== problem) say(`not yet, ${what}: ${text}`)
      problem = text
    }
    const deadline = AbortSignal.timeout(2 * WAIT_MS)
    while (!deadline.aborted) {
      try {
        if (await isSo()) return
      } catch (error) {
        note(String(error))
      }
      await systemClock.sleep(ASK_AGAIN_MS)
    }
    throw new Error(`it did not come to pass that ${what}: ${problem}`)
  }

  /** How often the list of links of a node has changed in its present run; with a peer, by that one. */
  linkChanges(index: number, peer?: number): number {
    const isMeant = (line: string): boolean =>
      LINK_CHANGE.test(line) && (peer === undefined || line.includes(`"peer":"node-${peer}"`))
    return this.log(index).filter(isMeant).length
  }

  /** What a node has said in its log in its present run. */
  log(index: number): readonly string[] {
    return this.#process(index).err.all
  }

  /** The first line of the log of a node that matches, said or still to come. @param from the place of the first that counts */
  async said(index: number, pattern: RegExp, from?: number): Promise<string> {
    return await this.#process(index).err.find(pattern, from, 2 * WAIT_MS)
  }

  async #change(index: number, wish: ChangeWish, waitMs = WAIT_MS): Promise<CommittedChange> {
    await using operator = await this.operator(index)
    return await operator.change(wish, { waitMs })
  }

  async #list(index: number): Promise<string[]> {
    await using operator = await this.operator(index)
    const subjects = await Array.fromAsync(operator.subjects())
    return subjects.map(({ subject, standing }) => `${subject} ${standing}`)
  }

  #process(index: number): CliProcess {
    const process = this.#processes.get(index)
    if (process === undefined) throw new RangeError(`node-${index} was never started`)
    return process
  }
}

/** What the network of a process has been sent, in whole packets, by proc(5). */
async function receivedBytes(pid: number): Promise<number> {
  const lines = (await readFile(`/proc/${pid}/net/dev`, 'utf8')).split('\n').slice(2)
  const received = lines
    .map(line => line.trim().split(/:?\s+/))
    .filter(([name]) => name !== 'lo' && name !== '')
    .map(([, bytes]) => Number(bytes))
  return received.reduce((sum, bytes) => sum + bytes, 0)
}

function host(index: number): string {
  return `10.0.0.${index}`
}

function address(index: number): string {
  return `${host(index)}:7443`
}

function numberOf(name: string): number {
  return Number(name.slice('node-'.length))
}

/** As `node-1 to node-6` or `node-3, node-5`. */
function named(indices: readonly number[]): string {
  const [first = 0] = indices
  const last = indices.at(-1) ?? 0
  const isRun = indices.length > 2 && last - first === indices.length - 1
  return isRun ? `node-${first} to node-${last}` : indices.map(index => `node-${index}`).join(', ')
}
