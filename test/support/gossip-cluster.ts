import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { Members } from '../../node/gossip/members.ts'
import { Overlay } from '../../node/gossip/overlay.ts'
import type { Dialed } from '../../node/gossip/overlay-options.ts'
import type { Log } from '../../node/lib/log.ts'
import { parseName, type Source } from '../../node/identity/names.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { FakeClock } from './fake-clock.ts'
import { makePipe, type Pipe } from './gossip-pipe.ts'
import { NOON, testSource } from './replica-changes.ts'
import { openReplica, type TestReplica } from './replica-pair.ts'
import type { People, Person } from './replica-people.ts'

export const TIMES = {
  heartbeatMs: 1_000,
  deadAfterMs: 5_000,
  redialMinMs: 250,
  redialMaxMs: 8_000,
}

/** One line that a node logged. */
export interface LogLine {
  readonly level: keyof Log
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: string
}

/** The gossip of one node. */
export interface GossipNode extends TestReplica {
  readonly members: Members
  readonly overlay: Overlay
  readonly address: string
  readonly log: LogLine[]
  /** The names of the nodes that it is linked to and in step with, sorted. */
  readonly linked: () => string[]
}

export interface StartOptions {
  /** Addresses; a node's is `NAME:1`. */
  readonly seeds?: readonly string[]
  /** Default: 1 for the first start of a name, then 2… */
  readonly run?: number
  /** Default: `NAME:1`. */
  readonly address?: string
  /** Where what peers show to it is put, when they hang up on it as removed. */
  readonly shown?: unknown[]
  /** What a name stands for, as the resolver of its machine says. Who dials a name gets the first. */
  readonly resolve?: (address: string) => readonly string[]
  /** Names that it does not let gossip; with its own among them, nobody's. */
  readonly revoked?: ReadonlySet<string>
  /** When it says that it was started: a fraction of a millisecond breaks the protocol. */
  readonly startedAt?: number
}

/** Whole milliseconds, as the clock of a machine shows them. */
class WholeClock extends FakeClock {
  override now(): number {
    return Math.floor(super.now())
  }
}

/** The gossip of a few nodes over memory and a clock that the test moves. */
export class GossipCluster {
  readonly clock = new WholeClock(NOON)
  /** Every dial that was tried: who dialed, and where. */
  readonly dials: { from: string; to: string; at: number }[] = []
  readonly #people: People
  readonly #nodes = new Map<string, GossipNode>()
  readonly #runs = new Map<string, number>()
  readonly #pipes: { pipe: Pipe; names: readonly [string, string] }[] = []
  readonly #random = seededRandom(5)
  #side: (name: string) => number = () => 0

