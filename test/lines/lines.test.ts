import test, { type ExecutionContext } from 'ava'
import { formatTable } from '../../cli/table.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { LinedCluster, range, say } from './lined-cluster.ts'

const SIZE = 12
const LEFT = range(1, 6)
const RIGHT = range(7, 12)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
/** Changes by which a link of the tree is found. */
const ROUNDS = 10
/**
 * How often a node may change its list of links while one line is bad: it loses that link, finds
 * others, and sheds; on a busy machine others miss a beat meanwhile. A node that flaps changes it
 * with each of eleven peers, again and again.
 */
const MAX_CHANGES = 20
/** How long an operator waits for a node that is silent, in milliseconds: the others confirm meanwhile. */
const SILENT_MS = 20_000
/** How long the nodes are left alone for what rest costs to be said, in milliseconds. */
const REST_MS = 20_000
/** How often by the peer at the other end of it: its link ends, and one that had just begun. */
const MAX_CHANGES_BY_PEER = 2

const random = seededRandom(SEED)
const teardowns: (() => unknown)[] = []
let cluster: LinedCluster

// One cluster for all: twelve processes take long to start. Each test finds it whole.
test.before(async t => {
  t.timeout(300_000)
  const teardown = (task: () => unknown): void => void teardowns.unshift(task)
  cluster = await LinedCluster.start({ teardown }, { size: SIZE, seed: SEED })
  await cluster.untilInReach(cluster.all, cluster.all)
  await cluster.sayLinks()
  await cluster.sayRest(REST_MS)
})

test.afterEach.always(async () => {
  await cluster.heal()
  await cluster.untilInReach(cluster.all, cluster.all)
})

test.after.always(async () => {
  for (const task of teardowns) await task()
})

test.serial(
  'a removal cuts a client everywhere while a third of the lines are lossy and slow',
  async t => {
    const bad = pairs().filter(() => random() < 1 / 3)
    say(
      `lose 20 % of all packets, and delay the others by 300 ms, on ${bad.length} of ${pairs().length} lines`,
    )
    for (const [a, b] of bad) await cluster.line(a, b, { loss: 0.2, delayMs: 300 })
    for (const accepting of [5, 8, 11]) {
      const added = await cluster.add(3, 'c1')
      t.is(added.confirmed.length, SIZE, JSON.stringify(added))
      say('connect c1 to every node')
      const clients = await Promise.all(cluster.all.map(async index => cluster.client(index, 'c1')))
      const startedAt = performance.now()
      const lastCut = Promise.all(clients.map(async ({ ended }) => ended)).then(ends => {
        say(`the last client was cut ${sinceOf(startedAt)} after the call`)
        return ends
      })
      const removed = await cluster.remove(accepting, 'c1')
      t.is(removed.confirmed.length, SIZE, JSON.stringify(removed))
      for (const { code } of await lastCut) t.is(code, 'ERR_REVOKED')
    }
    const lost = await cluster.heal()
    t.true(lost > 0, 'the lines have lost packets')
    say(`${lost} packets were lost`)
  },
)

