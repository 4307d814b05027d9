import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName, subjectOf, type Subject } from '../../../node/identity/names.ts'
import { SimulatedDisk } from '../../simulation/simulated-disk.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { client, NOON, requestOf } from '../../support/replica-changes.ts'
import { MemoryStore } from '../../support/memory-store.ts'
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
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'], operators: ['olga', 'oscar'] })

interface Scene extends TestNetwork {
  readonly alpha: TestReplica
  readonly beta: TestReplica
  /** The disk of beta. */
  readonly disk: SimulatedDisk
  readonly clock: FakeClock
}

/** Two nodes that are not linked yet, of which the disk of one may be full for a while. */
function openTwo(): Scene {
  const clock = new FakeClock(NOON)
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta', { store: disk.open(), clock })
  return { ...testNetwork(), alpha, beta, disk, clock }
}

test('a change that cannot be stored is an error, and is neither there nor sent', async t => {
  const { connect, quiet } = testNetwork()
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha', { store: disk.open() })
  const beta = openReplica(people, 'beta')
  connect(alpha, beta)
  await alpha.grant(AMBER)
  await quiet()
  disk.isFull = true
  await t.throwsAsync(alpha.revoke(AMBER), { code: 'ERR_DATABASE' })
  await quiet()
  t.true(alpha.isIn(AMBER))
  t.true(beta.isIn(AMBER))
  disk.isFull = false
  await alpha.revoke(AMBER)
  await quiet()
  t.false(alpha.isIn(AMBER))
  t.false(beta.isIn(AMBER))
  t.deepEqual(openReplica(people, 'alpha', { store: disk.open() }).states(), alpha.states())
})

test('a replica that cannot store a removal lets it act at once, calls no peer a liar, and asks for it anew', async t => {
  const { connect, quiet, network, alpha, beta, disk, clock } = openTwo()
  const told: Subject[] = []
  beta.replica.subscribeSettled(subjects => told.push(...subjects))
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  const link = connect(alpha, beta)
  await quiet()
  disk.isFull = true
  await alpha.grant(CORAL)
  await alpha.revoke(AMBER)
  await quiet()
  t.is(beta.replica.storage.failing, 'the disk is full')
  t.is(beta.replica.stateOf(AMBER).grants.length, 0)
  t.is(beta.replica.stateOf(AMBER).revocations.size, 1)
  t.deepEqual(told, [AMBER], 'whoever is connected is looked at')
  t.is(beta.replica.stateOf(BERYL).grants.length, 1)
  t.is(beta.replica.stateOf(CORAL).grants.length, 0, 'nobody is let in by what is not stored')
  t.true(beta.isIn(AMBER), 'the list is what is on its disk')
  t.false(link.ended)
  t.deepEqual(network.refusals, [])

  disk.isFull = false
  await clock.advance(1_000)
  t.is(beta.replica.storage.failing, undefined)
  t.true(link.ended, 'it would go on behind a hole')
  t.is(network.leaves.length, 1)
  t.is(beta.replica.stateOf(AMBER).grants.length, 0, 'until it is stored')
  connect(alpha, beta)
  await quiet()
  t.false(beta.isIn(AMBER))
  t.deepEqual(network.refusals, [])
  await alpha.grant(AMBER)
  await quiet()
  t.is(beta.replica.stateOf(AMBER).grants.length, 1, 'what is stored acts no longer by itself')
})

/** A store of which for a while nothing can be read about a subject. */
class PatchyStore extends MemoryStore {
  isUnreadable = false

  override ofSubject(subject: Subject): ReturnType<MemoryStore['ofSubject']> {
    if (this.isUnreadable) throw new FridgeError('ERR_DATABASE', 'the disk cannot be read')
    return super.ofSubject(subject)
  }
}

test('a removal that comes with what the log cannot be asked about acts all the same, and the rest later', async t => {
  const { connect, quiet, network } = testNetwork()
  const clock = new FakeClock(NOON)
  const store = new PatchyStore()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta', { store, clock })
  const gamma = openReplica(people, 'gamma')
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  await alpha.revoke(BERYL)
  connect(alpha, beta)
  await quiet()
  const told: Subject[] = []
  using _applied = beta.replica.subscribe(applied => {
    told.push(...applied.map(({ entry }) => entry.change.subject))
  })
  using _settled = beta.replica.subscribeSettled(subjects => told.push(...subjects))
  // While the first one is checked the others come: they are taken in together.
  await gamma.grant(CORAL)
  // That this one stands not, only the log can tell: it has not seen the removal.
  await gamma.grant(BERYL)
  await gamma.revoke(AMBER)
  store.isUnreadable = true
  connect(gamma, beta)
  await quiet()
  t.is(beta.replica.stateOf(AMBER).grants.length, 0)
  t.true(told.includes(AMBER), 'whoever is connected is looked at')
  t.is(beta.replica.storage.failing, 'the disk cannot be read')
  store.isUnreadable = false
  await clock.advance(1_000)
  await beta.replica.settled()
  t.deepEqual(beta.states(), openReplica(people, 'beta', { store }).states())
  t.deepEqual(network.refusals, [])
})

