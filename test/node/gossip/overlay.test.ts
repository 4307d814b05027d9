import test, { type ExecutionContext } from 'ava'
import { MEMBER_LIMITS } from '../../../node/gossip/member.ts'
import { parseName, sourceOf } from '../../../node/identity/names.ts'
import { Channel } from '../../../node/wire/channel.ts'
import { PEER_LIMITS } from '../../../node/wire/limits.ts'
import { GossipCluster, TIMES } from '../../support/gossip-cluster.ts'
import { makePipe } from '../../support/gossip-pipe.ts'
import { client, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = ['alpha', 'beta', 'gamma', 'delta', 'epsilon']
const AMBER = client('amber')
const people = await makePeople({ nodes: [...NAMES, 'mallory'] })

function isIn(cluster: GossipCluster, name: string): boolean {
  return cluster.node(name).replica.whitelist.state(AMBER).grants.length > 0
}

/** Start nodes of which all but the first know only the first, and wait until all are linked. */
async function startMesh(t: ExecutionContext, names: readonly string[]): Promise<GossipCluster> {
  const cluster = new GossipCluster(t, people)
  for (const name of names) {
    cluster.start(name, { seeds: name === names[0] ? [] : [`${names[0]}:1`] })
  }
  await cluster.until('all are linked to all', () => cluster.isMesh(names))
  return cluster
}

test('nodes that know one seed find each other and link to all', async t => {
  const cluster = await startMesh(t, NAMES)
  await cluster.until('each sees all live', () =>
    NAMES.every(name => cluster.node(name).members.live().size === NAMES.length),
  )
  await cluster.node('alpha').grant(AMBER)
  await cluster.until('all let in', () => NAMES.every(name => isIn(cluster, name)))
  await cluster.node('epsilon').revoke(AMBER)
  await cluster.until('none lets in', () => !NAMES.some(name => isIn(cluster, name)))
  t.pass()
})

test('a node that is given its own address does not link to itself, and asks seldom', async t => {
  const cluster = new GossipCluster(t, people)
  const { overlay, log } = cluster.start('alpha', { seeds: ['alpha:1'] })
  await cluster.pass(60_000)
  t.deepEqual(overlay.links(), [])
  t.true(
    log.every(({ level }) => level === 'info'),
    'there is nothing wrong with it',
  )
  t.true(cluster.dials.length >= 1)
  t.true(cluster.dials.length < 80, `it dialed itself ${cluster.dials.length} times`)
  t.true(cluster.dials.length > 1, 'one name may stand for all nodes: the next may be another')
  const said = log.map(({ text }) => text)
  t.deepEqual(said, ['a peer that is named is this node itself'])
})

test('a seed that was the node itself at first is found when it becomes another', async t => {
  const cluster = new GossipCluster(t, people)
  // One name for all nodes, as container networks give them: the answer changes.
  const alpha = cluster.start('alpha', { address: 'fridge:1', seeds: ['fridge:1'] })
  await cluster.until('it has met itself', () => cluster.dials.length > 0)
  await cluster.pass(1_000)
  cluster.start('beta', { address: 'fridge:1' })
  await cluster.until('it finds the other', () => alpha.linked().join() === 'beta')
  t.pass()
})

test('nodes that share one name find each other, though each is told its own address first', async t => {
  const cluster = new GossipCluster(t, people)
  for (const name of NAMES) {
    const all = [name, ...NAMES.filter(other => other !== name)].map(other => `${other}:1`)
    const resolve = (address: string): string[] => (address === 'fridge:1' ? all : [address])
    cluster.start(name, { seeds: ['fridge:1'], resolve })
  }
  await cluster.until('all are linked to all', () => cluster.isMesh(NAMES))
  t.true(NAMES.every(name => cluster.node(name).log.every(({ level }) => level === 'info')))
})

test('a name that stands for others later is looked up again, and said once where none of them answers', async t => {
  const cluster = new GossipCluster(t, people)
  let behind = ['beta:1', 'gamma:1']
  const resolve = (address: string): string[] => (address === 'fridge:1' ? behind : [address])
  const { log, linked } = cluster.start('alpha', { seeds: ['fridge:1'], resolve })
  await cluster.pass(60_000)
  t.deepEqual(
    log.map(({ text, fields }) => [text, fields['address']]),
    [['cannot reach a peer', 'fridge:1']],
  )
  cluster.start('delta')
  behind = ['delta:1']
  await cluster.until('it is linked', () => linked().join() === 'delta', 2 * TIMES.redialMaxMs)
  const since = cluster.dials.length
  await cluster.pass(60_000)
  t.deepEqual(cluster.dials.slice(since), [], 'nobody is at the others any more')
})

test('a node has no more links than its peers take of it, and says so to the next', async t => {
  const cluster = new GossipCluster(t, people)
  const { overlay, members } = cluster.start('alpha')
  const { identity } = people.node('beta').signer
  const farewells: (string | undefined)[] = []
  for (let index = 0; index <= MEMBER_LIMITS.maxLinks; index += 1) {
    const name = parseName(`n${index}`)
    const pipe = makePipe()
    overlay.accept({ socket: pipe.ends[1], peer: { ...identity, name }, own: identity })
    const channel: Channel = new Channel(pipe.ends[0], {
      limits: PEER_LIMITS,
      clock: cluster.clock,
      control: {
        opens: false,
        ...TIMES,
        hello: { source: sourceOf(name, '0'.repeat(16)) },
        onHello: () => undefined,
      },
      onStream: () => false,
      onEnd: () => farewells.push(channel.bye?.reason),
    })
    t.teardown(() => pipe.destroy())
  }
  await cluster.pass(100)
  t.deepEqual(farewells, ['busy'])
  t.is(members.self.links.length, MEMBER_LIMITS.maxLinks)
})

test('a node that has lost its only link dials its peer also where that has links enough', async t => {
  const cluster = new GossipCluster(t, people)
  // Only alpha can dial.
  const beta = cluster.start('beta', { resolve: () => ['nowhere:1'] })
  const alpha = cluster.start('alpha', { seeds: ['beta:1'] })
  await cluster.until('they are linked', () => cluster.isMesh(['alpha', 'beta']))
  const many = Array.from({ length: 40 }, (_, index) => testSource(`n${index}`))
  beta.members.say({ links: [alpha.source, ...many] })
  const isFull = (): boolean => alpha.members.get(beta.source)?.links.length === many.length + 1
  await cluster.until('it is known to have links enough', isFull)
  cluster.cut('alpha', 'beta')
  await cluster.until('it has noticed', () => alpha.linked().length === 0)
  t.true(alpha.members.isLive(beta.source), 'who is not, is dialed whatever it has')
  await cluster.until('they are linked again', () => cluster.isMesh(['alpha', 'beta']), 1_500)
})

test('of two connections that two nodes make at once both keep the one that the lesser name dialed', async t => {
  for (const names of [
    ['alpha', 'beta'],
    ['beta', 'alpha'],
  ]) {
    const cluster = new GossipCluster(t, people)
    for (const name of names) {
      cluster.start(name, { seeds: names.filter(other => other !== name).map(to => `${to}:1`) })
    }
    t.is(cluster.dials.length, 2)
    await cluster.until('they are linked', () => cluster.isMesh(names))
    await cluster.pass(10_000)
    t.true(cluster.isMesh(names))
    t.is(cluster.dials.length, 2)
    t.is(cluster.connections('alpha', 'beta'), 1)
    t.deepEqual(
      cluster
        .node('alpha')
        .overlay.links()
        .map(({ dialed }) => dialed),
      [true],
    )
    t.deepEqual(
      cluster
        .node('beta')
        .overlay.links()
        .map(({ dialed }) => dialed),
      [false],
    )
  }
})

test('a node that sends blank lines over several connections is read more slowly on all of them', async t => {
  const cluster = new GossipCluster(t, people)
  const { overlay } = cluster.start('alpha')
  const own = people.node('alpha').signer.identity
  const peer = people.node('mallory').signer.identity
  const sockets = Array.from({ length: 4 }, () => {
    const [socket, end] = makePipe().ends
    overlay.accept({ socket, peer, own })
    return { socket, end }
  })
  for (const { end } of sockets) end.write('\n'.repeat(50_000))
  await cluster.pass(1)
  const other = makePipe().ends
  overlay.accept({ socket: other[0], peer: people.node('beta').signer.identity, own })
  other[1].write('\n'.repeat(50_000))
  await cluster.pass(1)
  // Four seconds' worth were 80,000 lines.
  t.deepEqual(
    sockets.map(({ socket }) => socket.isPaused()),
    [false, true, true, true],
  )
  t.false(other[0].isPaused())
})

test('a lost connection is dialed again, and what was missed is caught up', async t => {
  const cluster = await startMesh(t, ['alpha', 'beta'])
  t.is(cluster.cut('alpha', 'beta'), 1)
  await cluster.node('alpha').grant(AMBER)
  await cluster.until(
    'it is caught up',
    () => isIn(cluster, 'beta') && cluster.isMesh(['alpha', 'beta']),
  )
  t.pass()
})

test('a peer that falls silent without a word is noticed within seconds', async t => {
  const cluster = await startMesh(t, ['alpha', 'beta', 'gamma'])
  cluster.partition(name => (name === 'gamma' ? 1 : 0))
  const isNoticed = (): boolean =>
    ['alpha', 'beta'].every(name => {
      const { members } = cluster.node(name)
      return members.live().size === 2 && members.unreachable().size === 1
    })
  await cluster.until('both know it', isNoticed, TIMES.deadAfterMs + 3 * TIMES.heartbeatMs)
  t.deepEqual(cluster.node('gamma').linked(), [])
  await cluster.pass(100)
  t.is([...cluster.node('gamma').overlay.heard()].length, 0)
  t.is([...cluster.node('alpha').overlay.heard()].length, 1)
})

test('the two sides of a healed partition join again, and the revocation wins', async t => {
  const cluster = await startMesh(t, NAMES)
  await cluster.node('alpha').grant(AMBER)
  await cluster.until('all let in', () => NAMES.every(name => isIn(cluster, name)))
  const left = new Set(['alpha', 'beta'])
  cluster.partition(name => (left.has(name) ? 0 : 1))
  await cluster.until('the sides are apart', () => cluster.isMesh(['alpha', 'beta']))
  // A revocation on one side, on the other a grant that has not seen it.
  await cluster.node('beta').revoke(AMBER)
  await cluster.node('delta').grant(AMBER)
  await cluster.until('one side has the revocation', () => !isIn(cluster, 'alpha'))
  t.true(isIn(cluster, 'epsilon'))
  cluster.heal()
  await cluster.until('all are linked to all', () => cluster.isMesh(NAMES))
  await cluster.until('none lets in', () => !NAMES.some(name => isIn(cluster, name)))
})

test('a seed that is down is dialed for ever, less and less often, and linked when it is up', async t => {
  const cluster = new GossipCluster(t, people)
  const { log } = cluster.start('alpha', { seeds: ['beta:1'] })
  await cluster.pass(120_000)
  const { length } = cluster.dials
  t.true(length >= 120_000 / TIMES.redialMaxMs)
  t.true(length < 80, `${length} dials in two minutes`)
  t.is(log.filter(({ level }) => level === 'warn').length, 1, 'it is said once')
  cluster.start('beta')
  const names = ['alpha', 'beta']
  await cluster.until('they are linked', () => cluster.isMesh(names), 2 * TIMES.redialMaxMs)
})

test('a peer that breaks the protocol each time is dialed less and less often', async t => {
  const cluster = new GossipCluster(t, people)
  const { log } = cluster.start('alpha', { seeds: ['beta:1'] })
  cluster.start('beta', { startedAt: 0.5 })
  await cluster.pass(60_000)
  t.true(log.some(({ fields }) => fields['reason'] === 'refused'))
  t.true(cluster.dials.length >= 60_000 / TIMES.redialMaxMs)
  t.true(cluster.dials.length < 30, `${cluster.dials.length} dials in a minute`)
})

test('a peer whose links are cut as soon as they are in step is dialed less and less often', async t => {
  const cluster = new GossipCluster(t, people)
  const alpha = cluster.start('alpha', { seeds: ['beta:1'] })
  cluster.start('beta')
  let cuts = 0
  for (let ms = 0; ms < 60_000; ms += 50) {
    await cluster.pass(50)
    if (alpha.linked().includes('beta')) cuts += cluster.cut('alpha', 'beta')
  }
  t.true(cuts > 5)
  t.true(cluster.dials.length < 80, `${cluster.dials.length} dials in a minute`)
  const names = ['alpha', 'beta']
  await cluster.until('they are linked', () => cluster.isMesh(names), 2 * TIMES.redialMaxMs)
})

test('a node that died unseen and starts again replaces its old link once that has missed its beats', async t => {
  const cluster = await startMesh(t, ['alpha', 'beta'])
  cluster.partition(name => (name === 'beta' ? 1 : 0))
  await cluster.kill('beta')
  cluster.heal()
  const { source } = cluster.start('beta', { seeds: ['alpha:1'] })
  const { overlay, members } = cluster.node('alpha')
  await cluster.until(
    'its new run is linked',
    () => overlay.links().some(link => link.source === source),
    TIMES.deadAfterMs,
  )
  t.is(overlay.links().length, 1)
  await cluster.until('only the new run is live', () => members.live().has(source))
  t.is(members.live().size, 2)
  t.is(members.unreachable().size, 0)
})

test('a node that stops says so, and is at once no longer live', async t => {
  const cluster = await startMesh(t, ['alpha', 'beta', 'gamma'])
  await cluster.stop('gamma')
  const { members, log } = cluster.node('alpha')
  await cluster.until('it is not live', () => members.live().size === 2, 500)
  t.true(log.some(({ fields }) => fields['reason'] === 'leaving'))
  t.deepEqual([...members.left().keys()].map(String), ['gamma'])
  t.is(members.unreachable().size, 0)
})

test('two nodes of one name do not link, and the error says what to do', async t => {
  const cluster = new GossipCluster(t, people)
  cluster.start('alpha')
  const twin = cluster.start('alpha', { address: 'twin:1', seeds: ['alpha:1'] })
  const told = (): string | undefined => twin.log.find(({ level }) => level === 'error')?.text
  await cluster.until('it is told', () => told() !== undefined)
  t.deepEqual(twin.linked(), [])
  t.regex(told() ?? '', /give each its own/)
})

test('a stopped overlay leaves no timer and no connection', async t => {
  const cluster = await startMesh(t, ['alpha', 'beta'])
  await cluster.stop('alpha')
  await cluster.stop('beta')
  await cluster.pass(100)
  t.is(cluster.clock.pending, 0)
  t.is(cluster.connections('alpha', 'beta'), 0)
})
