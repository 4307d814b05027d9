import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { spawnProgram } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'

/** What a command loads before it does anything: of each start that is the longest part. */

const run = promisify(execFile)
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const HOOK = new URL('../support/loaded-modules.ts', import.meta.url).href

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

/** What only the making of certificates, the checking of configurations and the running of nodes need. */
const HEAVY = [
  '@peculiar/x509',
  'zod',
  'pino',
  'yaml',
  'socket.io',
  'mqtt',
  'prom-client',
  'node:sqlite',
]

test('a list is shown without what only nodes and the makers of certificates need', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  const file = join(await makeTestFolder(t), 'loaded.txt')
  const to = ['--certs', shared.certs.dir, '--as', 'admin', '--node', cluster.address(1)]
  const args = ['--import', HOOK, MAIN, 'whitelist', 'list', ...to]
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, LOADED: file } })
  t.regex(stdout, /c1/)
  const loaded = (await readFile(file, 'utf8')).split('\n')
  t.true(loaded.some(url => url.endsWith('/cli/commands/whitelist-list.ts')))
  for (const name of HEAVY) {
    const found = loaded.filter(url => url === name || url.includes(`/node_modules/${name}/`))
    t.deepEqual(found, [], name)
  }
})

test('a node starts without what issues certificates and without what reads a file that it has not', async t => {
  const { certs } = shared
  const folder = await makeTestFolder(t)
  const file = join(folder, 'loaded.txt')
  const where = ['--certs', certs.dir, '--data', join(folder, 'data'), '--listen', '127.0.0.1:0']
  const args = ['--import', HOOK, MAIN, 'node', 'start', '--name', 'node-1', ...where]
  const node = spawnProgram(t, args, { env: { LOADED: file, FRIDGE_WEB: '127.0.0.1:0' } })
  await node.out.find(/ready/)
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0)
  const loaded = (await readFile(file, 'utf8')).split('\n')
  t.true(loaded.some(url => url.endsWith('/node/web/page-certificate.ts')))
  for (const name of ['@peculiar/x509', 'yaml', 'mqtt', 'prom-client']) {
    const found = loaded.filter(url => url.includes(`/node_modules/${name}/`))
    t.deepEqual(found, [], name)
  }
})
