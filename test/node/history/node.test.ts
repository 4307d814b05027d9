import { existsSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { HOUR_MS, MINUTE_MS } from '../../../node/history/bucket.ts'
import {
  parseHistoryPage,
  type HistoryPage,
  type HistoryTable,
} from '../../../node/history/page.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { openNodeConnection, type NodeConnection } from '../../../node/client/node-connection.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeSharedCerts, startCluster, until } from '../../support/cluster.ts'
import { SkipClock } from '../../support/skip-clock.ts'

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

function pageOf(answer: unknown, table: HistoryTable): HistoryPage {
  const page = parseHistoryPage(answer, table)
  if (typeof page === 'string') throw new Error(page)
  return page
}

test('a client reads the history of the sensors of its grant, and no other, and no commands', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { certs: shared.certs, clock })
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  await using client = await cluster.client(1, 'c1')
  const now = clock.now()
  const ask = async (table: string, sensor = 'temperature'): Promise<unknown> =>
    client.call('history', [{ sensor, table, from: now - HOUR_MS, to: now + HOUR_MS, after: null }])
  await until(async () => pageOf(await ask('readings'), 'readings').rows.length > 0)
  t.is(pageOf(await ask('readings'), 'readings').kind, 'temperature')
  await t.throwsAsync(ask('readings', 'door'), {
    code: 'ERR_REFUSED',
    message: 'the grant does not allow door',
  })
  await t.throwsAsync(ask('commands'), { code: 'ERR_REFUSED' })
  await t.throwsAsync(ask('moments'), { message: /names none of minutes, hours/ })
})

test('the digest of an hour, which is over all sensors, is shown to nobody who may not read them all', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { certs: shared.certs, clock })
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  await cluster.grant(1, 'c2')
  await using some = await cluster.client(1, 'c1')
  await using all = await cluster.client(1, 'c2')
  const span = { from: 0, to: clock.now() + 24 * HOUR_MS }
  const request = { sensor: 'temperature', table: 'signed', ...span, after: null }
  const signedFor = async (client: NodeConnection): Promise<HistoryPage> =>
    pageOf(await client.call('history', [request]), 'signed')
  await until(async () => (await signedFor(all)).kind === 'temperature')
  // A clock that is set ends the hour.
  clock.jump(2 * HOUR_MS)
  await until(async () => (await signedFor(all)).rows.length === 1)
  t.deepEqual(await signedFor(some), { kind: 'temperature', rows: [], next: null })
})

test('who called which command, when, and what came of it, is kept on that node, refused calls too', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  await cluster.grant(1, 'c2', { commands: [] })
  await using first = await cluster.client(1, 'c1')
  await using second = await cluster.client(1, 'c2')
  await first.call('powerOff', [])
  await t.throwsAsync(second.call('setTargetTemperature', [-20]))
  const line = await cluster.log.find(({ text }) => text === 'command')
  t.deepEqual(line.fields, {
    subject: 'client/c1',
    command: 'powerOff',
    outcome: 'done: power is off',
  })

  await using admin = await openNodeConnection({
    address: cluster.node(1).address,
    credentials: await shared.certs.load('operator', parseName('admin')),
    clock: systemClock,
  })
  const now = Date.now()
  const commands = async (): Promise<readonly (readonly unknown[])[]> => {
    const span = { from: now - MINUTE_MS, to: now + MINUTE_MS }
    const request = { sensor: 'temperature', table: 'commands', ...span, after: null }
    return pageOf(await admin.call('history', [request]), 'commands').rows
  }
  await until(async () => (await commands()).length === 2)
  t.deepEqual(
    (await commands()).map(([, , ...call]) => call),
    [
      ['client/c1', 'powerOff', 'done: power is off'],
      [
        'client/c2',
        'setTargetTemperature -20',
        'not done: the grant does not allow setTargetTemperature',
      ],
    ],
  )
})

test('a node whose history cannot be written serves all the same', async t => {
  await using cluster = await startCluster(t, {
    certs: shared.certs,
    config: { history: { minFreeBytes: Number.MAX_SAFE_INTEGER } },
  })
  const line = await cluster.log.find(({ level }) => level === 'error')
  t.is(line.text, 'history is not recorded')
  await cluster.grant(1, 'c1')
  const { promise: event, resolve } = Promise.withResolvers<string>()
  await using _client = await cluster.client(1, 'c1', { onEvent: ({ name }) => resolve(name) })
  t.truthy(await event)
})

/** What may have become of the file of a history between two runs, and what is said of it. */
const MISHAPS = [
  {
    what: 'is damaged',
    spoil: (file: string) => writeFileSync(file, 'x'.repeat(16_384)),
    said: /the history .*history\.db is damaged/,
    isRecorded: true,
  },
  {
    what: 'is cut off',
    spoil: (file: string) => truncateSync(file, 8_192),
    said: /the history .*history\.db is damaged/,
    isRecorded: true,
  },
  {
    what: 'is of a newer version',
    spoil: (file: string) => {
      const database = new DatabaseSync(file)
      database.exec('PRAGMA user_version = 99')
      database.close()
    },
    said: /is of version 99, this fridge reads version 1/,
    isRecorded: false,
  },
]

for (const { what, spoil, said, isRecorded } of MISHAPS) {
  test(`a history that ${what} is told plainly, and costs neither the list nor its clients anything`, async t => {
    await using cluster = await startCluster(t, { certs: shared.certs })
    await cluster.grant(1, 'c1')
    const { data } = cluster.config(1)
    await cluster.stop(1)
    const list = join(data, 'whitelist.db')
    const inode = statSync(list).ino
    for (const ending of ['-wal', '-shm'])
      rmSync(join(data, `history.db${ending}`), { force: true })
    spoil(join(data, 'history.db'))
    const from = cluster.log.lines.length
    await cluster.start(1)
    const line = await cluster.log.find(({ level }) => level === 'error', from)
    t.is(line.text, 'history is not recorded')
    t.regex(String(line.fields['reason']), said)
    t.truthy(line.fields['fix'])
    const { promise: event, resolve } = Promise.withResolvers<string>()
    await using client = await cluster.client(1, 'c1', { onEvent: ({ name }) => resolve(name) })
    t.truthy(await event)
    t.is(statSync(list).ino, inode)
    await cluster.grant(1, 'c2')
    const request = { sensor: 'temperature', table: 'readings', from: 0, to: 8e15, after: null }
    const rows = async () => pageOf(await client.call('history', [request]), 'readings').rows.length
    if (!isRecorded) return void (await t.throwsAsync(rows(), { message: said }))
    await cluster.log.find(({ text }) => text === 'history is recorded again', from)
    await until(async () => (await rows()) > 0)
    t.true(existsSync(join(data, 'history.db.damaged')))
  })
}
