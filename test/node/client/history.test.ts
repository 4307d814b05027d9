import test from 'ava'
import { readHistory } from '../../../node/client/history.ts'
import { startCluster, makeSharedCerts, until } from '../../support/cluster.ts'
import { connect } from '../../../node/client/connect.ts'

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

const READING = { sensor: 'temperature', table: 'readings', from: 1 } as const

test('rows are asked for page by page, as far as they are taken', async t => {
  const asked: object[] = []
  const ask = async (request: object): Promise<unknown> => {
    asked.push(request)
    return { kind: 'temperature', rows: [[asked.length, 5, 4.5]], next: asked.length }
  }
  for await (const { number, value } of readHistory(ask, { ...READING, from: new Date(1) }, 9)) {
    t.is(value, 4.5)
    if (number === 3) break
  }
  const request = { ...READING, to: 9 }
  t.deepEqual(asked, [
    { ...request, after: null },
    { ...request, after: 1 },
    { ...request, after: 2 },
  ])
})

test('a page that a node has made up is refused', async t => {
  for (const rows of [[['x', 5, 4.5]], [[1, 5]], 7]) {
    const ask = async (): Promise<unknown> => ({ kind: 'temperature', rows, next: null })
    await t.throwsAsync(Array.fromAsync(readHistory(ask, READING, 9)), { code: 'ERR_PROTOCOL' })
  }
})

test('a client reads what its node has recorded, up to now', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  const { dir: certs } = shared.certs
  await using fridge = await connect({ nodes: [cluster.address(1)], certs, as: 'c1' })
  const from = Date.now() - 3_600_000
  const read = async () => Array.fromAsync(fridge.history({ ...READING, from }))
  await until(async () => (await read()).length > 0)
  const hours = await Array.fromAsync(fridge.history({ ...READING, table: 'hours', from }))
  t.true(hours.some(({ count, low }) => count > 0 && low !== undefined))
  const events = await Array.fromAsync(fridge.history({ sensor: 'door', table: 'events', from }))
  t.is(events[0]?.type, 'started')
  await t.throwsAsync(Array.fromAsync(fridge.history({ ...READING, sensor: 'cellar', from })), {
    code: 'ERR_COMMAND',
    message: /no history of cellar/,
  })
})
