import { EventEmitter, once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import type {
  BatchWish,
  OperatorConnection,
} from '../../node/client/operator/operator-connection.ts'
import type { Random } from '../../node/lib/clock.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { openAtRest } from '../../node/storage/at-rest.ts'
import { makeTestFolder, type TestCerts } from '../support/certs.ts'
import { recordIo, spawnCli, type CliProcess } from '../support/cli.ts'

const CLIENTS = 20
/** A node lives for up to so many changes that it accepts, and a little longer: into the next one. */
const MAX_CHANGES = 16
const MAX_LONGER_MS = 8
/** Or for so long, where nobody changes anything on it, in milliseconds. */
const MAX_LIFE_MS = 500
/** The longest that a start goes on before it is killed, in milliseconds. */
const MAX_START_MS = 400
/** Names that an operator changes together, now and then. */
const MAX_TOGETHER = 24
/** How many starts of a few are killed before they are done. */
const KILLED_STARTS = 0.25

/** What an operator was told. */
interface Acknowledged {
  readonly place: string
  readonly kind: string
  readonly subject: string
  /** The node that said so. */
  readonly by: number
}

/** A node that is a process, killed and started again on its data. */
interface Victim {
  readonly index: number
  readonly args: readonly string[]
  readonly file: string
  /** `HOST:PORT`, the same after each start. */
  address: string
  process: CliProcess | undefined
  /** Resolves when it serves. */
  ready: PromiseWithResolvers<void>
  /** Says `acknowledged` for each change. */
  readonly events: EventEmitter
}

export interface KillOptions {
  readonly certs: TestCerts
  readonly nodes: number
  readonly random: Random
}

/** Nodes that are killed at random moments, while an operator on each changes what it can. */
export class KilledCluster {
  readonly #t: ExecutionContext
  readonly #options: KillOptions
  readonly #victims: Victim[] = []
  readonly #acknowledged: Acknowledged[] = []
  /** What was ever found at a place. */
  readonly #found = new Map<string, string>()
  #isOver = false
  /** How often a node was killed, while it served or while it started. */
  kills = 0
  killedStarts = 0

  private constructor(t: ExecutionContext, options: KillOptions) {
    this.#t = t
    this.#options = options
  }

  get acknowledged(): number {
    return this.#acknowledged.length
  }

  get files(): readonly string[] {
    return this.#victims.map(({ file }) => file)
  }

  static async start(t: ExecutionContext, options: KillOptions): Promise<KilledCluster> {
    const cluster = new KilledCluster(t, options)
    const folder = await makeTestFolder(t)
    // One that is killed leaves no compiled code for the next, which would start half as fast.
    await spawnCli(t, ['node', 'start', '--help']).exit
    const config = join(folder, 'node.json')
    await writeFile(
      config,
      JSON.stringify({
        name: 'any',
        gossip: { redialMinMs: 10, redialMaxMs: 100, firstSyncMs: 1_000 },
        tls: {
          handshakesPerSecond: 10_000,
          handshakeBurst: 10_000,
          handshakesPerSecondTotal: 10_000,
          handshakeBurstTotal: 10_000,
        },
        logLevel: 'error',
        certs: options.certs.dir,
      }),
    )
    for (let index = 1; index <= options.nodes; index += 1) {
      const name = `node-${index}`
      const data = join(folder, name)
      const victim: Victim = {
        index,
        args: ['node', 'start', '--config', config, '--name', name, '--data', data],
        file: join(data, 'whitelist.db'),
        address: '127.0.0.1:0',
        process: undefined,
        ready: Promise.withResolvers(),
        events: new EventEmitter(),
      }
      cluster.#victims.push(victim)
      await cluster.#start(victim)
    }
    return cluster
  }

  /** Kill nodes this many times, and more until more changes than that are acknowledged; leave all running. */
  async run(kills: number): Promise<void> {
    const operators = this.#victims.map(async victim => this.#operate(victim))
    try {
      await Promise.all(
        this.#victims.map(async victim => {
          while (this.kills < kills || this.acknowledged <= kills) {
            this.kills += 1
            await this.#live(victim)
            await this.#kill(victim)
            this.inspect(victim.index)
            while (this.#options.random() < KILLED_STARTS) await this.#startInVain(victim)
            await this.#start(victim)
          }
        }),
      )
    } finally {
      this.#isOver = true
    }
    await Promise.all(operators)
  }

  /** Wait until all nodes see each other and hold the same list. */
  async converge(): Promise<void> {
    for (;;) {
      const lists = await Promise.all(this.#victims.map(async victim => this.#listOn(victim)))
      if (new Set(lists).size === 1) return
    }
  }

  /** Kill all of them for good. */
  async end(): Promise<void> {
    await Promise.all(this.#victims.map(async victim => this.#kill(victim)))
  }

  /**
   * Look into the database of a dead node.
   * @param whose of which node's acknowledged changes all must be there; default its own
   * @returns every place and the hash of what is there, sorted
   * @throws when something that was acknowledged is gone, or a place has got other content
   */
  inspect(index: number, whose: readonly number[] = [index]): string[] {
    const { file } = this.#victim(index)
    using atRest = openAtRest(file)
    const { database } = atRest
    const check = database.prepare('PRAGMA quick_check').get()
    if (check?.['quick_check'] !== 'ok') throw new Error(`${file}: ${JSON.stringify(check)}`)
    const texts = new Map<string, string>()
    for (const row of database
      .prepare('SELECT source, sequence, text, hash, stray FROM changes')
      .all()) {
      const place = `${String(row['source'])}:${String(row['sequence'])}`
      const hash = String(row['hash'])
      if (row['stray'] !== null) throw new Error(`node-${index} takes an honest node for a liar`)
      const before = this.#found.get(place)
      if (before !== undefined && before !== hash) throw new Error(`${place} was used twice`)
      this.#found.set(place, hash)
      texts.set(place, String(row['text']))
    }
    for (const { place, kind, subject, by } of this.#acknowledged) {
      if (!whose.includes(by)) continue
      const text = texts.get(place)
      const isIt = text?.includes(`"kind":"${kind}","subject":"${subject}"`)
      if (isIt !== true) throw new Error(`node-${index} has lost ${place}: ${kind} of ${subject}`)
    }
    return Array.from(texts.keys(), place => `${place} ${this.#found.get(place)}`).sort()
  }

  /** Let a node work for a while. */
  async #live({ events }: Victim): Promise<void> {
    const { random } = this.#options
    const signal = AbortSignal.timeout(Math.ceil(random() * MAX_LIFE_MS))
    const changes = Math.floor(random() * MAX_CHANGES)
    try {
      for (let count = 0; count < changes; count += 1)
        await once(events, 'acknowledged', { signal })
    } catch {
      return
    }
    await delay(random() * MAX_LONGER_MS)
  }

  /** Change whatever the dice say, as fast as the node answers, and come back when it does. */
  async #operate(victim: Victim): Promise<void> {
    while (!this.#isOver) {
      await victim.ready.promise
      try {
        await using operator = await this.#connect(victim)
        while (!this.#isOver) await this.#change(victim, operator)
      } catch {
        // It was killed, or two operators were after one name: what was not acknowledged may be lost.
      }
    }
  }

  async #change({ index, events }: Victim, operator: OperatorConnection): Promise<void> {
    const { random } = this.#options
    const kind = random() < 0.5 ? 'grant' : 'revocation'
    const names = random() < 0.3 ? MAX_TOGETHER : 1
    const from = Math.floor(random() * CLIENTS)
    const wishes = Array.from({ length: names }, (_, next): BatchWish => {
      const subject = parseSubject(`client-${from + next}`)
      return kind === 'grant' ? { kind, subject, terms: {} } : { kind, subject }
    })
    const [only] = wishes
    const isAlone = only !== undefined && wishes.length === 1
    const { source, sequence } = isAlone
      ? await operator.change(only, { waitMs: 0 })
      : await operator.changeBatch(wishes, { waitMs: 0 })
    for (const [at, { subject }] of wishes.entries()) {
      const place = `${source}:${sequence - wishes.length + 1 + at}`
      this.#acknowledged.push({ place, kind, subject, by: index })
    }
    events.emit('acknowledged')
  }

  async #connect({ address }: Victim): Promise<OperatorConnection> {
    const { certs } = this.#options
    return connectOperator({ certs: certs.dir, as: 'admin', node: [address] }, recordIo().io)
  }

  async #listOn(victim: Victim): Promise<string> {
    await using operator = await this.#connect(victim)
    const { changes, nodes } = await operator.status()
    const subjects = await Array.fromAsync(operator.subjects())
    const up = nodes.filter(({ reachable }) => reachable).length
    const list = subjects.map(({ subject, standing }) => `${subject} ${standing}`)
    const isTogether = up === this.#victims.length
    return isTogether ? JSON.stringify([changes, list]) : `node-${victim.index} sees ${up}`
  }

  /** @throws when it does not come up by itself */
  async #start(victim: Victim): Promise<void> {
    for (;;) {
      const process = this.#spawn(victim)
      const ready = process.out.find(/^fridge node/).catch(() => undefined)
      const line = await ready
      if (line !== undefined) {
        victim.address = /\S+$/.exec(line)?.[0] ?? victim.address
        victim.process = process
        victim.ready.resolve()
        return
      }
      // Meanwhile the port may have gone to a stranger.
      if (!/the port is in use/.test(process.err.text)) {
        throw new Error(`node-${victim.index} does not start:\n${process.err.text}`)
      }
    }
  }

  /** Start a node, and kill it before it is done. */
  async #startInVain(victim: Victim): Promise<void> {
    const { child, exit } = this.#spawn(victim)
    this.killedStarts += 1
    await delay(this.#options.random() * MAX_START_MS)
    child.kill('SIGKILL')
    await exit
    this.inspect(victim.index)
  }

  #spawn({ args, address }: Victim): CliProcess {
    const peers = this.#victims
      .map(other => other.address)
      .filter(other => other !== address && !other.endsWith(':0'))
    const seeds = peers.flatMap(peer => ['--peer', peer])
    return spawnCli(this.#t, [...args, '--listen', address, ...seeds])
  }

  async #kill(victim: Victim): Promise<void> {
    const { process } = victim
    if (process === undefined) return
    victim.ready = Promise.withResolvers()
    victim.process = undefined
    if (process.child.exitCode !== null) throw new Error(`it ended by itself:\n${process.err.text}`)
    process.child.kill('SIGKILL')
    await process.exit
  }

  #victim(index: number): Victim {
    const victim = this.#victims[index - 1]
    if (victim === undefined) throw new RangeError(`there is no node-${index}`)
    return victim
  }
}
