import test from 'ava'
import type { Random } from '../../node/lib/clock.ts'
import { parseName, parseSubject, subjectOf, type Source } from '../../node/identity/names.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { idOf, type Change } from '../../node/whitelist/change.ts'
import { conflicts, isStray, placeOf, type Entry } from '../../node/whitelist/entry.ts'
import { differences, evaluateLog } from '../../node/whitelist/evaluate.ts'
import { SimulatedDisk } from '../simulation/simulated-disk.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { attackReplica, relink, signEntry } from '../support/hostile-node.ts'
import { NOON, requestOf, testSource } from '../support/replica-changes.ts'
import { placeText, statesOf } from '../support/replica-model.ts'
import { openReplica, testNetwork, type TestReplica } from '../support/replica-pair.ts'
import { makePeople, type People } from '../support/replica-people.ts'
import { ALL_VOUCHED } from '../support/vouchers.ts'

const SCHEDULES = 30
const STEPS = 40
const MALLORY = parseName('mallory')
const HONEST = ['alpha', 'beta', 'gamma'] as const
const EVE = parseName('eve')
const AUTHORS = [subjectOf('operator', EVE), subjectOf('node', MALLORY)]
const CLIENTS = ['amber', 'basil', 'coral'].map(parseSubject)
const only = process.env['SEED']
const seeds =
  only === undefined ? Array.from({ length: SCHEDULES }, (_, index) => index + 1) : [Number(only)]

/** Three honest replicas, and an attacker who has the keys of a node and the ear of two operators. */
class Schedule {
  readonly #random: Random
  readonly #people: People
  readonly #net = testNetwork()
  readonly #disks = new Map<string, SimulatedDisk>(HONEST.map(name => [name, new SimulatedDisk()]))
  readonly #replicas = new Map<string, TestReplica>()
  readonly #runs = new Map<string, number>()
  readonly #evil: Source = testSource(MALLORY)
  /** All that operators have signed for the attacker: a tree of branches. */
  readonly #signed: Entry[] = []
  forks = 0

  constructor(seed: number, people: People) {
    this.#random = seededRandom(seed)
    this.#people = people
    for (const name of HONEST) this.#start(name)
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step()
      if (this.#random() < 0.7) await this.#net.quiet()
    }
    await this.#heal()
    this.#check()
  }

