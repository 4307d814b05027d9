import test from 'ava'
import { openNodeConnection } from '../../../../node/client/node-connection.ts'
import { holesIn, LogChecker, readPage } from '../../../../node/client/operator/log-entry.ts'
import { systemClock } from '../../../../node/lib/clock.ts'
import type { ShownChange, ChangePage } from '../../../../node/operators/changes.ts'
import { makeTestCerts } from '../../../support/certs.ts'
import { makeSharedCerts, PEOPLE, startCluster, type Cluster } from '../../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** A page of the log as a node sends it, newest first. */
async function pageOf(cluster: Cluster): Promise<ChangePage> {
  await using connection = await openNodeConnection({
    address: cluster.node(1).address,
    credentials: await certs.load('operator', 'admin'),
    clock: systemClock,
  })
  return readPage(await connection.call('log', [{}, null]), 'node-1')
}

test('what a stolen node alters, invents or leaves out is seen by whoever asks', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c1')
  await cluster.grant(1, 'c2')
  const page = await pageOf(cluster)
  const [newest, middle, oldest] = page.entries
  if (newest === undefined || middle === undefined || oldest === undefined) return t.fail()
  const checker = new LogChecker(await certs.load('operator', 'admin'))
  const problemOf = async (change: Partial<ShownChange>): Promise<string | undefined> => {
    const entries = [{ ...newest, ...change }]
    const [checked] = await checker.check({ ...page, entries })
    return checked?.problem
  }
  t.is(await problemOf({}), undefined)
  t.regex((await problemOf({ text: newest.text.replace('c2', 'c9') })) ?? '', /by its operator/)
  const unlinked = newest.text.replace(/"previous":"[^"]*"/, `"previous":"${'A'.repeat(43)}"`)
  t.regex((await problemOf({ text: unlinked })) ?? '', /by its operator/)
  t.regex((await problemOf({ text: `${newest.text} ` })) ?? '', /not canonical/)
  t.regex((await problemOf({ text: 'nonsense' })) ?? '', /not JSON/)
  const { operatorSignature, nodeSignature } = middle
  t.regex((await problemOf({ operatorSignature })) ?? '', /by its operator/)
  t.regex((await problemOf({ nodeSignature })) ?? '', /by its node/)
  t.regex((await problemOf({ nodeSignature: '' })) ?? '', /not signed/)
  t.regex((await problemOf({ operatorCertificate: newest.nodeCertificate })) ?? '', /signs for/)
  t.regex((await problemOf({ operatorCertificate: '0'.repeat(64) })) ?? '', /was not sent/)
  // Another authority's operator of the same name.
  const foreign = await makeTestCerts(t, PEOPLE)
  const stranger = new LogChecker(await foreign.load('operator', 'admin'))
  for (const { problem } of await stranger.check(page)) {
    t.regex(problem ?? '', /is not trusted: it was signed by another authority/)
  }
  const checked = await checker.check(page)
  t.deepEqual(holesIn(checked), [])
  const [, , last] = checked
  const { source } = last?.place ?? {}
  t.deepEqual(holesIn(checked.slice(0, 1)), [`changes 1 to 2 of ${source} were left out`])
  t.deepEqual(holesIn(checked.slice(0, 2)), [`change 1 of ${source} was left out`])
  t.deepEqual(holesIn(checked.filter(({ place }) => place?.sequence !== 2)), [
    `change 2 of ${source} was left out`,
  ])
  const relinked = middle.text.replace(/"previous":"[^"]*"/, `"previous":"${'A'.repeat(43)}"`)
  const other = await checker.check({
    ...page,
    entries: [newest, { ...middle, text: relinked }, oldest],
  })
  t.is(holesIn(other).length, 2)
})

test('a page that cannot be read is an error of the node', t => {
  for (const value of [
    null,
    [],
    {},
    { entries: [], certificates: null },
    { entries: [{}], certificates: {} },
  ]) {
    t.throws(() => readPage(value, 'node-1'), { code: 'ERR_PROTOCOL' })
  }
  t.deepEqual(readPage({ entries: [], certificates: {} }, 'node-1').entries, [])
})