test.serial(
  'a removal cuts whom it can reach, whatever is wrong, and names the node that is silent',
  async t => {
    const accepting = 5
    const frozen = 9
    const [deaf = 0] = (await cluster.linksOf(accepting)).filter(peer => peer !== frozen)
    const rows = [['just before a removal', 'last cut', 'all others confirmed', 'silent']]
    const measure = async (what: string, spoil: () => unknown, silent?: number): Promise<void> => {
      await cluster.untilInReach(cluster.all, cluster.all)
      t.is((await cluster.add(3, 'c1')).confirmed.length, SIZE)
      const reached = cluster.all.filter(index => index !== silent)
      const clients = await Promise.all(reached.map(async index => cluster.client(index, 'c1')))
      say(what)
      await spoil()
      const startedAt = performance.now()
      const lastCut = Promise.all(clients.map(async ({ ended }) => ended)).then(ends => {
        for (const { code } of ends) t.is(code, 'ERR_REVOKED')
        return sinceOf(startedAt)
      })
      const removed = await cluster.remove(accepting, 'c1', silent && SILENT_MS)
      t.deepEqual(removed.confirmed.map(({ node }) => String(node)).toSorted(), names(reached))
      const told = [...removed.silent, ...removed.unreachable].map(String)
      t.deepEqual(told, silent === undefined ? [] : names([silent]))
      const last = Math.max(...removed.confirmed.map(({ afterMs }) => afterMs))
      rows.push([what, await lastCut, `${(last / 1_000).toFixed(1)} s`, told.join()])
    }

    await measure('nothing', () => {})

    let patientEnded: Promise<unknown> | undefined
    let isCut = false
    try {
      await measure(
        `node-${frozen} is frozen`,
        async () => {
          const { closed } = await cluster.patientClient(frozen, 'c1')
          patientEnded = closed.then(() => (isCut = true))
          cluster.freeze(frozen)
        },
        frozen,
      )
      t.false(isCut, 'a frozen node cuts nobody')
    } finally {
      cluster.thaw(frozen)
    }
    await patientEnded
    const refused = await t.throwsAsync(async () => cluster.client(frozen, 'c1'))
    t.like(refused, { code: 'ERR_REVOKED' })

    await measure(`node-${deaf} hears nothing of node-${accepting}`, () =>
      cluster.oneWay(accepting, deaf, { loss: 1 }),
    )
    await cluster.heal()
    await measure('20 % of packets are lost', async () => {
      for (const [a, b] of pairs()) await cluster.line(a, b, { loss: 0.2 })
    })
    for (const line of formatTable(rows)) say(line)
  },
)

test.serial(
  'a node that can send and hears nothing is out of reach, and nobody else flaps',
  async t => {
    const deaf = 12
    const others = range(1, 11)
    const before = others.map(index => cluster.linkChanges(index))
    const byDeaf = others.map(index => cluster.linkChanges(index, deaf))
    say(`node-${deaf} hears no other node; all hear it`)
    for (const other of others) await cluster.oneWay(other, deaf, { loss: 1 })
    await cluster.untilInReach(others, others)
    await cluster.untilInReach([deaf], [deaf])
    say('wait until 60 more packets to it were lost')
    const lostOnAll = async (): Promise<number> => {
      let lost = 0
      for (const other of others) lost += await cluster.lost(other, deaf)
      return lost
    }
    const enough = (await lostOnAll()) + 60
    await cluster.until('packets were lost', async () => (await lostOnAll()) >= enough)
    assertSteady(t, others, before)
    for (const [at, index] of others.entries()) {
      t.true(cluster.linkChanges(index, deaf) - (byDeaf[at] ?? 0) <= MAX_CHANGES_BY_PEER)
    }
    await cluster.untilInReach(others, others)
  },
)

test.serial('a line that carries one way alone takes no node out of reach', async t => {
  const from = 4
  const [to = 0] = await cluster.linksOf(from)
  const before = cluster.all.map(index => cluster.linkChanges(index))
  const byPeer = cluster.linkChanges(from, to)
  say(`node-${to} hears nothing of node-${from}; node-${from} hears it`)
  await cluster.oneWay(from, to, { loss: 1 })
  await cluster.until('both have ended their link', async () => {
    const [one, other] = [await cluster.linksOf(from), await cluster.linksOf(to)]
    return !one.includes(to) && !other.includes(from)
  })
  const enough = (await cluster.lost(from, to)) + 4
  await cluster.until('4 more are lost', async () => (await cluster.lost(from, to)) >= enough)
  const removed = await cluster.remove(from, 'c9')
  t.is(removed.confirmed.length, SIZE, JSON.stringify(removed))
  assertSteady(t, cluster.all, before)
  t.true(cluster.linkChanges(from, to) - byPeer <= MAX_CHANGES_BY_PEER)
  await cluster.untilInReach(cluster.all, cluster.all)
})

test.serial('two halves that were apart have equal lists again, and a removal wins', async t => {
  t.is((await cluster.add(1, 'c2')).confirmed.length, SIZE)
  const onTheRight = await cluster.client(9, 'c2')
  await cluster.cut(LEFT, RIGHT)
  await Promise.all([cluster.untilInReach(LEFT, LEFT), cluster.untilInReach(RIGHT, RIGHT)])

  const removed = await cluster.remove(2, 'c2')
  t.deepEqual(removed.confirmed.map(({ node }) => String(node)).toSorted(), names(LEFT))
  t.deepEqual(removed.unreachable.map(String).toSorted(), names(RIGHT))
  const added = await cluster.add(8, 'c2', 'a new door')
  t.is(added.confirmed.length, RIGHT.length)
  t.is((await cluster.add(8, 'c3')).confirmed.length, RIGHT.length)

  await cluster.heal()
  await cluster.untilInReach(cluster.all, cluster.all)
  t.is((await onTheRight.ended).code, 'ERR_REVOKED')
  const list = await cluster.untilEqual()
  t.is(list.get('client/c2'), 'revoked')
  t.is(list.get('client/c3'), 'granted')
})

