import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { parseName, type Role } from '../../node/identity/names.ts'
import { makeTestFolder } from '../support/certs.ts'
import { startCluster } from '../support/cluster.ts'

const run = promisify(execFile)

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SCRIPT = join(ROOT, 'certs/openssl')

test('a node, an operator and a client meet by what certs/openssl makes', async t => {
  const dir = join(await makeTestFolder(t), 'our-ca')
  await run(SCRIPT, [dir])
  const certs = {
    dir,
    ca: await readFile(join(dir, 'ca', 'certificate.pem'), 'utf8'),
    issue: async () => t.fail('nothing of fridge issues under this authority'),
    load: async (role: Role, name: string) => loadCredentials({ dir, role, name: parseName(name) }),
  }
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'fridge-client-001')
  await using client = await cluster.client(1, 'fridge-client-001')
  t.is<string, string>(client.node, 'node-1')
})

test('certs/openssl closes keys to others, and takes no folder that is there', async t => {
  const dir = join(await makeTestFolder(t), 'our-ca')
  await run(SCRIPT, [dir])
  const { keyFile } = credentialFiles(dir, 'operator', parseName('admin'))
  t.is((await stat(keyFile)).mode & 0o777, 0o600)
  const key = await readFile(keyFile)
  await t.throwsAsync(run(SCRIPT, [dir]), { message: /File exists/ })
  t.deepEqual(await readFile(keyFile), key)
  await t.throwsAsync(run(SCRIPT, []), { code: 2, message: /usage: .*certs\/openssl DIR/ })
})

test('git ignores what is put into certs/, and the package leaves it out', async t => {
  const keys = ['certs/ca/private-key.pem', 'certs/own.pem', 'certs/nodes/README.md']
  const open = ['certs/README.md', 'certs/openssl']
  const ignored = await run('git', ['check-ignore', '--no-index', ...keys, ...open], { cwd: ROOT })
  t.deepEqual(ignored.stdout.trim().split('\n'), keys)
  const pack = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const [packed] = JSON.parse((await run('npm', pack, { cwd: ROOT })).stdout) as {
    files: { path: string }[]
  }[]
  const paths = packed?.files.map(({ path }) => path) ?? []
  t.true(paths.includes('PROTOCOL.md'))
  t.deepEqual(paths.filter(path => path.startsWith('certs/')).sort(), open)
})
