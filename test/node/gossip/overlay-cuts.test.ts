import test from 'ava'
import { GossipCluster, TIMES } from '../../support/gossip-cluster.ts'
import { NOON } from '../../support/replica-changes.ts'
import { makePeople, type People } from '../../support/replica-people.ts'

/** Links that end because the node at one of their ends may not gossip any more. */

const DAY_MS = 86_400_000
const people = await makePeople({ nodes: ['alpha', 'beta'] })

test('a node that has been removed is cut and not linked again', async t => {
  const cluster = new GossipCluster(t, people)
  const revoked = new Set<string>()
  const alpha = cluster.start('alpha', { seeds: ['beta:1'], revoked })
  const beta = cluster.start('beta')
  await cluster.until('they are linked', () => cluster.isMesh(['alpha', 'beta']))
  revoked.add('beta')
  t.is(alpha.overlay.review(), 1)
  await cluster.pass(100)
  t.deepEqual(alpha.linked(), [])
  t.deepEqual(beta.linked(), [])
  t.true(beta.log.some(({ fields }) => fields['reason'] === 'revoked'))
})

test('a removed node is shown the proof on its link and at the door, and is dialed no more', async t => {
  const cluster = new GossipCluster(t, people)
  const revoked = new Set<string>()
  const shown: unknown[] = []
  const alpha = cluster.start('alpha', { revoked })
  cluster.start('beta', { seeds: ['alpha:1'], shown })
  await cluster.until('they are linked', () => cluster.isMesh(['alpha', 'beta']))
  await cluster.until('alpha knows where beta is', () => alpha.members.live().size === 2)
  revoked.add('beta')
  alpha.overlay.review()
  await cluster.pass(100)
  t.deepEqual(shown, [{ removed: 'beta' }])
  await cluster.pass(60_000)
  t.deepEqual(
    cluster.dials.filter(({ from }) => from === 'alpha'),
    [],
  )
})

test('a seed at which a removed node stands is dialed seldom, and shows the proof', async t => {
  const cluster = new GossipCluster(t, people)
  const shown: unknown[] = []
  cluster.start('beta', { shown })
  const alpha = cluster.start('alpha', { seeds: ['beta:1'], revoked: new Set(['beta']) })
  await cluster.pass(60_000)
  t.deepEqual(shown[0], { removed: 'beta' })
  t.deepEqual(alpha.linked(), [])
  t.true(cluster.dials.length <= 60_000 / TIMES.redialMaxMs + 8, `${cluster.dials.length} dials`)
})

test('a node that was removed itself calls no other one removed, and dials nobody', async t => {
  const cluster = new GossipCluster(t, people)
  const revoked = new Set<string>()
  cluster.start('alpha')
  const beta = cluster.start('beta', { seeds: ['alpha:1'], revoked })
  await cluster.until('they are linked', () => beta.linked().length === 1)
  revoked.add('beta')
  beta.overlay.review()
  await cluster.pass(60_000)
  const ends = cluster
    .node('alpha')
    .log.filter(({ text }) => text === 'link ended')
    .map(({ fields }) => [fields['reason'], fields['detail']])
  t.deepEqual(ends, [['node removed', 'node/beta has been removed']])
  const dials = cluster.dials.filter(({ from }) => from === 'beta').length
  await cluster.pass(600_000)
  t.is(cluster.dials.filter(({ from }) => from === 'beta').length, dials)
})

/** The same people, but one of them with a certificate that ends `ms` after the clock's start. */
async function endingIn(ms: number, name: string): Promise<People> {
  const brief = await people.issue('node', name, { now: NOON - DAY_MS + ms, days: 1 })
  return { ...people, node: other => (other === name ? brief : people.node(other)) }
}

for (const [whose, name] of [
  ['the peer', 'beta'],
  ['the node itself', 'alpha'],
] as const) {
  test(`a link ends when the certificate of ${whose} does, whatever the peer says`, async t => {
    const everyone = await endingIn(3_000, name)
    const cluster = new GossipCluster(t, everyone)
    const { overlay } = cluster.start('alpha')
    const socket = cluster.join('alpha', everyone.node('beta'))
    let heard = ''
    let closed = false
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    socket.on('close', () => (closed = true))
    await cluster.pass(2_975)
    t.false(heard.includes('expired'))
    await cluster.pass(25)
    t.regex(heard, new RegExp(`certificate expired.*the certificate of node/${name} has expired`))
    await cluster.until('it is closed', () => closed, 1_500)
    t.deepEqual(overlay.links(), [])
  })
}

test('a link ends with its certificate also when the clock was set forward meanwhile', async t => {
  const cluster = new GossipCluster(t, await endingIn(DAY_MS, 'beta'))
  const { log } = cluster.start('alpha')
  cluster.start('beta', { seeds: ['alpha:1'] })
  await cluster.until('they are linked', () => cluster.isMesh(['alpha', 'beta']))
  cluster.clock.jump(DAY_MS)
  await cluster.until(
    'the link has ended',
    () => log.some(({ fields }) => fields['reason'] === 'certificate expired'),
    30_000,
  )
  t.pass()
})
