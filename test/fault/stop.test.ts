import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { readAddress } from '../../node/lib/address.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { recordIo, spawnCli } from '../support/cli.ts'

const READY = /^fridge node \S+ ready on (\S+)$/

test('a process that was stopped for too long serves nobody by its old list when it goes on', async t => {
  t.timeout(60_000)
  const people = { nodes: ['node-1', 'node-2'], operators: ['admin'], clients: ['c1'] }
  const certs = await makeTestCerts(t, people)
  const folder = await makeTestFolder(t)
  const config = join(folder, 'node.json')
  const gossip = { heartbeatMs: 100, deadAfterMs: 3_000, redialMinMs: 10, redialMaxMs: 100 }
  await writeFile(
    config,
    JSON.stringify({
      name: 'any',
      listen: '127.0.0.1:0',
      certs: certs.dir,
      gossip,
      isolatedAfterMs: 3_000,
      whenIsolated: 'refuse',
    }),
  )
  const start = async (name: string, ...more: string[]) => {
    const data = join(folder, name)
    const node = spawnCli(t, [
      'node',
      'start',
      '--config',
      config,
      '--name',
      name,
      '--data',
      data,
      ...more,
    ])
    const address = READY.exec(await node.out.find(READY))?.[1] ?? ''
    return { ...node, address }
  }
  const one = await start('node-1')
  const other = await start('node-2', '--peer', one.address)
  await one.err.find(/"linked"/)
  const io = recordIo().io
  const granting = { kind: 'grant', subject: parseSubject('c1'), terms: {} } as const
  {
    await using operator = await connectOperator(
      { certs: certs.dir, as: 'admin', node: [one.address] },
      io,
    )
    const { silent } = await operator.change(granting, { waitMs: 20_000 })
    t.deepEqual(silent, [])
  }
  const address = readAddress(other.address)
  if (address === undefined) throw new Error(`${other.address} is no address`)
  const credentials = await certs.load('client', parseName('c1'))
  const connect = async () => openNodeConnection({ address, credentials, clock: systemClock })
  await using client = await connect()

  other.child.kill('SIGSTOP')
  // From this line on the other has not been heard for longer than it may be alone.
  await one.err.find(/"reason":"dead"/)
  one.child.kill('SIGKILL')
  await one.exit
  const coming = connect()
  other.child.kill('SIGCONT')
  await t.throwsAsync(coming, { code: 'ERR_ISOLATED' })
  t.is((await client.ended).code, 'ERR_ISOLATED')
})
