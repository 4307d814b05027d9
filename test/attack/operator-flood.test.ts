import { createPrivateKey } from 'node:crypto'
import test from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { signText } from '../../node/identity/signature.ts'
import { makeTestCerts } from '../support/certs.ts'
import { recordIo } from '../support/cli.ts'
import { startCluster, until, type Cluster } from '../support/cluster.ts'

/** An operator whose key was stolen, and who is not removed yet. */

const PEOPLE = { nodes: ['node-1'], clients: ['c1'], operators: ['admin', 'thief'] }

/** Let in made-up names without end, on eight lanes at once, until it is removed. */
async function flood(cluster: Cluster, dir: string, signal: AbortSignal): Promise<void> {
  const options = { certs: dir, as: 'thief', node: [cluster.address(1)] }
  await using operator = await connectOperator(options, recordIo().io)
  const change = async (lane: number): Promise<void> => {
    for (let index = 0; !signal.aborted; index += 1) {
      const subject = parseSubject(`made-up-${lane}-${index}`)
      await operator.change({ kind: 'grant', subject, terms: {} }, { waitMs: 0 })
    }
  }
  await Promise.allSettled(Array.from({ length: 8 }, async (_, lane) => change(lane)))
}

test('a flood of changes by one operator does not keep another from removing it at the first try', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  await using cluster = await startCluster(t, {
    certs,
    config: { limits: { maxFramesPerSecond: 10_000 } },
  })
  const stop = new AbortController()
  const floods = [1, 2].map(async () => flood(cluster, certs.dir, stop.signal))
  await using witness = await cluster.operator(1)
  await until(async () => (await witness.status()).changes >= 20)
  const credentials = await certs.load('operator', 'admin')
  await using connection = await openNodeConnection({
    address: cluster.node(1).address,
    credentials,
    clock: systemClock,
  })
  const wish = { kind: 'revocation', subject: 'operator/thief', wish: 'A'.repeat(22) }
  const text = String(await connection.call('propose', [wish]))
  // Meanwhile the flood has all the time that it needs to take the place.
  for (let times = 0; times < 20; times += 1) await witness.status()
  const signature = signText(createPrivateKey(credentials.key), 'change', text)
  const report = (await connection.call('commit', [text, signature, 0])) as { outcome: string }
  t.is(report.outcome, 'committed')
  stop.abort()
  await Promise.all(floods)
})
