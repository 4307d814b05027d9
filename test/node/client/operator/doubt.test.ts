import test from 'ava'
import { connectOther } from '../../../../node/client/operator/doubt.ts'
import { systemClock } from '../../../../node/lib/clock.ts'
import { openNodeConnection } from '../../../../node/client/node-connection.ts'
import { makeSharedCerts, startCluster } from '../../../support/cluster.ts'

// What is made of a last word is checked in operator-connection.test.ts and log-client.test.ts.

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('attack: another address of the node that is asked is no second node', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const credentials = await certs.load('operator', 'admin')
  const options = { credentials, clock: systemClock }
  const { address } = cluster.node(1)
  await using connection = await openNodeConnection({ ...options, address })
  const twice = [address, { ...address, host: 'localhost' }]
  t.is(await connectOther(connection, twice, options), undefined)
  const other = await connectOther(connection, [...twice, cluster.node(2).address], options)
  t.is(other?.address, cluster.address(2))
  await other?.[Symbol.asyncDispose]()
})
