import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { makeTestFolder } from '../support/certs.ts'
import { recordIo, runCommand, spawnCli, startCommand, type CliProcess } from '../support/cli.ts'
import { makeSharedCerts, until } from '../support/cluster.ts'
import { connectRaw } from '../support/raw-peer.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

interface NodeProcess extends CliProcess {
  /** `HOST:PORT`. */
  readonly address: string
}

/** Start `fridge node start` on a free port, and wait until it serves. */
async function start(t: ExecutionContext, name: string, ...args: string[]): Promise<NodeProcess> {
  const process = spawnCli(
    t,
    ['node', 'start', '--name', name, '--listen', '127.0.0.1:0', '--certs', certs.dir, ...args],
    { cwd: await makeTestFolder(t) },
  )
  await process.out.find(/ready/)
  const address = process.out.all[0]?.split(' ').at(-1) ?? ''
  return { ...process, address }
}

async function operatorOf({ address }: NodeProcess): Promise<OperatorConnection> {
  return connectOperator({ certs: certs.dir, node: [address] }, recordIo().io)
}

async function grant(operator: OperatorConnection): Promise<void> {
  const subject = parseSubject('c1')
  await operator.change({ kind: 'grant', subject, terms: {} }, { waitMs: 20_000 })
}

async function connect({ address }: NodeProcess) {
  return openNodeConnection({
    address: parseAddress(address),
    credentials: c1,
    clock: systemClock,
  })
}

test('a node says first that it is ready and where, logs to stderr, and on SIGTERM takes its leave', async t => {
  const data = await makeTestFolder(t)
  const node = await start(t, 'node-1', '--data', data)
  t.regex(node.out.all[0] ?? '', /^fridge node node-1 ready on 127\.0\.0\.1:\d+$/)
  {
    await using operator = await operatorOf(node)
    await grant(operator)
  }
  await using client = await connect(node)
  const plain = await connectRaw(t, parseAddress(node.address), c1)
  await plain.stream('door')
  node.child.kill('SIGTERM')
  t.is((await client.ended).message, 'the node is stopping')
  await plain.closed
  t.is(await node.exit, 0)
  t.is(node.out.all.length, 1)
  const log = node.err.all.map(line => JSON.parse(line) as Record<string, unknown>)
  t.like(log[0], { node: 'node-1', msg: 'serving' })
  t.like(
    log.find(({ msg }) => msg === 'stopping'),
    { level: 30 },
  )

  const again = await start(t, 'node-1', '--data', data)
  await using back = await connect(again)
  t.is(back.node, parseName('node-1'))
})

test('a node that stands still is silent, one that is killed is out of reach, and it starts again on the same data', async t => {
  const data = await makeTestFolder(t)
  const first = await start(t, 'node-1')
  const second = await start(t, 'node-2', '--peer', first.address, '--data', data)
  await using operator = await operatorOf(first)
  const reachable = async (count: number) =>
    until(async () => {
      const { nodes } = await operator.status()
      return nodes.filter(one => one.reachable).length === count
    })
  await reachable(2)
  await until(async () => (await operator.status()).nodes.every(({ links }) => links.length === 1))
  await grant(operator)
  second.child.kill('SIGSTOP')
  const args = ['whitelist', 'remove', 'c2', '--force', '--timeout', '1s', '--node', first.address]
  const { status, out, err } = await runCommand(args, { env: { FRIDGE_CERTS: certs.dir } })
  t.is(status, 1)
  t.is(out.split('\n').at(-1), 'c2 removed on 1 node')
  t.is(err.split('\n')[0], 'no word yet from node-2')

  second.child.kill('SIGKILL')
  t.is(await second.exit, 'SIGKILL')
  await reachable(1)
  const subject = parseSubject('c1')
  const { confirmed, silent, unreachable } = await operator.change(
    { kind: 'revocation', subject },
    { waitMs: 20_000 },
  )
  t.deepEqual(
    confirmed.map(({ node }) => String(node)),
    ['node-1'],
  )
  t.deepEqual([silent, unreachable.map(String)], [[], ['node-2']])

  const again = await start(t, 'node-2', '--peer', first.address, '--data', data)
  await reachable(2)
  await t.throwsAsync(connect(again), { message: 'client/c1 has been removed from the whitelist' })
})

