import test, { type ExecutionContext } from 'ava'
import { errorCode } from '../../node/lib/errors.ts'
import { parseName, parseSubject, sourceOf } from '../../node/identity/names.ts'
import type { Change } from '../../node/whitelist/change.ts'
import { signText } from '../../node/identity/signature.ts'
import { asUpdate } from '../../node/gossip/update.ts'
import {
  FAST,
  makeSharedCerts,
  startCluster,
  until,
  untilReachable,
  type Cluster,
} from '../support/cluster.ts'
import { signedText } from '../../node/gossip/member-part.ts'
import { GossipCluster } from '../support/gossip-cluster.ts'
import {
  certificateOf,
  connectHostile,
  personOf,
  signEntry,
  type HostileNode,
} from '../support/hostile-node.ts'
import { grantAt, revocationAt, testSource } from '../support/replica-changes.ts'
import { makePeople } from '../support/replica-people.ts'

/** A stolen node in a cluster, and what the cluster does about it. */

const shared = await makeSharedCerts({
  nodes: ['node-1', 'node-2', 'mallory'],
  clients: ['c1', 'c2'],
  operators: ['admin', 'eve'],
})
const { certs } = shared
const stolen = await certs.load('node', 'mallory')
const mallory = personOf(stolen)
const admin = personOf(await certs.load('operator', 'admin'))
test.after.always(() => shared.remove())

const EVIL = testSource('mallory')
const keys = { operator: admin, node: mallory }
const shown = [mallory.signer, admin.signer].map(certificateOf)

async function listOn(cluster: Cluster, index: number): Promise<string> {
  await using operator = await cluster.operator(index)
  const reports = await Array.fromAsync(operator.subjects())
  const { changes } = await operator.status()
  return JSON.stringify([reports.map(report => ({ ...report, sessions: undefined })), changes])
}

function byAdmin(change: Change): Change {
  return { ...change, operator: parseName('admin'), at: Date.now() }
}

async function attack(
  t: ExecutionContext,
  cluster: Cluster,
  index: number,
  source = EVIL,
): Promise<HostileNode> {
  return connectHostile(t, cluster.node(index).address, stolen, { source })
}

test('a node that signs two changes at one place is cut everywhere, and not let back in another run', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using witness = await cluster.client(2, 'c1')
  const links = await Promise.all([1, 2].map(async index => attack(t, cluster, index)))
  const both = [
    grantAt(EVIL, 1, { subject: parseSubject('c2') }),
    revocationAt(EVIL, 1, parseSubject('c2')),
  ].map(change => signEntry(byAdmin(change), '', keys))
  for (const [index, link] of links.entries()) {
    const entry = both[index]
    if (entry !== undefined) link.tell('whitelist', ...shown, asUpdate(entry))
  }
  await Promise.all(links.map(async ({ closed }) => closed))
  for (const node of ['node-1', 'node-2']) {
    await cluster.log.find(
      line => line.node === node && line.level === 'error' && line.fields['liar'] === 'mallory',
    )
  }
  await until(async () => (await listOn(cluster, 1)) === (await listOn(cluster, 2)))
  t.is(errorCode(await t.throwsAsync(cluster.client(1, 'c2'))), 'ERR_REVOKED')
  for (const index of [1, 2])
    await t.throwsAsync(attack(t, cluster, index, testSource('mallory', 2)))
  await cluster.log.find(
    ({ text, fields }) => /may not gossip/.test(text) && fields['subject'] === 'node/mallory',
  )
  await cluster.revoke(2, 'c1')
  t.is((await witness.ended).code, 'ERR_REVOKED')
  t.is(await listOn(cluster, 1), await listOn(cluster, 2))
})

test('a node that was revoked is cut, and let back in no run', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const link = await attack(t, cluster, 1)
  await cluster.revoke(2, 'node/mallory')
  await link.closed
  t.regex(link.lines.text, /revoked/)
  for (const index of [1, 2]) {
    for (const source of [EVIL, testSource('mallory', 2)]) {
      await t.throwsAsync(attack(t, cluster, index, source))
    }
  }
  const refused = cluster.log.lines.filter(({ text }) => text === 'a node that may not gossip')
  t.is(refused.length, 4)
})

test('whom a revoked operator let in out of sight is cut, and whom it removed stays out', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c2')
  const { listen } = cluster.config(1)
  await cluster.stop(2)
  await cluster.revoke(1, 'operator/eve')
  await cluster.stop(1)
  // It remembers the other one, which is not there: that is not to be waited for.
  await cluster.start(2, { peers: [], gossip: { ...FAST, firstSyncMs: 100 } })
  await using eve = await cluster.operator(2, 'eve')
  const subject = parseSubject('c1')
  await eve.change({ kind: 'grant', subject, terms: {} }, { waitMs: 0 })
  await eve.change({ kind: 'revocation', subject: parseSubject('c2') }, { waitMs: 0 })
  await using intruder = await cluster.client(2, 'c1')
  t.is(errorCode(await t.throwsAsync(cluster.client(2, 'c2'))), 'ERR_REVOKED')
  await cluster.start(1, { listen: `${listen.host}:${listen.port}` })
  t.is((await intruder.ended).code, 'ERR_NOT_LISTED')
  t.is(errorCode(await t.throwsAsync(eve.status())), 'ERR_REVOKED')
  await untilReachable(cluster, 1, 2)
  for (const index of [1, 2]) {
    t.is(errorCode(await t.throwsAsync(cluster.client(index, 'c1'))), 'ERR_NOT_LISTED')
    // No removal is taken away with its author.
    t.is(errorCode(await t.throwsAsync(cluster.client(index, 'c2'))), 'ERR_REVOKED')
  }
  t.is(await listOn(cluster, 1), await listOn(cluster, 2))
  await cluster.grant(1, 'c2')
  await using back = await cluster.client(1, 'c2')
  t.is(back.sensors.length, 2)
  t.is(errorCode(await t.throwsAsync(cluster.operator(2, 'eve'))), 'ERR_REVOKED')
})