test('a removal of an operator that cannot be stored takes what that operator granted out of its sight', async t => {
  const { connect, quiet } = testNetwork()
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta', { store: disk.open() })
  const gamma = openReplica(people, 'gamma')
  await alpha.request(
    { ...requestOf('grant', AMBER), operator: parseName('oscar') },
    people.operator('oscar'),
  )
  await alpha.grant(BERYL)
  connect(alpha, beta)
  await quiet()
  disk.isFull = true
  await gamma.revoke(subjectOf('operator', parseName('oscar')))
  connect(gamma, beta)
  await quiet()
  t.is(beta.replica.stateOf(AMBER).grants.length, 0)
  t.is(beta.replica.stateOf(BERYL).grants.length, 1)
  t.is(beta.replica.stateOf(subjectOf('operator', parseName('oscar'))).revocations.size, 1)
})

test('an operator whose removal cannot be stored is told that it is not recorded; it acts while the disk fails', async t => {
  const clock = new FakeClock(NOON)
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha', { store: disk.open(), clock })
  await alpha.grant(AMBER)
  disk.isFull = true
  const error = await t.throwsAsync(alpha.revoke(AMBER), { code: 'ERR_DATABASE' })
  t.regex(error?.message ?? '', /the disk is full.*NOT recorded.*cut/)
  t.is(alpha.replica.stateOf(AMBER).grants.length, 0)
  const refused = await t.throwsAsync(alpha.grant(BERYL), { code: 'ERR_DATABASE' })
  t.regex(refused?.message ?? '', /nothing was changed/)
  disk.isFull = false
  await clock.advance(10_000)
  t.is(alpha.replica.stateOf(AMBER).grants.length, 1, 'what was refused leaves nothing')
})

test('an operator whose grant or checkpoint cannot be stored is told of no removal', async t => {
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha', { store: disk.open() })
  await alpha.grant(AMBER)
  disk.isFull = true
  for (const change of [async () => alpha.grant(BERYL), async () => alpha.checkpoint()]) {
    const { message } = await t.throwsAsync(change(), { code: 'ERR_DATABASE' })
    t.regex(message, /nothing was changed\. Free space there, or run the command on another node/)
    t.notRegex(message, /removal|for list/)
  }
})

test('a command that is repeated once there is space again is carried out at once', async t => {
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha', { store: disk.open() })
  await alpha.grant(AMBER)
  disk.isFull = true
  await t.throwsAsync(alpha.revoke(AMBER), { code: 'ERR_DATABASE' })
  disk.isFull = false
  await alpha.revoke(AMBER)
  t.false(alpha.isIn(AMBER))
  t.is(alpha.replica.storage.failing, undefined)
})

test('a change that two links bring at once and that cannot be stored is asked for anew over both', async t => {
  const { connect, quiet, network, alpha, beta, disk, clock } = openTwo()
  await alpha.grant(AMBER)
  connect(alpha, beta)
  connect(alpha, beta)
  await quiet()
  disk.isFull = true
  await alpha.revoke(AMBER)
  await quiet()
  disk.isFull = false
  await clock.advance(1_000)
  await alpha.revoke(AMBER)
  await quiet()
  // A link that went on would miss a change, and its honest peer would be taken for a liar.
  t.is(network.leaves.length, 2)
  t.deepEqual(network.refusals, [])
})

test('a certificate that cannot be stored is asked for anew', async t => {
  const { connect, quiet, network, alpha, beta, disk, clock } = openTwo()
  await alpha.grant(AMBER)
  disk.isFull = true
  connect(alpha, beta)
  await quiet()
  t.not(beta.replica.storage.failing, undefined)
  disk.isFull = false
  await clock.advance(1_000)
  connect(alpha, beta)
  await quiet()
  t.true(beta.isIn(AMBER))
  t.deepEqual(network.refusals, [])
})

test('it is tried more and more seldom whether changes can be stored', async t => {
  const clock = new FakeClock(NOON)
  const disk = new SimulatedDisk()
  const store = disk.open()
  const probes: number[] = []
  const probe = store.probe.bind(store)
  store.probe = () => {
    probes.push(clock.monotonic() - 5_000)
    probe()
  }
  const alpha = openReplica(people, 'alpha', { store, clock })
  disk.isFull = true
  await t.throwsAsync(alpha.grant(AMBER))
  await clock.advance(100_000)
  t.deepEqual(probes, [1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000])
})
