import test from 'ava'
import { formatAddress } from '../../node/address.ts'
import type { RunningNode } from '../../node/start.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const config = { metrics: { listen: '127.0.0.1:0' } }

async function get(node: RunningNode, path: string): Promise<{ status: number; text: string }> {
  if (node.metrics === undefined) throw new Error('it serves no metrics')
  const response = await fetch(`http://${formatAddress(node.metrics)}${path}`)
  return { status: response.status, text: await response.text() }
}

test('a node tells how many clients are connected', async t => {
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1')
  await using _client = await cluster.client(1, 'c1')
  const { text } = await get(cluster.node(1), '/metrics')
  t.regex(text, /^fridge_connections\{role="client"\} 1$/m)
})
