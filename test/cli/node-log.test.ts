import { open, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { formatAddress, type Address } from '../../node/lib/address.ts'
import { makeTestFolder } from '../support/certs.ts'
import { recordIo, spawnCli } from '../support/cli.ts'
import { makeSharedCerts, until } from '../support/cluster.ts'
import { freePort } from '../support/mosquitto.ts'
import { ask } from '../support/scrape.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** A file that is as large as the process may make one (`ulimit -f` counts blocks of 512 bytes). */
const FULL_BLOCKS = 4_096

async function isReady(metrics: Address): Promise<boolean> {
  return ask({ metrics }, '/readyz').then(
    ({ status }) => status === 200,
    () => false,
  )
}

async function nodeArguments(): Promise<{ args: string[]; listen: string; metrics: Address }> {
  const metrics = { host: '127.0.0.1', port: await freePort() }
  const listen = `127.0.0.1:${await freePort()}`
  const args = ['node', 'start', '--name', 'node-1', '--listen', listen, '--certs', certs.dir]
  return { args: [...args, '--metrics', formatAddress(metrics)], listen, metrics }
}

async function grant(address: string): Promise<void> {
  await using operator = await connectOperator({ certs: certs.dir, node: [address] }, recordIo().io)
  await operator.change({ kind: 'grant', subject: parseSubject('c1'), terms: {} }, { waitMs: 0 })
}

test('a node whose output and log can be written nowhere serves, and ends as it is told', async t => {
  const { args, listen, metrics } = await nodeArguments()
  const cwd = await makeTestFolder(t)
  const script = 'exec "$@" >/dev/full 2>/dev/full'
  const node = spawnCli(t, args, { cwd, through: ['sh', '-c', script, 'sh'] })
  await until(async () => isReady(metrics))
  for (let times = 0; times < 3; times += 1) await grant(listen)
  t.true(await isReady(metrics))
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0)
})

test('a node whose log is full serves on, and says how many lines were lost once there is room', async t => {
  const { args, listen, metrics } = await nodeArguments()
  const cwd = await makeTestFolder(t)
  const log = join(cwd, 'log')
  {
    await using file = await open(log, 'w')
    await file.truncate(FULL_BLOCKS * 512)
  }
  const script = `ulimit -f ${FULL_BLOCKS}; exec "$@" 2>>log`
  const node = spawnCli(t, args, { cwd, through: ['sh', '-c', script, 'sh'] })
  await node.out.find(/ready/)
  await grant(listen)
  await truncate(log, 0)
  await grant(listen)
  t.true(await isReady(metrics))
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0)
  const lines = (await readFile(log, 'utf8')).split('\n').filter(line => line !== '')
  const [first] = lines.map(line => JSON.parse(line) as Record<string, unknown>)
  t.like(first, { node: 'node-1', level: 40 })
  t.regex(String(first?.['msg']), /were lost/)
  t.true(Number(first?.['lost']) > 1)
})

test('what a command cannot print on a full disk is a failure, said in a line', async t => {
  const command = spawnCli(t, ['certs', 'inspect', join(certs.dir, 'ca', 'certificate.pem')], {
    through: ['sh', '-c', 'exec "$@" >/dev/full', 'sh'],
  })
  t.is(await command.exit, 1)
  t.regex(command.err.text, /^fridge: stdout cannot be written: ENOSPC.*$/)
})