test.serial(
  'a line that swallows long packets keeps no change from anyone, and is given up',
  async t => {
    const from = 4
    const [to = 0] = await cluster.linksOf(from)
    const lost = async (): Promise<number> =>
      (await cluster.lost(from, to)) + (await cluster.lost(to, from))
    say(`packets of more than 1,280 bytes are lost between node-${from} and node-${to}`)
    await cluster.line(from, to, { maxBytes: 1_280 })
    const before = await lost()
    const places = new Map([from, to].map(index => [index, cluster.log(index).length]))
    const dead = async (index: number, peer: number): Promise<string> =>
      cluster.said(index, new RegExp(`"peer":"node-${peer}","reason":"dead"`), places.get(index))
    // Along the tree: of a link beside it only the other ends of changes are announced, which is short.
    for (let round = 0; round < ROUNDS && (await lost()) === before; round += 1) {
      const added = await cluster.add(round % 2 === 0 ? from : to, 'c4', incompressible(500))
      t.is(added.confirmed.length, SIZE, JSON.stringify(added))
    }
    t.true((await lost()) > before, 'a long packet was lost')
    const client = await cluster.client(to, 'c4')
    const removed = await cluster.remove(from, 'c4')
    t.is(removed.confirmed.length, SIZE, JSON.stringify(removed))
    t.is((await client.ended).code, 'ERR_REVOKED')
    say('wait until one of them says that their link is dead')
    say(await Promise.race([dead(from, to), dead(to, from)]))
    await cluster.untilInReach(cluster.all, cluster.all)
  },
)

test.serial('half of the nodes die at once, and follow when they come back', async t => {
  t.is((await cluster.add(1, 'c5')).confirmed.length, SIZE)
  const killedAt = performance.now()
  await cluster.kill(RIGHT)
  await cluster.untilInReach(LEFT, LEFT)
  say(`all others see it ${sinceOf(killedAt)} after the kill`)
  const removed = await cluster.remove(3, 'c5')
  t.deepEqual(removed.confirmed.map(({ node }) => String(node)).toSorted(), names(LEFT))
  t.deepEqual(removed.unreachable.map(String).toSorted(), names(RIGHT))

  const startedAt = performance.now()
  await cluster.startNodes(RIGHT)
  await cluster.untilInReach(cluster.all, cluster.all)
  say(`each sees all ${sinceOf(startedAt)} after they were started again`)
  const list = await cluster.untilEqual()
  t.is(list.get('client/c5'), 'revoked')
  for (const index of RIGHT) {
    const refused = await t.throwsAsync(async () => cluster.client(index, 'c5'))
    t.like(refused, { code: 'ERR_REVOKED' })
  }
})

/** That nobody has changed its list of links more often than one bad line explains. */
function assertSteady(
  t: ExecutionContext,
  indices: readonly number[],
  before: readonly number[],
): void {
  const changes = indices.map((index, at) => cluster.linkChanges(index) - (before[at] ?? 0))
  say(`changes of links meanwhile, a node: ${changes.join(' ')}`)
  for (const count of changes) t.true(count <= MAX_CHANGES, `${count} changes`)
}

/** Characters that packing makes hardly shorter: any of 20,000 ideographs, 3 bytes each. */
function incompressible(length: number): string {
  return String.fromCodePoint(
    ...Array.from({ length }, () => 0x4e00 + Math.floor(random() * 20_000)),
  )
}

/** For people, to the tenth of a second. */
function sinceOf(moment: number): string {
  return `${((performance.now() - moment) / 1_000).toFixed(1)} s`
}

/** Every two nodes. */
function pairs(): (readonly [number, number])[] {
  return cluster.all.flatMap(a => range(a + 1, SIZE).map(b => [a, b] as const))
}

function names(indices: readonly number[]): string[] {
  return indices.map(index => `node-${index}`).toSorted()
}
