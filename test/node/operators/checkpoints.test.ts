import test from 'ava'
import { openNodeConnection } from '../../../node/client/node-connection.ts'
import { parseName } from '../../../node/identity/names.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { StateRoot } from '../../../node/whitelist/state-root.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a node says what the list was at heads that it holds, and of others that it does not know', async t => {
  await using cluster = await startCluster(t, { certs })
  await using admin = await openNodeConnection({
    address: cluster.node(1).address,
    credentials: await certs.load('operator', parseName('admin')),
    clock: systemClock,
  })
  const stateAt = async (heads: unknown): Promise<unknown> => admin.call('stateAt', [heads])
  const empty = { state: new StateRoot().root(), subjects: 0 }
  t.deepEqual(await stateAt({}), empty)
  await cluster.grant(1, 'c1')
  // What came since changes nothing of what was.
  t.deepEqual(await stateAt({}), empty)
  t.is(await stateAt({ 'node-1#0123456789abcdef': [1, 'A'.repeat(43)] }), null)
  for (const heads of [
    undefined,
    null,
    [],
    { 'node-1': 1 },
    { 'node-1#0123456789abcdef': [0, ''] },
  ]) {
    await t.throwsAsync(stateAt(heads), { message: /stateAt/ })
  }
})
