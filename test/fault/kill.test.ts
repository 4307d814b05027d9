import test from 'ava'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { verifyDatabase } from '../../node/storage/verify.ts'
import { makeTestCerts } from '../support/certs.ts'
import { trustOf } from '../support/signed-log.ts'
import { KilledCluster } from './killed-cluster.ts'

/** `KILLS=400` kills more often, `SEED=n` at other moments. */
const KILLS = Number(process.env['KILLS'] ?? 3)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const NODES = 3

test('nodes that are killed at any moment lose no change that was acknowledged, and come back by themselves', async t => {
  t.timeout(60_000 + KILLS * 5_000)
  t.log(`SEED=${SEED}`)
  const names = Array.from({ length: NODES }, (_, index) => `node-${index + 1}`)
  const certs = await makeTestCerts(t, { nodes: names, operators: ['admin'] })
  const cluster = await KilledCluster.start(t, {
    certs,
    nodes: NODES,
    random: seededRandom(SEED),
  })
  await cluster.run(KILLS)
  await cluster.converge()
  await cluster.end()

  const everyone = names.map((_, index) => index + 1)
  const [first, ...others] = everyone.map(index => cluster.inspect(index, everyone))
  for (const other of others) t.deepEqual(other, first)
  for (const file of cluster.files) {
    const { findings } = await verifyDatabase(file, trustOf(certs))
    t.deepEqual(findings, [])
  }
  t.true(cluster.kills >= KILLS)
  t.true(cluster.acknowledged > KILLS)
  t.log(
    `${cluster.kills} kills, ${cluster.killedStarts} of starts, ${cluster.acknowledged} changes acknowledged, ${first?.length} stored`,
  )
})
