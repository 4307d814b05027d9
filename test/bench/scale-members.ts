import { randomBytes } from 'node:crypto'
import type { Update } from '../../node/gossip/document.ts'
import { placeOfPart, signPart, type Words } from '../../node/gossip/member-part.ts'
import { Members } from '../../node/gossip/members.ts'
import { linksWanted } from '../../node/gossip/overlay-plan.ts'
import { parseName, type Source } from '../../node/identity/names.ts'
import type { Signers } from '../../node/identity/signers.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { SharedSigners, trustingVerifier } from '../simulation/shared-signers.ts'
import { MachineClock, SimulatedTime } from '../simulation/simulated-time.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NOON, testSource } from '../support/replica-changes.ts'
import { makePeople, type People } from '../support/replica-people.ts'
import { joinDocuments, sharesOf } from './document-wire.ts'
import { keptMemory } from './kept-memory.ts'
import { GrowingTable } from '../../cli/table.ts'
import type { Bench } from './result.ts'

const SIZES = [100, 1_000, 10_000]

const DELAY_MS = 10

/** The member that tells the newcomer of all others, and the newcomer. */
const [TELLER, NEWCOMER] = ['node-1', 'newcomer']

/** After everything has been told, this many nodes say their state once more. */
const NEWS = 200

interface End {
  readonly source: Source
  readonly document: Members
  readonly clock: MachineClock
}

const HEAD = [
  'nodes',
  'it is told, kB',
  'a member',
  'digests, kB',
  'processor time',
  'live',
  'heap',
  'resident',
  'a new link in step, kB',
  'its digests, kB',
  'a state, ms of two nodes',
]

/**
 * One newcomer to a cluster of so many, which is told of all members by one that knows them, in real
 * frames with real certificates and signatures, and checks and keeps them as a node does: memory
 * and processor time of a node that no process could hold all of.
 */
export const measureMembers: Bench = async ({ quick, progress, print }) => {
  const table = new GrowingTable(line => print(`  ${line}`))
  print('\nA newcomer that is told of all members: one node of so many, signatures checked')
  table.print([HEAD])
  for (const size of quick ? SIZES.slice(0, 2) : SIZES) {
    progress(`a newcomer among ${size} members`)
    table.print([await measureNewcomer(size)])
  }
  return []
}

async function measureNewcomer(size: number): Promise<string[]> {
  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  const people = await makePeople({ nodes: [...names, NEWCOMER] })
  const links = linksOf(names)
  const time = new SimulatedTime()
  const clock = new MachineClock(time, NOON)
  const all = people.signers(new MemoryStore())
  const knowing = new SharedSigners(all, trustingVerifier)
  for (const name of names) knowing.learn(people.node(name).signer.chain)
  using teller = openMembers(people, TELLER, knowing, clock)
  const states = (sequence: number): Update[] =>
    names.map(name => stateOf(people, name, links.get(name) ?? [], sequence))
  await teller.recall([...names.map(name => profileOf(people, name)), ...states(1)])
  teller.say({ links: [...(links.get(TELLER) ?? []), testSource(NEWCOMER)] })
  await time.pass(10_000)
  const before = keptMemory()
  using newcomer = openMembers(people, NEWCOMER, people.signers(new MemoryStore()), clock)
  newcomer.say({ links: [testSource(TELLER)] })
  const counted = { bytes: 0, digests: 0 }
  const ends: readonly [End, End] = [
    { source: newcomer.self.source, document: newcomer, clock },
    { source: teller.self.source, document: teller, clock },
  ]
  const join = (): Disposable =>
    joinDocuments({
      ends,
      time,
      delayMs: () => DELAY_MS,
      onArrival: (to, _from, bytes, frames) => {
        if (to.document !== newcomer) return
        counted.bytes += bytes
        for (const [kind, share] of sharesOf(bytes, frames, 'members'))
          if (kind === 'digests') counted.digests += share
      },
    })
  const measure = async (run: () => Promise<void>) => {
    Object.assign(counted, { bytes: 0, digests: 0 })
    const cpu = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(cpu)
    return { ...counted, cpuMs: (user + system) / 1_000 }
  }
  const wires = [join()]
  const first = await measure(async () => {
    await time.until('all are known', () => [...newcomer.list()].length > size, { stepMs: 100 })
    await time.pass(2_000)
  })
  const live = newcomer.liveCount
  const after = keptMemory()
  wires.pop()?.[Symbol.dispose]()
  await time.pass(1_000)
  const again = await measure(async () => {
    wires.push(join())
    await time.pass(2_000)
  })
  const news = states(2).slice(1, NEWS + 1)
  const told = await measure(async () => {
    await teller.recall(news)
    await time.pass(2_000)
  })
  wires.pop()?.[Symbol.dispose]()
  const kB = (bytes: number): string => (bytes / 1_000).toFixed(2)
  const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`
  return [
    String(size),
    kB(first.bytes),
    kB(first.bytes / size),
    kB(first.digests),
    `${(first.cpuMs / 1_000).toFixed(2)} s`,
    String(live),
    mebibytes(after.heap - before.heap),
    mebibytes(after.resident - before.resident),
    kB(again.bytes),
    kB(again.digests),
    (told.cpuMs / news.length).toFixed(2),
  ]
}

function openMembers(people: People, name: string, signers: Signers, clock: MachineClock): Members {
  const { signer, key } = people.node(name)
  const known = signers.learn(signer.chain)
  if (typeof known === 'string') throw new Error(known)
  return new Members({
    clock,
    random: seededRandom(1),
    signers,
    signer: known,
    key,
    self: {
      name: parseName(name),
      source: testSource(name),
      ...addressed(name),
      links: [],
    },
  })
}

/** What a node says of itself that changes seldom. */
function addressed(name: string) {
  return {
    addresses: [`${name}.example.net:7400`],
    version: '0.0.0',
    startedAt: NOON,
    tallyKey: randomBytes(32).toString('base64url'),
  }
}

function profileOf(people: People, name: string): Update {
  return signed(people, name, 1, { part: 'profile', profile: addressed(name) })
}

function stateOf(people: People, name: string, links: readonly Source[], sequence: number): Update {
  return signed(people, name, sequence, { part: 'state', state: { saidAt: NOON, links } })
}

function signed(people: People, name: string, sequence: number, words: Words): Update {
  return signPart(placeOfPart(testSource(name), words.part), sequence, words, people.node(name))
}

/** Links at random, as many as the overlay wants: a ring, and others across it. */
function linksOf(names: readonly string[]): ReadonlyMap<string, readonly Source[]> {
  const random = seededRandom(1)
  const links = new Map(names.map(name => [name, new Set<Source>()]))
  const link = (one = '', other = ''): void => {
    links.get(one)?.add(testSource(other))
    links.get(other)?.add(testSource(one))
  }
  for (const [index, name] of names.entries()) link(name, names[(index + 1) % names.length])
  const missing = Math.ceil((linksWanted(names.length) * names.length) / 2)
  for (let index = names.length; index < missing; index += 1) {
    const [one, other] = [random(), random()].map(at => names[Math.floor(at * names.length)])
    if (one !== other) link(one, other)
  }
  return new Map(Array.from(links, ([name, others]) => [name, [...others]]))
}
