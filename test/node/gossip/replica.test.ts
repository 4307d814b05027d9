import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { Update } from '../../../node/gossip/document.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import type { Extent } from '../../../node/whitelist/extent.ts'
import { encodeChange } from '../../../node/whitelist/change.ts'
import { parseSubject } from '../../../node/identity/names.ts'
import { signText } from '../../../node/identity/signature.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { SimulatedDisk } from '../../simulation/simulated-disk.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { attachEndpoint } from '../../support/gossip-document.ts'
import { client, NOON, requestOf, testSource } from '../../support/replica-changes.ts'
import { placesOf } from '../../support/replica-model.ts'
import { openReplica, testNetwork } from '../../support/replica-pair.ts'
import { commitChange, makePeople } from '../../support/replica-people.ts'

const HOUR_MS = 60 * 60 * 1_000
const AMBER = client('amber')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'], operators: ['olga', 'oscar'] })

test('a client that was removed and added again is let in', async t => {
  const alpha = openReplica(people, 'alpha')
  await alpha.grant(AMBER)
  t.true(alpha.isIn(AMBER))
  await alpha.revoke(AMBER)
  t.false(alpha.isIn(AMBER))
  await alpha.grant(AMBER)
  t.true(alpha.isIn(AMBER))
})

test('a change reaches a linked replica, and one that links later', async t => {
  const { connect, quiet } = testNetwork()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta')
  await alpha.grant(AMBER)
  connect(alpha, beta)
  await quiet()
  t.true(beta.isIn(AMBER))
  await beta.revoke(AMBER)
  await quiet()
  t.false(alpha.isIn(AMBER))
  t.deepEqual(alpha.states(), beta.states())
})

test('of two commits of one place at the same moment one is told to try again', async t => {
  const alpha = openReplica(people, 'alpha')
  const commits = await Promise.all([alpha.revoke(AMBER), alpha.revoke(client('basil'))])
  t.deepEqual(commits.map(({ outcome }) => outcome).sort(), ['again', 'committed'])
  t.is(alpha.replica.whitelist.changes, 1)
})

test('a proposal is void when its subject has changed since, so that no grant misses a revocation', async t => {
  const { connect, quiet } = testNetwork()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta')
  connect(alpha, beta)
  await quiet()
  const proposed = alpha.replica.propose(requestOf('grant', AMBER))
  await beta.revoke(AMBER)
  await quiet()
  const commit = await commitChange(alpha.replica, proposed, people.operator(), alpha.signers)
  t.is(commit.outcome, 'again')
  t.false(alpha.isIn(AMBER))
})

test('a proposal is void after a restart, and when it is older than ten minutes', async t => {
  const clock = new FakeClock(NOON)
  const disk = new SimulatedDisk()
  const before = openReplica(people, 'alpha', { clock, store: disk.open() })
  const proposed = before.replica.propose(requestOf('revocation', AMBER))
  const late = before.replica.propose(requestOf('revocation', AMBER))
  clock.jump(11 * 60_000)
  const operator = people.operator()
  const slow = await commitChange(before.replica, late, operator, before.signers)
  t.is(slow.outcome, 'again')
  clock.jump(-11 * 60_000)
  const after = openReplica(people, 'alpha', { clock, store: disk.open(), run: 2 })
  const stale = await commitChange(after.replica, proposed, operator, after.signers)
  t.is(stale.outcome, 'again')
})

test('a change is committed only under the signature of the operator that it names', async t => {
  const { replica, signers } = openReplica(people, 'alpha')
  const refused = { instanceOf: FridgeError, code: 'ERR_REFUSED' }
  const change = replica.propose(requestOf('grant', AMBER))
  const text = encodeChange(change)
  const olga = people.operator('olga')
  const oscar = people.operator('oscar')
  const signature = signText(olga.key, 'change', text)
  await t.throwsAsync(
    replica.commit(text, oscar.signer, signText(oscar.key, 'change', text)),
    refused,
  )
  await t.throwsAsync(
    replica.commit(text, olga.signer, signText(oscar.key, 'change', text)),
    refused,
  )
  await t.throwsAsync(replica.commit(text, olga.signer, signText(olga.key, 'entry', text)), refused)
  const altered = encodeChange({ ...change, reason: 'because' })
  await t.throwsAsync(replica.commit(altered, olga.signer, signature), refused)
  await t.throwsAsync(replica.commit(`${text} `, olga.signer, signature), { code: 'ERR_PROTOCOL' })
  t.is(replica.whitelist.changes, 0)
  const commit = await commitChange(replica, change, olga, signers)
  t.is(commit.outcome, 'committed')
})

