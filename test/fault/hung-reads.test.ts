import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { errorCode } from '../../node/lib/errors.ts'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { spawnCli } from '../support/cli.ts'

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('hung-read.c', import.meta.url))
const DEVICES = ['28-000000000001', '28-000000000002', '28-000000000003', '28-000000000004']

/** Compile what makes reads hang. @throws Error that says what to install */
async function compileShim(library: string): Promise<void> {
  try {
    await run('cc', ['-shared', '-fPIC', '-o', library, SOURCE, '-ldl'])
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
    throw new Error('this test needs a C compiler: apt-get install build-essential', { cause })
  }
}

test('four thermometers that hang keep no client in that is removed, and no node from its end', async t => {
  t.timeout(60_000)
  const folder = await makeTestFolder(t)
  const [shim, hung] = [join(folder, 'hung.so'), join(folder, 'hung')]
  await Promise.all([compileShim(shim), run('mkfifo', [hung])])
  const certs = await makeTestCerts(t, {
    nodes: ['node-1', 'node-2'],
    clients: ['c1'],
    operators: ['admin'],
  })
  const root = join(folder, 'w1')
  for (const device of DEVICES) {
    await mkdir(join(root, device), { recursive: true })
    await writeFile(join(root, device, 'w1_slave'), '')
  }
  const sensors = Object.fromEntries(
    DEVICES.map((device, index) => [`t${index}`, { driver: 'w1', device, root, intervalMs: 100 }]),
  )
  await writeFile(join(folder, 'hanging.json'), JSON.stringify({ sensors }))
  const env = { FRIDGE_CERTS: certs.dir }
  const start = (name: string, args: readonly string[], more = {}) =>
    spawnCli(t, ['node', 'start', '--name', name, '--listen', '127.0.0.1:0', ...args], {
      cwd: folder,
      env: { ...env, ...more },
    })
  const whitelist = async (...args: string[]): Promise<unknown> =>
    spawnCli(t, ['whitelist', ...args], { env }).exit
  const addressOf = (line: string): string => line.slice(line.lastIndexOf(' ') + 1)

  const second = start('node-2', [])
  const secondAddress = addressOf(await second.out.find(/ready/))
  const hangs = once(createReadStream(hung), 'data')
  const first = start('node-1', ['--peer', secondAddress, '--config', 'hanging.json'], {
    LD_PRELOAD: shim,
    HUNG: hung,
  })
  const firstAddress = addressOf(await first.out.find(/ready/))
  await hangs

  t.is(await whitelist('add', 'c1', '--node', secondAddress), 0)
  const watch = (): ReturnType<typeof spawnCli> =>
    spawnCli(t, ['client', 'watch', '--node', firstAddress], { env: { ...env, FRIDGE_AS: 'c1' } })
  const client = watch()
  await client.err.find(/connected to node-1/)
  t.is(await whitelist('remove', 'c1', '--node', secondAddress), 0)
  await client.err.find(/removed|revoked/)
  await client.exit
  t.not(await watch().exit, 0)
  first.child.kill('SIGTERM')
  t.is(await first.exit, 0)
})
