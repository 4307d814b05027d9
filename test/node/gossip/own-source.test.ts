import test from 'ava'
import { OwnSource } from '../../../node/gossip/own-source.ts'
import type { EndedSource } from '../../../node/gossip/own-past.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import { SimulatedDisk } from '../../simulation/simulated-disk.ts'
import { client, testSource } from '../../support/replica-changes.ts'
import {
  openReplica,
  testNetwork,
  type TestNetwork,
  type TestReplica,
} from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const AMBER = client('amber')
const BERYL = client('beryl')
const CORAL = client('coral')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'] })

/** A source of `alpha` that goes on with that of its last run, and draws `alpha#11`, `alpha#12`… */
function sourceOfLastRun(kept?: Source): { own: OwnSource; kept: (Source | undefined)[] } {
  const said: (Source | undefined)[] = []
  let drawn = 10
  const own = new OwnSource({
    ...(kept && { kept }),
    draw: () => testSource('alpha', (drawn += 1)),
    keep: source => said.push(source),
  })
  return { own, kept: said }
}

test('a source is drawn with the first change, and remembered before it numbers anything', t => {
  const { own, kept } = sourceOfLastRun()
  t.is(own.candidate, undefined)
  const source = own.take()
  t.is(own.take(), source)
  t.deepEqual(kept, [])
  own.store()
  own.store()
  t.deepEqual(kept, [source])
  own.end()
  t.deepEqual(kept, [source, undefined])
  t.not(own.take(), source)
})

test('the source of the last run is gone on with once a peer holds no more of it, or where nobody else is known', t => {
  const last = testSource('alpha')
  const alone = sourceOfLastRun(last)
  alone.own.follow(() => false)
  t.is(alone.own.take(), last)
  alone.own.store()
  t.deepEqual(alone.kept, [], 'it is remembered already')
  const confirmed = sourceOfLastRun(last)
  confirmed.own.follow(() => true)
  confirmed.own.confirm()
  t.is(confirmed.own.take(), last)
  const unconfirmed = sourceOfLastRun(last)
  unconfirmed.own.follow(() => true)
  t.not(unconfirmed.own.take(), last)
})

interface Scene extends TestNetwork {
  readonly disk: SimulatedDisk
  readonly beta: TestReplica
  readonly source: Source
}

/** `alpha` has let in AMBER, and `beta` CORAL; both have heard that, and are linked no more. */
async function setScene(): Promise<Scene> {
  const network = testNetwork()
  const disk = new SimulatedDisk()
  const beta = openReplica(people, 'beta')
  const alpha = openReplica(people, 'alpha', { store: disk.open() })
  const link = network.connect(alpha, beta)
  await alpha.grant(AMBER)
  await beta.grant(CORAL)
  await network.quiet()
  link.cut()
  return { ...network, disk, beta, source: alpha.source }
}

test('a node that starts again goes on in its source: a hundred restarts add none', async t => {
  const { disk, beta, source, connect, quiet } = await setScene()
  for (let run = 2; run <= 100; run += 1) {
    const { own } = sourceOfLastRun(source)
    const alpha = openReplica(people, 'alpha', { store: disk.open(), run, ownSource: own })
    const link = connect(alpha, beta)
    await quiet()
    await alpha.grant(client(`client-${run}`))
    await quiet()
    link.cut()
  }
  t.deepEqual(
    new Map([...beta.replica.whitelist.clock()].sort(([a], [b]) => (a < b ? -1 : 1))),
    new Map([
      [source, 100],
      [beta.source, 1],
    ]),
  )
})