test('a change that no peer would take for its date is not committed: it would cut its node off', async t => {
  const clock = new FakeClock(NOON)
  const olga = people.operator()
  const expiring = await people.issue('node', 'alpha', { now: NOON - 24 * HOUR_MS, days: 1 })
  const early = await people.issue('operator', 'olga', { now: NOON + 12 * 60_000 })
  const cases = [
    { self: expiring, operator: olga, proposedAt: NOON + HOUR_MS, committedAt: NOON + HOUR_MS },
    // Out of date when it was proposed, in date when it is committed.
    { self: undefined, operator: early, proposedAt: NOON - 5 * 60_000, committedAt: NOON },
  ]
  for (const { self, operator, proposedAt, committedAt } of cases) {
    clock.jump(proposedAt - clock.now())
    const alpha = openReplica(people, 'alpha', { clock, ...(self && { self }) })
    const change = alpha.replica.propose(requestOf('revocation', AMBER))
    clock.jump(committedAt - clock.now())
    await t.throwsAsync(commitChange(alpha.replica, change, operator, alpha.signers), {
      code: 'ERR_REFUSED',
    })
    t.is(alpha.replica.whitelist.changes, 0)
  }
})

test('a raw copy of an old database un-revokes nobody once a peer is linked', async t => {
  const dir = await makeTestFolder(t)
  const file = join(dir, 'alpha.db')
  const copy = join(dir, 'backup.db')
  const { connect, quiet } = testNetwork()
  const beta = openReplica(people, 'beta')
  {
    using store = openSqliteStore(file)
    const alpha = openReplica(people, 'alpha', { store })
    connect(alpha, beta)
    await alpha.grant(AMBER)
    await quiet()
    copyFileSync(file, copy)
    copyFileSync(`${file}-wal`, `${copy}-wal`)
    await alpha.revoke(AMBER)
    await quiet()
  }
  using store = openSqliteStore(copy)
  const restored = openReplica(people, 'alpha', { store, run: 2 })
  t.true(restored.isIn(AMBER), 'the copy is from before the revocation')
  connect(restored, beta)
  await quiet()
  t.false(restored.isIn(AMBER))
  // Its next change takes a place of its own.
  await restored.grant(AMBER)
  await quiet()
  t.true(beta.isIn(AMBER))
  t.deepEqual(restored.states(), beta.states())
  t.deepEqual(placesOf(beta.replica.whitelist.state(AMBER).grants), [`${restored.source}:1`])
})

test('a genuine change that a hostile peer brings first, behind a forgery, is taken from an honest one', async t => {
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta')
  await beta.grant(AMBER)
  await beta.revoke(AMBER)
  const source = attachEndpoint(beta.replica, alpha.source)
  await source.receive({ id: alpha.source, clock: {} })
  const certificates = source.sent.filter(
    frame => typeof frame === 'object' && frame !== null && 'certificate' in frame,
  )
  const [first, second] = source.sent.filter(frame => Array.isArray(frame)) as Update[]
  if (!first || !second) return t.fail()
  const forged: Update = [{ ...(second[0] as object), previous: 'A'.repeat(43) }, 7, beta.source]

  const mallory = testSource('mallory')
  const hostile = attachEndpoint(alpha.replica, mallory)
  const honest = attachEndpoint(alpha.replica, beta.source)
  const hostileSays = hostile.receive({ id: mallory, clock: {} }, ...certificates, forged, first)
  const honestSays = honest.receive({ id: beta.source, clock: {} }, ...certificates, first)
  await Promise.all([hostileSays, honestSays])
  await alpha.replica.settled()
  await honest.receive(second)
  await alpha.replica.settled()
  t.is(hostile.refusals.length, 1)
  t.deepEqual(honest.refusals, [])
  t.is(alpha.replica.whitelist.changes, 2)
})

