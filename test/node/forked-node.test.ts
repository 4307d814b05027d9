import test from 'ava'
import { asUpdate } from '../../node/gossip/update.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { runCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'
import { certificateOf, connectHostile, personOf, signEntry } from '../support/hostile-node.ts'
import { grantAt, revocationAt, testSource } from '../support/replica-changes.ts'
import { ask, METRICS_ON } from '../support/scrape.ts'

/** A node whose key has signed two changes at one place serves nobody, whenever it learns of that. */

const shared = await makeSharedCerts()
const { certs } = shared
const relay = await certs.load('node', parseName('node-3'))
const keys = {
  operator: personOf(await certs.load('operator', parseName('admin'))),
  node: personOf(await certs.load('node', parseName('node-2'))),
}
test.after.always(() => shared.remove())

/** Show node-1 two changes at one place of node-2, of a thief who has its key and an operator's. */
async function fork(t: Parameters<typeof connectHostile>[0], cluster: Cluster): Promise<void> {
  const source = testSource('node-2')
  const signed = [
    grantAt(source, 1, { subject: parseSubject('c2') }),
    revocationAt(source, 1, parseSubject('c2')),
  ].map(change => signEntry({ ...change, operator: parseName('admin'), at: Date.now() }, '', keys))
  const link = await connectHostile(t, cluster.node(1).address, relay, {
    source: testSource('node-3'),
  })
  const certificates = [keys.node, keys.operator].map(({ signer }) => certificateOf(signer))
  link.tell('whitelist', ...certificates, ...signed.map(entry => asUpdate(entry)))
  await cluster.log.find(({ node, fields }) => node === 'node-1' && fields['liar'] === 'node-2')
}

/** Resolves when node-2 says what it has heard of itself. */
async function saysForked(cluster: Cluster): Promise<void> {
  await cluster.log.find(
    ({ node, level, text }) =>
      node === 'node-2' && level === 'error' && text.startsWith('two changes at one place'),
  )
}

test('a node that has forked is shown the two changes at the door, and ends serving', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(2)
  await fork(t, cluster)
  await cluster.start(2, METRICS_ON)
  await saysForked(cluster)
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_ISOLATED' })
  const { status, text } = await ask(cluster.node(2), '/readyz')
  t.is(status, 503)
  t.regex(text, /two changes at one place/)
  await using operator = await cluster.operator(2)
  t.true((await operator.status()).forked)
  const granting = { kind: 'grant', subject: 'client/c2', terms: {} } as never
  await t.throwsAsync(operator.change(granting, { waitMs: 1 }), { code: 'ERR_REVOKED' })
  const env = { FRIDGE_CERTS: certs.dir }
  const shown = await runCommand(['status', '--node', cluster.address(2)], { env })
  t.is(shown.status, 1)
  t.regex(shown.out, /^node-2 has signed two changes at one place/m)
  const told = await runCommand(['doctor', '--node', cluster.address(2)], { env })
  t.regex(told.out, /WRONG {2}cluster: node-2 has signed two .*\n.*fridge certs issue node NAME/)
  await using elsewhere = await cluster.client(1, 'c1')
  t.is(String(elsewhere.node), 'node-1')
})

test('a node that was shown once that it has forked knows it without any peer', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(2)
  await fork(t, cluster)
  await cluster.start(2)
  await saysForked(cluster)
  await cluster.stop(2)
  const { certs: dir, data } = cluster.config(2)
  const own = await runCommand(['doctor', '--name', 'node-2', '--data', data, '--certs', dir])
  t.regex(own.out, /WRONG {2}cluster: node-2 has signed two changes at one place/)
  await cluster.stop(1)
  await cluster.start(2, { peers: [] })
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_ISOLATED' })
})

test('a node that forks while it is on cuts its clients', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const client = await cluster.client(2, 'c1')
  await fork(t, cluster)
  t.regex((await client.ended).message, /removed from the cluster: connect to another/)
})