test('what is known is not taken again: an old grant lets nobody in, an old revocation shuts nobody out', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c1')
  await cluster.revoke(2, 'c2')
  await cluster.grant(2, 'c2')
  const before = await listOn(cluster, 1)
  const link = await attack(t, cluster, 1)
  const updates = link.heard('whitelist').filter(frame => Array.isArray(frame))
  t.is(updates.length, 4)
  const from = link.lines.all.length
  link.tell('whitelist', ...updates, ...updates.toReversed(), ...updates)
  await link.lines.find(/\\"beat\\"/, from)
  t.false(link.socket.destroyed)
  for (const index of [1, 2]) {
    t.is(await listOn(cluster, index), before)
    t.is(errorCode(await t.throwsAsync(cluster.client(index, 'c1'))), 'ERR_REVOKED')
    await using _in = await cluster.client(index, 'c2')
  }
})

test('a digest of 20,000 sources at the end of all numbers hides no change from anybody', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const clock = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, index) => [
      sourceOf(parseName('x'), index.toString(16).padStart(16, '0')),
      Number.MAX_SAFE_INTEGER,
    ]),
  )
  const link = await connectHostile(t, cluster.node(1).address, stolen, { source: EVIL, clock })
  const heads = Object.fromEntries(Object.keys(clock).map(source => [source, [1, 'x']]))
  link.tell('whitelist', { heads })
  await cluster.grant(1, 'c1')
  await cluster.revoke(2, 'c1')
  t.is(await listOn(cluster, 1), await listOn(cluster, 2))
  t.false(link.socket.destroyed)
})

test('a digest of a million sources, and clocks that are no numbers, cost the link', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  const million = `{"id":"${EVIL}","clock":{${`"x#0000000000000001":1,`.repeat(1_000_000)}"x":1}}`
  const digest = (clock: string): string => `{"id":"${EVIL}","clock":{"${EVIL}":${clock}}}`
  for (const line of [million, ...['0', '1e308', '1e999', '-1', '"1"'].map(digest)]) {
    const link = await attack(t, cluster, 1)
    link.say('whitelist', line)
    await link.closed
  }
  const cuts = cluster.log.lines.filter(({ text }) => text.startsWith('link cut'))
  t.is(cuts.length, 6)
  t.regex(String(cuts[0]?.fields['detail']), /a line is longer than/)
  await cluster.grant(1, 'c1')
  await using client = await cluster.client(1, 'c1')
  t.is(client.sensors.length, 2)
})

test('of a node that says to have been started 300 times eight runs are kept, and of all others all', async t => {
  const made = await makePeople({ nodes: ['alpha', 'beta', 'mallory'] })
  const gossip = new GossipCluster(t, made)
  gossip.start('alpha')
  gossip.start('beta', { seeds: ['alpha:1'] })
  await gossip.until('they are linked', () => gossip.node('beta').linked().length === 1)
  const { members } = gossip.node('alpha')
  const { signer, key } = made.node('mallory')
  const link = members.attach(
    {
      send: () => {},
      drained: async () => {},
      refuse: reason => t.fail(reason),
      leave: text => t.fail(text),
      onSynced: () => {},
    },
    () => true,
  )
  link.receive({ id: EVIL, clock: {} })
  link.receive(certificateOf(signer))
  for (let run = 1; run <= 300; run += 1) {
    const source = testSource('mallory', run)
    const member = JSON.stringify({
      addresses: Array.from({ length: 8 }, (_, index) => `10.0.${run % 250}.${index + 1}:${run}`),
      version: '0.0.0',
      startedAt: run,
    })
    const signature = signText(key, 'member', signedText(source, 1, member))
    const certificate = signer.identity.fingerprint
    link.receive([{ member, certificate, signature }, 1, source])
  }
  await members.settled()
  const kept = [...members.list()].map(({ name }) => String(name)).sort()
  t.deepEqual(kept, ['alpha', 'beta', ...Array.from({ length: 8 }, () => 'mallory')])
  t.is(members.live().size, 2)
})

test('a node that says to be where a seed is does not keep others from dialing it', async t => {
  const made = await makePeople({ nodes: ['alpha', 'beta', 'mallory'] })
  const gossip = new GossipCluster(t, made)
  gossip.start('alpha', { seeds: ['beta:1'] })
  const { members } = gossip.start('mallory', { seeds: ['alpha:1'] })
  members.advertise(['mallory:1', 'beta:1'])
  await gossip.until('mallory is linked', () => gossip.node('alpha').linked().length === 1)
  await gossip.pass(1_000)
  // It knows nobody: who wants to reach it must dial it.
  gossip.start('beta')
  await gossip.until('alpha has found it', () => gossip.node('alpha').linked().includes('beta'))
  t.pass()
})