test('listeners hear of each change once, after it is on disk', async t => {
  const { connect, quiet } = testNetwork()
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta', { store: disk.open() })
  const heard: number[] = []
  beta.replica.subscribe(applied => {
    for (const { entry } of applied) {
      heard.push(entry.change.sequence)
      t.true(disk.log.length >= entry.change.sequence)
    }
  })
  connect(alpha, beta)
  connect(alpha, beta)
  connect(beta, alpha)
  for (let count = 0; count < 5; count += 1) await alpha.revoke(client(`c-${count}`))
  await quiet()
  t.deepEqual(heard, [1, 2, 3, 4, 5])
})

test('the beginning of a log is not a whole list, after a start neither; once all has come it is', async t => {
  const { connect, quiet } = testNetwork()
  const alpha = openReplica(people, 'alpha')
  await alpha.grant(AMBER)
  await alpha.revoke(AMBER)
  let remembered: Extent = 'whole'
  const wholeness = {
    extent: () => remembered,
    noteExtent: (extent: Extent) => {
      remembered = extent
    },
  }
  const beta = openReplica(people, 'beta', { wholeness })
  t.true(beta.replica.wholeness.isWhole)
  // A peer that sends the first change and keeps the second to itself.
  const sender = attachEndpoint(alpha.replica, beta.replica.id)
  await sender.receive({ id: beta.replica.id, clock: {} })
  const half = sender.sent.filter(
    frame =>
      Array.isArray(frame) ||
      (typeof frame === 'object' && frame !== null && 'certificate' in frame),
  )
  const link = attachEndpoint(beta.replica, alpha.replica.id)
  await link.receive({ id: alpha.replica.id, clock: { [alpha.source]: 2 } }, ...half.slice(0, -1))
  await beta.replica.settled()
  t.true(beta.isIn(AMBER), 'half a list lets in who was removed')
  t.false(beta.replica.wholeness.isWhole)
  t.not<Extent, Extent>(remembered, 'whole')
  link.dispose()
  connect(alpha, beta)
  await quiet()
  t.false(beta.isIn(AMBER))
  t.true(beta.replica.wholeness.isWhole)
  t.is<Extent, Extent>(remembered, 'whole')
})

test('what stands once an author is removed is looked up in slices, and until then nobody is in', async t => {
  const { connect, quiet } = testNetwork()
  const slices: number[] = []
  const alpha = openReplica(people, 'alpha')
  alpha.replica.subscribeSettled(subjects => slices.push(subjects.length))
  const beta = openReplica(people, 'beta')
  const oscar = people.operator('oscar')
  const names = Array.from({ length: 250 }, (_, index) => client(`c-${index}`))
  for (const subject of names) {
    await alpha.grant(subject)
    const wider = { ...requestOf('grant', subject), operator: oscar.signer.identity.name }
    await alpha.request(wider, oscar)
  }
  await beta.revoke(parseSubject('operator/oscar'))
  const standing: number[] = []
  const count = (): number =>
    names.filter(name => alpha.replica.whitelist.state(name).grants.length > 0).length
  alpha.replica.subscribe(() => standing.push(count()))
  connect(alpha, beta)
  await quiet()
  t.deepEqual(standing, [0], 'the grants of the removed operator stand no longer at once')
  t.deepEqual(slices, [100, 100, 50])
  t.is(count(), 250, 'those that they had replaced stand again')
})

test('who asks for a change of a subject does not wait until all others were looked up', async t => {
  const { connect, quiet } = testNetwork()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta')
  const oscar = people.operator('oscar')
  await alpha.grant(AMBER)
  await alpha.request({ ...requestOf('grant', AMBER), operator: oscar.signer.identity.name }, oscar)
  await beta.revoke(parseSubject('operator/oscar'))
  const seen: number[] = []
  alpha.replica.subscribe(() => {
    t.false(alpha.isIn(AMBER))
    seen.push(alpha.replica.propose(requestOf('grant', AMBER)).seen.length)
    t.true(alpha.isIn(AMBER))
  })
  connect(alpha, beta)
  await quiet()
  t.deepEqual(seen, [1])
})