test('a node whose log nobody reads any more goes on serving, until Ctrl-C, also twice in a moment', async t => {
  const node = await start(t, 'node-1')
  node.child.stderr?.destroy()
  await using operator = await operatorOf(node)
  // Each change is a line of the log.
  for (let times = 0; times < 3; times += 1) await grant(operator)
  await using client = await connect(node)
  t.is(client.sensors.length, 2)
  node.child.kill('SIGINT')
  node.child.kill('SIGINT')
  t.is((await client.ended).message, 'the node is stopping')
  t.is(await node.exit, 0)
})

test('a node that is told to read its files again before it serves does not end by it', async t => {
  const args = ['--name', 'node-1', '--listen', '127.0.0.1:0', '--certs', certs.dir]
  // Nobody is there: it waits for a first exchange for a while.
  const node = spawnCli(t, ['node', 'start', ...args, '--peer', '127.0.0.1:1'], {
    cwd: await makeTestFolder(t),
  })
  await node.err.find(/cannot reach a peer/)
  node.child.kill('SIGHUP')
  await node.out.find(/^fridge node node-1 ready/)
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0)
})

test('the configuration file is read, the environment goes over it and flags over both', async t => {
  const cwd = await makeTestFolder(t)
  await mkdir(join(cwd, 'etc'))
  await writeFile(
    join(cwd, 'etc', 'node.yaml'),
    `name: node-3\nlisten: 127.0.0.1:0\ncerts: ${certs.dir}\ndata: ../data\nlogLevel: info\n`,
  )
  const run = startCommand(['node', 'start', '--config', 'etc/node.yaml', '--name', 'node-2'], {
    cwd,
    env: { FRIDGE_NAME: 'node-1', FRIDGE_LOG_LEVEL: 'silent' },
  })
  await run.out.find(/^fridge node node-2 ready on 127\.0\.0\.1:\d+$/)
  run.stop()
  t.is(await run.status, 0)
  t.is(run.err.text, '')
})

test('a client that watches ends when its terminal is closed, and when nobody reads it any more', async t => {
  const node = await start(t, 'node-1')
  await using operator = await operatorOf(node)
  await grant(operator)
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'c1', FRIDGE_NODE: node.address }
  const stopped = spawnCli(t, ['client', 'watch'], { env })
  await stopped.out.find(/door/)
  stopped.child.kill('SIGHUP')
  t.is(await stopped.exit, 0)
  const unread = spawnCli(t, ['client', 'watch'], { env })
  await unread.out.find(/door/)
  unread.child.stdout?.destroy()
  // The next reading comes within a second.
  const [status] = (await once(unread.child, 'exit')) as [number | null]
  t.is(status, 0)
  t.notRegex(unread.err.text, /EPIPE|\n {4}at /)
})

test('a node that is told to stop while it waits for a first exchange waits no longer, and lets nobody in', async t => {
  const cwd = await makeTestFolder(t)
  const config = {
    name: 'node-1',
    listen: '127.0.0.1:0',
    certs: certs.dir,
    // Nobody can listen there.
    peers: ['127.0.0.1:1'],
    gossip: { firstSyncMs: 30_000 },
  }
  await writeFile(join(cwd, 'node.json'), JSON.stringify(config))
  const node = spawnCli(t, ['node', 'start', '--config', 'node.json'], { cwd })
  await node.err.find(/cannot reach a peer/)
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0)
  t.deepEqual(node.out.all, [])
  t.notRegex(node.err.text, /"serving"/)
})
