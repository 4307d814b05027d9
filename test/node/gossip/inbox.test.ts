import test from 'ava'
import { OwnSource } from '../../../node/gossip/own-source.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { SimulatedDisk } from '../../simulation/simulated-disk.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { attachEndpoint } from '../../support/gossip-document.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, NOON, testSource } from '../../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const AMBER = client('amber')
const BERYL = client('beryl')
const CORAL = client('coral')
const people = await makePeople({ nodes: ['alpha', 'beta'] })

function isIn({ replica }: TestReplica, subject: typeof AMBER): boolean {
  return replica.stateOf(subject).grants.length > 0
}

/** All frames that a replica sends to one that holds the first `held` changes of `alpha`. */
async function framesOf({ replica }: TestReplica, held: number): Promise<unknown[]> {
  const sender = attachEndpoint(replica, testSource('gamma'))
  await sender.receive({ id: testSource('gamma'), clock: { [testSource('alpha')]: held } })
  sender.dispose()
  return sender.sent.filter(
    frame =>
      Array.isArray(frame) ||
      (typeof frame === 'object' && frame !== null && 'certificate' in frame),
  )
}

/**
 * `alpha` lets AMBER and BERYL in and removes both, which `beta` hears; then it is resumed from a
 * snapshot before the removals, and does something else at their places.
 */
async function resume() {
  const { connect, quiet, network } = testNetwork()
  const disk = new SimulatedDisk()
  const before = openReplica(people, 'alpha', { store: disk.open() })
  const beta = openReplica(people, 'beta')
  connect(before, beta)
  await before.grant(AMBER)
  await before.grant(BERYL)
  await quiet()
  const snapshot = disk.image()
  await before.revoke(AMBER)
  await before.revoke(BERYL)
  await quiet()
  network.disconnect('alpha')
  disk.revert(snapshot)
  const kept = testSource('alpha')
  const ownSource = new OwnSource({ kept, draw: () => testSource('alpha', 2) })
  ownSource.confirm()
  const alpha = openReplica(people, 'alpha', { store: disk.open(), ownSource })
  await alpha.grant(CORAL)
  return { alpha, beta }
}

test('a removal acts that stands where this node gives up another change of its own', async t => {
  const { alpha, beta } = await resume()
  const [certificates, updates] = partition(await framesOf(beta, 2))
  const link = attachEndpoint(alpha.replica, beta.replica.id)
  await link.receive({ id: beta.replica.id, clock: {} }, ...certificates, updates[0])
  await alpha.replica.settled()
  t.false(isIn(alpha, CORAL), 'the change at its place is given up')
  t.false(isIn(alpha, AMBER))
  t.true(isIn(alpha, BERYL))
  t.deepEqual(link.refusals, [])
})

test('a removal acts that comes over a link which this node has ended', async t => {
  const { alpha, beta } = await resume()
  const link = attachEndpoint(alpha.replica, beta.replica.id)
  await link.receive({ id: beta.replica.id, clock: {} }, ...(await framesOf(beta, 2)))
  await alpha.replica.settled()
  t.false(isIn(alpha, BERYL))
  t.deepEqual(alpha.replica.whitelist.clock(), new Map([[testSource('alpha'), 2]]))
  t.deepEqual(link.refusals, [])
})

test('later changes of this node that have seen what is given up are given up with it, in whatever source', async t => {
  const { alpha, beta } = await resume()
  alpha.replica.noteTwin()
  await alpha.revoke(CORAL)
  t.true(alpha.replica.whitelist.clock().has(testSource('alpha', 2)))
  const lost: string[] = []
  alpha.replica.subscribeEnded(ended =>
    lost.push(...ended.lost.map(({ change }) => `${change.kind} ${change.source}`)),
  )
  const link = attachEndpoint(alpha.replica, beta.replica.id)
  await link.receive({ id: beta.replica.id, clock: {} }, ...(await framesOf(beta, 2)))
  await alpha.replica.settled()
  t.deepEqual(lost, [`grant ${testSource('alpha')}`, `revocation ${testSource('alpha', 2)}`])
  t.false(alpha.replica.whitelist.clock().has(testSource('alpha', 2)))
})

test('who relays what has seen the other branch of a place, before either end knows of it, is refused once and heard at the next link', async t => {
  const { alpha, beta } = await resume()
  await beta.grant(AMBER)
  const [certificates, updates] = partition(await framesOf(beta, 2))
  const grant = updates.at(-1)
  const link = attachEndpoint(alpha.replica, beta.replica.id)
  // As the peer was when the link began: it held what both branches have in common.
  const [common] = alpha.replica.whitelist.changesOf(BERYL).values()
  const heads = { heads: { [testSource('alpha')]: [2, common?.hash] } }
  const clock = { [testSource('alpha')]: 4 }
  await link.receive(heads, { id: beta.replica.id, clock }, ...certificates, grant)
  await alpha.replica.settled()
  t.regex(link.refusals.join(), /has seen others that were not sent/)
  const { connect, quiet, network } = testNetwork()
  for (let times = 0; times < 3; times += 1) {
    connect(alpha, beta)
    await quiet()
  }
  t.true(isIn(alpha, AMBER))
  t.deepEqual(network.refusals, [])
})

/** A store that for a while cannot tell whether it holds a change of one subject. */
class PatchyStore extends MemoryStore {
  isUnreadable = false

  override has(...asked: Parameters<MemoryStore['has']>): boolean {
    if (this.isUnreadable && asked[0] === BERYL) {
      throw new FridgeError('ERR_DATABASE', 'the disk cannot be read')
    }
    return super.has(...asked)
  }
}

/** `alpha` has let AMBER and BERYL in; `beta` can be kept from reading what it holds of BERYL. */
async function openPatchy() {
  const { connect, quiet, network } = testNetwork()
  const clock = new FakeClock(NOON)
  const store = new PatchyStore()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta', { store, clock })
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  const hear = async (): Promise<void> => {
    connect(alpha, beta)
    await quiet()
  }
  const mend = async (): Promise<void> => {
    store.isUnreadable = false
    await clock.advance(1_000)
    await hear()
  }
  return { alpha, beta, store, hear, mend, network }
}

test('when the log cannot be read in the middle of a batch nothing of it is merged, and all of it when it can', async t => {
  const { alpha, beta, store, hear, mend, network } = await openPatchy()
  await alpha.revoke(BERYL)
  store.isUnreadable = true
  await hear()
  t.is(beta.replica.storage.failing, 'the disk cannot be read')
  t.deepEqual(beta.replica.whitelist.clock(), new Map())
  t.is(beta.replica.whitelist.changes, 0)
  t.deepEqual(beta.states(), [])
  await mend()
  t.deepEqual(beta.states(), alpha.states())
  t.deepEqual(network.refusals, [])
})

test('a removal that comes alone while the log cannot be read acts, and is merged when it can', async t => {
  const { alpha, beta, store, hear, mend, network } = await openPatchy()
  await hear()
  store.isUnreadable = true
  await alpha.revoke(BERYL)
  await hear()
  t.false(isIn(beta, BERYL))
  t.deepEqual(beta.replica.whitelist.clock(), new Map([[testSource('alpha'), 2]]))
  await mend()
  t.deepEqual(beta.replica.whitelist.clock(), new Map([[testSource('alpha'), 3]]))
  t.deepEqual(beta.states(), alpha.states())
  t.deepEqual(network.refusals, [])
})

function partition(frames: readonly unknown[]): [unknown[], unknown[]] {
  return [frames.filter(one => !Array.isArray(one)), frames.filter(one => Array.isArray(one))]
}