  constructor(t: Pick<ExecutionContext, 'teardown'>, people: People) {
    this.#people = people
    t.teardown(async () => {
      for (const { overlay, members } of this.#nodes.values()) {
        await overlay[Symbol.asyncDispose]()
        members[Symbol.dispose]()
      }
      for (const { pipe } of this.#pipes) pipe.destroy()
    })
  }

  /** @param address `NAME:1`, or `NAME` for that */
  node(address: string): GossipNode {
    const node = this.#nodes.get(address.includes(':') ? address : `${address}:1`)
    if (node === undefined) throw new Error(`nobody is at ${address}`)
    return node
  }

  /** Whether each of these nodes is linked to all others of them, and to nobody else. */
  isMesh(names: readonly string[]): boolean {
    return names.every(name => {
      const others = names.filter(other => other !== name).sort()
      return this.node(name).linked().join() === others.join()
    })
  }

  start(name: string, options: StartOptions = {}): GossipNode {
    const { seeds = [], address = `${name}:1`, revoked = new Set(), shown = [] } = options
    const { startedAt = this.clock.now(), resolve = (to: string) => [to] } = options
    const from = name
    const run = options.run ?? (this.#runs.get(name) ?? 0) + 1
    this.#runs.set(name, run)
    const replica = openReplica(this.#people, name, { clock: this.clock, run })
    const { signer, key } = this.#people.node(name)
    const members = new Members({
      random: () => 0.5,
      clock: this.clock,
      signers: replica.signers,
      signer,
      key,
      self: memberOf(name, testSource(name, run), address, startedAt),
    })
    const log: LogLine[] = []
    const overlay = new Overlay({
      self: parseName(name),
      documents: { whitelist: replica.replica, members },
      seeds,
      ...(options.resolve && { resolve: async to => resolve(to) }),
      dial: async name => {
        const [to = name] = resolve(name)
        this.dials.push({ from, to, at: this.clock.monotonic() })
        await nextTurn()
        const own = signer.identity
        return { peer: this.#identityAt(to), own, socket: this.#dial(from, to) }
      },
      admits: ({ name: peer }) => !revoked.has(peer) && !revoked.has(name),
      removals: {
        has: node => revoked.has(node),
        isOwn: () => revoked.has(name),
        hasForked: () => false,
        proofOf: node => ({ removed: node }),
      },
      onProof: proof => shown.push(proof),
      times: TIMES,
      clock: this.clock,
      random: this.#random,
      log: recordLog(log),
    })
    const node: GossipNode = {
      ...replica,
      members,
      overlay,
      address,
      log,
      linked: () =>
        overlay
          .links()
          .filter(({ synced }) => synced)
          .map(({ peer }) => String(peer.name))
          .sort(),
    }
    this.#nodes.set(address, node)
    return node
  }

  /** End a node as a power cut does: nothing is said, and its connections are reset. */
  async kill(name: string): Promise<void> {
    for (const { pipe, names } of this.#pipes) if (names.includes(name)) pipe.cut()
    await this.stop(name)
  }

  /** Stop a node in good order. */
  async stop(name: string): Promise<void> {
    const { address, overlay, members } = this.node(name)
    this.#nodes.delete(address)
    await overlay[Symbol.asyncDispose]()
    members[Symbol.dispose]()
  }

  /** Divide the nodes without a word: what is sent to the other side is swallowed. */
  partition(side: (name: string) => number): void {
    this.#side = side
    for (const { pipe, names } of this.#pipes) {
      if (side(names[0]) !== side(names[1])) pipe.swallow()
    }
  }

  heal(): void {
    this.#side = () => 0
  }

  /** Cut all connections between two nodes, as a reset does. @returns how many there were */
  cut(one: string, other: string): number {
    const between = this.#between(one, other)
    for (const pipe of between) pipe.cut()
    return between.length
  }

  /** How many connections are open between two nodes. */
  connections(one: string, other: string): number {
    return this.#between(one, other).length
  }

  /** Connect to a node as somebody else: the test speaks at the end that is returned. */
  join(name: string, peer: Person): Duplex {
    const pipe = makePipe()
    this.#pipes.push({ pipe, names: [peer.signer.identity.name, name] })
    const own = this.#identityAt(name)
    accept(this.node(name).overlay, {
      socket: pipe.ends[1],
      peer: peer.signer.identity,
      own,
      from: peer.signer.identity.name,
    })
    return pipe.ends[0]
  }

  /** Let time pass until something holds. @throws when it does not within `maxMs` */
  async until(what: string, holds: () => boolean, maxMs = 60_000): Promise<void> {
    for (let passed = 0; !holds(); passed += 25) {
      if (passed > maxMs) throw new Error(`in ${maxMs} ms it did not happen that ${what}`)
      await this.pass(25)
    }
  }

  /** Let time pass, and everything that is under way arrive. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    // Bytes, lines and frames each take a turn, signatures take threads.
    for (let turn = 0; turn < 4; turn += 1) {
      await this.clock.advance(0)
      for (const { replica, members } of this.#nodes.values()) {
        await replica.settled()
        await members.settled()
      }
    }
  }

  #between(one: string, other: string): Pipe[] {
    return this.#pipes
      .filter(({ pipe, names }) => !pipe.closed && names.includes(one) && names.includes(other))
      .map(({ pipe }) => pipe)
  }

  #dial(from: string, to: string): Duplex {
    const { overlay, name } = this.node(to)
    if (this.#side(from) !== this.#side(name)) throw new Error(`${to} does not answer`)
    const pipe = makePipe()
    this.#pipes.push({ pipe, names: [from, name] })
    const peer = this.#people.node(from).signer.identity
    const own = this.#identityAt(to)
    setImmediate(() => accept(overlay, { socket: pipe.ends[1], peer, own }))
    return pipe.ends[0]
  }

  #identityAt(address: string): Person['signer']['identity'] {
    return this.#people.node(this.node(address).name).signer.identity
  }
}

function memberOf(
  name: string,
  source: Source,
  address: string,
  startedAt: number,
): ConstructorParameters<typeof Members>[0]['self'] {
  return {
    name: parseName(name),
    source,
    addresses: [address],
    version: '0.0.0',
    startedAt,
    links: [],
  }
}

/** A log that keeps its lines. */
export function recordLog(lines: LogLine[]): Log {
  const write =
    (level: keyof Log) =>
    (fields: object, text: string): void => {
      lines.push({ level, fields: fields as LogLine['fields'], text })
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
}

/** Take a connection as the port of a node does. */
function accept(overlay: Overlay, dialed: Dialed): void {
  if (!overlay.accept(dialed)) dialed.socket.destroy()
}