test('a node whose peers have heard more of its source than it holds goes on in another', async t => {
  const { disk, beta, source, connect, quiet, network } = await setScene()
  const backup = disk.backup()
  const before = openReplica(people, 'alpha', { store: disk.open() })
  connect(before, beta)
  await before.revoke(AMBER)
  await quiet()
  network.disconnect('alpha')
  disk.restore(backup)

  const { own, kept } = sourceOfLastRun(source)
  const alpha = openReplica(people, 'alpha', { store: disk.open(), run: 2, ownSource: own })
  connect(alpha, beta)
  await quiet()
  t.deepEqual(kept, [undefined], 'that source is never used again')
  t.is(alpha.replica.stateOf(AMBER).grants.length, 0, 'what it had accepted comes back to it')
  await alpha.grant(BERYL)
  await quiet()
  t.true(beta.replica.whitelist.clock().has(testSource('alpha', 11)))
  t.deepEqual(alpha.states(), beta.states())
  t.deepEqual(network.refusals, [])
})

/** A machine was resumed from a snapshot of its memory: its node has forgotten that it removed AMBER. */
async function resume(scene: Scene): Promise<{ alpha: TestReplica; ended: EndedSource[] }> {
  const { disk, beta, source, connect, quiet, network } = scene
  const backup = disk.backup()
  const before = openReplica(people, 'alpha', { store: disk.open() })
  connect(before, beta)
  await before.revoke(AMBER)
  await before.grant(BERYL)
  await quiet()
  network.disconnect('alpha')
  disk.restore(backup)
  const { own } = sourceOfLastRun(source)
  own.confirm()
  own.take()
  const alpha = openReplica(people, 'alpha', { store: disk.open(), ownSource: own })
  const ended: EndedSource[] = []
  alpha.replica.subscribeEnded(one => ended.push(one))
  return { alpha, ended }
}

/** Link two again and again: each may end the link to be told anew. */
async function meet({ connect, quiet }: Scene, one: TestReplica, other: TestReplica) {
  for (let times = 0; times < 8; times += 1) {
    connect(one, other)
    await quiet()
  }
}

test('a node that is resumed from a snapshot of its memory takes in its own future, and goes on in another source', async t => {
  const scene = await setScene()
  const { alpha, ended } = await resume(scene)
  await meet(scene, alpha, scene.beta)
  t.deepEqual(
    ended.map(({ source, lost }) => [source, lost.length]),
    [[scene.source, 0]],
  )
  t.is(alpha.replica.stateOf(AMBER).grants.length, 0)
  t.is(alpha.replica.stateOf(BERYL).grants.length, 1)
  await alpha.grant(client('dorit'))
  await scene.quiet()
  t.is(scene.beta.replica.stateOf(client('dorit')).grants.length, 1)
  t.deepEqual(alpha.states(), scene.beta.states())
  t.deepEqual(scene.network.refusals, [])
})

test('what it accepted before it met a peer is sent to nobody, its operator is told, and removals act on', async t => {
  const scene = await setScene()
  const { beta, network, quiet, connect } = scene
  const { alpha, ended } = await resume(scene)
  await alpha.revoke(CORAL)
  await alpha.grant(client('dorit'))
  await meet(scene, alpha, beta)
  t.deepEqual(
    ended
      .flatMap(({ lost }) => lost.map(({ change }) => `${change.kind} ${change.subject}`))
      .sort(),
    ['grant client/dorit', 'revocation client/coral'],
  )
  t.is(alpha.replica.whitelist.state(CORAL).grants.length, 1, 'the list is that of the others')
  t.is(alpha.replica.stateOf(CORAL).grants.length, 0, 'what takes away acts while this node runs')
  t.is(alpha.replica.stateOf(client('dorit')).grants.length, 0)
  for (const node of [alpha, beta])
    t.false(node.replica.whitelist.hasEquivocated(parseName('alpha')))
  const gamma = openReplica(people, 'gamma')
  connect(alpha, gamma)
  await quiet()
  t.deepEqual(gamma.states(), beta.states())
  await alpha.grant(client('edith'))
  await quiet()
  connect(alpha, beta)
  await quiet()
  t.deepEqual(alpha.states(), beta.states())
  t.deepEqual(network.refusals, [])
  const again = openReplica(people, 'alpha', { store: scene.disk.open(), run: 3 })
  t.deepEqual(again.states(), alpha.states(), 'and so it is after a start')
})
