import { join } from 'node:path'
import test from 'ava'
import { LogClient } from '../../../../node/client/operator/log-client.ts'
import { parseName } from '../../../../node/identity/names.ts'
import { FridgeError } from '../../../../node/lib/errors.ts'
import { systemClock } from '../../../../node/lib/clock.ts'
import { startNode } from '../../../../node/start.ts'
import { makeTestFolder } from '../../../support/certs.ts'
import { makeSharedCerts, startCluster, testConfig } from '../../../support/cluster.ts'
import { writeLog } from '../../../support/signed-log.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a flood of changes reaches a follower whole, in pieces that may wait for it', async t => {
  const data = await makeTestFolder(t)
  const names = Array.from({ length: 250 }, (_, index) => `+many-${index}`)
  await writeLog(join(data, 'node-1', 'whitelist.db'), certs, names)
  await using node = await startNode(
    testConfig('node-1', { certs: certs.dir, data: join(data, 'node-1') }),
  )
  const credentials = await certs.load('operator', 'admin')
  await using client = await LogClient.connect(
    [node.address],
    credentials,
    {},
    {
      clock: systemClock,
      signal: new AbortController().signal,
    },
  )
  const heard: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const ended = client.follow(new Map(), ({ place }) => {
    heard.push(place?.sequence ?? 0)
    if (heard.length === names.length) resolve()
  })
  await Promise.race([promise, ended])
  t.deepEqual(
    heard,
    names.map((_, index) => index + 1),
  )
  await client[Symbol.asyncDispose]()
  await t.throwsAsync(ended, { code: 'ERR_CLOSED' })
})

test('what one node says for good to whoever reads its log is asked of another', async t => {
  await using stolen = await startCluster(t, { certs })
  await using other = await startCluster(t, { certs })
  await certs.issue('operator', 'olga')
  const credentials = await certs.load('operator', parseName('olga'))
  const nodes = [stolen.node(1).address, other.node(1).address]
  const { signal } = new AbortController()
  await using client = await LogClient.connect(
    nodes,
    credentials,
    {},
    {
      clock: systemClock,
      signal,
    },
  )
  await stolen.revoke(1, 'operator/olga')
  const error = await t.throwsAsync(client.newest(1), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_CLOSED')
  t.regex(error.message, /operator\/olga has been removed from the whitelist; node-1 lets you in/)
  t.is(error.fix, `go on with --node ${other.address(1)}, and look into node-1`)
})
