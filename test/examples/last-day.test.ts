import test from 'ava'
import { until } from '../support/cluster.ts'
import { startSite } from './example.ts'

test('the last day is printed hour by hour, and the example ends by itself', async t => {
  const { cluster, run } = await startSite(t, '4.2')
  await using client = await cluster.client(1, 'fridge-client-001')
  const request = { sensor: 'temperature', table: 'readings', from: 0, to: 8e15, after: null }
  await until(async () => {
    const { rows } = (await client.call('history', [request])) as { rows: unknown[] }
    return rows.length > 0
  })
  const example = run('last-day')
  t.is(await example.exit, 0)
  t.is(example.err.text, '')
  t.regex(example.out.text, / 4\.2 4\.2 4\.2 ?$/m)
})
