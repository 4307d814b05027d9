import { EventEmitter, once } from 'node:events'
import test from 'ava'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { asUpdate } from '../../node/gossip/update.ts'
import { makeSharedCerts, startCluster, until } from '../support/cluster.ts'
import { certificateOf, connectHostile, personOf, signChain } from '../support/hostile-node.ts'
import { hangReads } from '../support/hung-reads.ts'
import { PlayedWorker } from '../support/played-worker.ts'
import { connectRaw } from '../support/raw-peer.ts'
import { grantAt, testSource } from '../support/replica-changes.ts'
import { ask, METRICS_ON } from '../support/scrape.ts'
import { SkipClock } from '../support/skip-clock.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

test.serial(
  'while reads of files hang, a removal arrives and cuts, and who was removed stays out',
  async t => {
    await using cluster = await startCluster(t, { nodes: 2, certs })
    await cluster.grant(1, 'c1')
    const connected = await connectRaw(t, cluster.node(2).address, c1)
    await connected.lines.find(/reading/)
    await using operator = await cluster.operator(1)

    await hangReads(t)
    const { confirmed } = await operator.change(
      { kind: 'revocation', subject: parseSubject('c1') },
      { waitMs: 20_000 },
    )
    t.deepEqual(confirmed.map(({ node }) => String(node)).sort(), ['node-1', 'node-2'])
    await connected.closed
    const again = await connectRaw(t, cluster.node(2).address, c1, { alpn: true })
    await again.lines.find(/\\"bye\\".*\\"revoked\\"/)
  },
)

test('while signatures are not being checked a node is not ready and lets no further client in', async t => {
  const clock = new SkipClock()
  const played = new EventEmitter()
  const workers: PlayedWorker[] = []
  let isHung = true
  const startWorker = (): PlayedWorker => {
    const worker = new PlayedWorker()
    workers.push(worker)
    return worker.on('sent', () => {
      if (isHung) played.emit('hung')
      else worker.answer()
    })
  }
  await using cluster = await startCluster(t, {
    certs,
    clock,
    config: METRICS_ON,
    startWorker,
  })
  await cluster.grant(1, 'c1')
  const node = cluster.node(1)
  const connected = await connectRaw(t, node.address, c1)
  await connected.lines.find(/reading/)

  // More at once than the main thread checks itself.
  const source = testSource('node-3')
  const operator = personOf(await certs.load('operator', 'admin'))
  const thief = personOf(await certs.load('node', 'node-3'))
  const changes = Array.from({ length: 40 }, (_, index) => ({
    ...grantAt(source, index + 1, { subject: parseSubject(`x${index}`) }),
    operator: parseName('admin'),
    at: Date.now(),
  }))
  const link = await connectHostile(t, node.address, await certs.load('node', 'node-3'), { source })
  const asked = once(played, 'hung')
  link.tell(
    'whitelist',
    ...[operator, thief].map(({ signer }) => certificateOf(signer)),
    ...signChain(changes, { operator, node: thief }).map(asUpdate),
  )
  await asked
  const readiness = async () => ask(node, '/readyz')
  t.is((await readiness()).status, 200)
  await until(async () => {
    clock.skip(1_000)
    return (await readiness()).status === 503
  })
  t.is((await readiness()).text, 'signatures are not being checked\n')
  const refused = await connectRaw(t, node.address, c1, { alpn: true })
  await refused.lines.find(/\\"bye\\".*\\"not ready\\"/)
  const said = connected.lines.all.length
  await connected.lines.find(/reading/, said)
  // An operator can still see what is wrong.
  await using admin = await cluster.operator(1)
  const { changes: before } = await admin.status()
  t.true(before < changes.length)

  isHung = false
  for (const worker of workers) while (worker.answer());
  await until(async () => (await readiness()).status === 200)
  const admitted = await connectRaw(t, node.address, c1)
  await admitted.lines.find(/reading/)
  await until(async () => (await admin.status()).changes === changes.length + 1)
})
