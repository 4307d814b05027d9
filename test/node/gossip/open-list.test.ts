import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import {
  makeSharedCerts,
  startCluster,
  untilReachable,
  type Cluster,
} from '../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** The sources of `node-2` in the log of a node. */
function sourcesOn(cluster: Cluster, index: number): string[] {
  const file = join(cluster.config(index).data, 'whitelist.db')
  using database = new DatabaseSync(file, { readOnly: true })
  return database
    .prepare("SELECT DISTINCT source FROM changes WHERE source LIKE 'node-2#%' ORDER BY position")
    .all()
    .map(({ source }) => String(source))
}

test('a node that starts again goes on in its source; a copy of its database put in its place does not', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const file = join(cluster.config(2).data, 'whitelist.db')
  for (const client of ['c1', 'c2', 'c3']) {
    await cluster.grant(2, client)
    await cluster.stop(2)
    if (client === 'c1') copyFileSync(file, `${file}.copy`)
    await cluster.start(2)
    await untilReachable(cluster, 2, 2)
  }
  t.is(sourcesOn(cluster, 1).length, 1)
  await cluster.stop(2)
  // In place: even the inode stays.
  copyFileSync(`${file}.copy`, file)
  await cluster.start(2)
  await untilReachable(cluster, 2, 2)
  await cluster.grant(2, 'c4')
  t.is(sourcesOn(cluster, 1).length, 2)
  t.false(
    cluster.log.lines.some(({ text }) => /broke the protocol|two different changes/.test(text)),
  )
})