  async #step(): Promise<void> {
    const dice = this.#random()
    const node = this.#pick([...this.#replicas.values()])
    if (dice < 0.3) await this.#operate(node)
    else if (dice < 0.5) this.#sign(node)
    else if (dice < 0.75) await this.#attack(node)
    else if (dice < 0.9) this.#link(node)
    else if (dice < 0.95) this.#pick([...this.#net.network.links, undefined])?.cut()
    else this.#restart(node)
  }

  /** An honest node accepts a change. */
  async #operate(node: TestReplica): Promise<void> {
    await this.#net.quiet()
    const subject = this.#random() < 0.1 ? this.#pick(AUTHORS) : this.#pick(CLIENTS)
    const kind = subject.startsWith('client/') && this.#random() < 0.6 ? 'grant' : 'revocation'
    const isEve =
      this.#random() < 0.3 &&
      node.replica.whitelist.state(subjectOf('operator', EVE)).revocations.size === 0
    const operator = isEve ? EVE : parseName('olga')
    await node.request({ ...requestOf(kind, subject), operator }, this.#people.operator(operator))
  }

  /** An operator signs a change that the attacker proposes, at a place that suits it. */
  #sign(node: TestReplica): void {
    const parent = this.#pick([undefined, ...this.#signed])
    const sequence = (parent?.change.sequence ?? 0) + 1
    const subject = this.#random() < 0.15 ? this.#pick(AUTHORS) : this.#pick(CLIENTS)
    const kind = subject.startsWith('client/') && this.#random() < 0.6 ? 'grant' : 'revocation'
    const operator = this.#random() < 0.4 ? EVE : parseName('olga')
    const drafted = node.replica.whitelist.draft(
      { ...requestOf(kind, subject), operator },
      this.#evil,
      NOON + this.#signed.length,
    )
    const change = { ...drafted, sequence } as Change
    const signed = this.#signed.filter(entry => entry.change.subject === subject)
    const known = this.#pick([undefined, ...signed])
    if (known !== undefined && this.#random() < 0.5) {
      // What it has seen is its own: nobody else may hold it.
      this.#add({ ...change, seen: [idOf(known)] }, parent)
    } else if (change.kind === 'revocation' && change.upTo !== undefined && parent !== undefined) {
      // Up to where it likes, on the branch that it likes.
      const last = { sequence: parent.change.sequence, hash: parent.hash }
      this.#add({ ...change, upTo: new Map(change.upTo).set(this.#evil, last) }, parent)
    } else this.#add(change, parent)
  }

  #add(change: Change, parent: Entry | undefined): void {
    const keys = {
      operator: this.#people.operator(change.operator),
      node: this.#people.node(MALLORY),
    }
    const entry = signEntry(change, parent?.hash ?? '', keys)
    this.#signed.push(entry)
    if (parent !== undefined && this.#random() < 0.2) {
      this.#signed.push(relink(entry, 'A'.repeat(43), keys.node))
    }
  }

  async #attack({ replica }: TestReplica): Promise<void> {
    if (this.#signed.length === 0) return
    const signers = [
      this.#people.node(MALLORY).signer,
      this.#people.operator('olga').signer,
      this.#people.operator('eve').signer,
    ]
    const link = attackReplica(replica, this.#evil, signers)
    const tip = this.#pick(this.#signed)
    if (this.#random() < 0.7) await link.tell(...this.#branch(tip))
    else {
      const proofs = this.#signed.filter(other => conflicts(tip, other))
      const against = this.#pick([undefined, ...proofs])
      await link.tell({ entry: tip, ...(against && { against }) })
    }
    link.end()
  }

  /** A branch from its root. */
  #branch(tip: Entry): Entry[] {
    const branch = [tip]
    for (let at: Entry | undefined = tip; at !== undefined && at.change.previous !== '';) {
      const { previous }: Change = at.change
      at = this.#signed.find(({ hash }) => hash === previous)
      if (at !== undefined) branch.unshift(at)
    }
    return branch
  }

  #link(node: TestReplica): void {
    const other = this.#pick([...this.#replicas.values()].filter(({ name }) => name !== node.name))
    this.#net.connect(node, other)
  }

  #start(name: string): void {
    const run = (this.#runs.get(name) ?? 0) + 1
    this.#runs.set(name, run)
    const store = this.#disks.get(name)?.open()
    const clock = new FakeClock(NOON)
    this.#replicas.set(
      name,
      openReplica(this.#people, name, { run, clock, ...(store && { store }) }),
    )
  }

  #restart({ name }: TestReplica): void {
    this.#net.network.disconnect(name)
    this.#start(name)
  }

  async #heal(): Promise<void> {
    for (const link of this.#net.network.links) link.cut()
    const [alpha, beta, gamma] = [...this.#replicas.values()]
    if (alpha === undefined || beta === undefined || gamma === undefined) throw new Error('gone')
    this.#net.connect(alpha, beta)
    this.#net.connect(gamma, beta)
    await this.#net.quiet()
  }

  #check(): void {
    const wrong = this.#net.network.refusals.map(
      ({ by, of, reason }) => `${by} refused ${of}: ${reason}`,
    )
    const texts = HONEST.map(name => {
      const replica = this.#replicas.get(name)?.replica
      const log = this.#disks.get(name)?.log ?? []
      if (replica === undefined) return ''
      const differ = differences(replica.whitelist, evaluateLog(log, ALL_VOUCHED))
      if (differ.length > 0) wrong.push(`${name} differs from its own log on ${differ.join()}`)
      const strays = log.filter(isStray).map(stray => placeText(placeOf(stray)))
      this.forks += strays.length > 0 ? 1 : 0
      const states = statesOf(replica.whitelist).filter(text => !text.endsWith('[[],false]'))
      return JSON.stringify([states, strays.sort(), replica.whitelist.changes])
    })
    for (const [index, text] of texts.entries()) {
      if (text !== texts[0])
        wrong.push(`${HONEST[index]} differs from alpha:\n${text}\n${texts[0]}`)
    }
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T
  }
}

test('whatever branches a node signs and whomever it shows them, honest nodes end with one list and keep their links', async t => {
  const people = await makePeople({ nodes: [...HONEST, MALLORY], operators: ['olga', 'eve'] })
  let forks = 0
  const failures: string[] = []
  for (const seed of seeds) {
    const schedule = new Schedule(seed, people)
    try {
      await schedule.run()
    } catch (error) {
      failures.push(`SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`)
    }
    forks += schedule.forks
  }
  t.deepEqual(failures, [])
  if (only === undefined) t.true(forks > SCHEDULES)
})
