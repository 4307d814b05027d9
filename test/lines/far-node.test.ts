import test from 'ava'
import { LinedCluster, SHARED_HOST } from './lined-cluster.ts'

test('a node 300 ms away is reached by a name that stands for a dead address as well', async t => {
  t.timeout(120_000)
  const cluster = await LinedCluster.start(t, { size: 2, seed: 1 })
  await cluster.untilInReach(cluster.all, cluster.all)
  await cluster.line(1, 2, { delayMs: 150 })
  for (const addresses of [
    ['10.0.0.99', '10.0.0.2'],
    ['10.0.0.2', '10.0.0.99'],
  ]) {
    const args = ['whitelist', 'list', '--node', `${SHARED_HOST}:7443`]
    t.is(await cluster.run(1, args, addresses), 0, addresses.join())
  }
})
