import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../node/lib/clock.ts'
import { authorityFiles, credentialFiles } from '../../node/identity/credential-files.ts'
import { parseName } from '../../node/identity/names.ts'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { runCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { doctorWith, wrong } from './doctor-run.ts'

const DAY_MS = 86_400_000
const shared = await makeSharedCerts()
const { certs } = shared
const doctor = doctorWith(certs.dir)
test.after.always(() => shared.remove())

/** The certificate folder of a machine that has one node. */
async function nodeFolder(t: ExecutionContext): Promise<string> {
  const dir = await makeTestFolder(t)
  await cp(join(certs.dir, 'nodes', 'node-1'), join(dir, 'nodes', 'node-1'), { recursive: true })
  await mkdir(join(dir, 'ca'))
  const { certificateFile } = authorityFiles(certs.dir)
  await cp(certificateFile, authorityFiles(dir).certificateFile)
  return dir
}

test('an issuing key that nears its end is named with what makes another', async t => {
  const dir = await nodeFolder(t)
  const { keyFile, certificateFile } = authorityFiles(certs.dir)
  const { keyFile: own } = authorityFiles(dir)
  await cp(keyFile, own)
  await cp(certificateFile, authorityFiles(dir).certificateFile)
  const made = ['certs', 'issuing-key', 'node-1', '--days', '3', '--certs', dir]
  t.is((await runCommand(made)).status, 0)
  const env = { FRIDGE_CERTS: dir }
  const at = ['--node', '127.0.0.1:1']
  t.notRegex((await doctor(at, { env })).out, /issuing key/)
  const clock = { ...systemClock, now: () => Date.now() + 2.5 * DAY_MS }
  const { out } = await doctor(at, { env, clock })
  t.regex(out, /the issuing key of node-1 expires on .*\n.*fridge certs issuing-key node-1 --force/)
})

test('a node that has only its issuing key here is no mistake: its own key lies with it', async t => {
  const dir = await nodeFolder(t)
  const { keyFile } = authorityFiles(certs.dir)
  await cp(keyFile, authorityFiles(dir).keyFile)
  const made = await runCommand(['certs', 'issuing-key', 'node-2', '--force', '--certs', dir])
  t.is(made.status, 0, made.err)
  const { out } = await doctor(['--node', '127.0.0.1:1'], { env: { FRIDGE_CERTS: dir } })
  t.notRegex(out, /node-2/)
})

test('a folder that cannot be read is told apart from one that is empty', async t => {
  const dir = await makeTestFolder(t)
  // What root may read too is no folder.
  await writeFile(join(dir, 'nodes'), '')
  const { status, out } = await doctor(['--node', '127.0.0.1:1'], { env: { FRIDGE_CERTS: dir } })
  t.is(status, 1)
  t.regex(out, /nodes cannot be read: ENOTDIR\n +to mend it: look what stands there: ls -ld /)
  t.notRegex(out, /certs init/)
})

test('keys that are open, certificates that are due or of another authority are found', async t => {
  const now = Date.now()
  const own = await makeTestCerts(t, { nodes: ['n1'], operators: ['admin'] })
  const env = { FRIDGE_CERTS: own.dir, FRIDGE_NODE: '127.0.0.1:1' }
  const files = (role: 'client' | 'operator', name: string) =>
    credentialFiles(own.dir, role, parseName(name))
  await own.issue('client', 'due', { now: now - 8 * DAY_MS, days: 10 })
  await own.issue('client', 'over', { now: now - 9 * DAY_MS, days: 2 })
  await own.issue('client', 'foreign')
  await cp(certificateOf(certs.dir), files('client', 'foreign').certificateFile)
  await cp(keyOf(certs.dir), files('client', 'foreign').keyFile)
  const { keyFile } = files('operator', 'admin')
  await chmod(keyFile, 0o644)
  const out = wrong(await doctor([], { env })).join('\n')
  t.regex(
    out,
    /the certificate of client\/due expires on \S+\n +to mend it: fridge certs renew client due$/m,
  )
  t.regex(out, /it expired on \S+\n +to mend it: fridge certs renew client over /m)
  t.regex(
    out,
    /no authority in .* vouches for it.*\n +to mend it: fridge certs issue client foreign .*--force$/m,
  )
  t.true(out.includes(`${keyFile} is open to others (mode 644); close it: chmod 600 ${keyFile}`))
})

function certificateOf(dir: string): string {
  return credentialFiles(dir, 'client', parseName('c1')).certificateFile
}

function keyOf(dir: string): string {
  return credentialFiles(dir, 'client', parseName('c1')).keyFile
}

test('of a node of this machine the configuration, the database and the port are looked at', async t => {
  await using cluster = await startCluster(t, { certs })
  const cwd = await makeTestFolder(t)
  const own = await nodeFolder(t)
  const env = { FRIDGE_CERTS: own }
  const { data, listen } = cluster.config(1)
  const port = `127.0.0.1:${listen.port}`
  const config = { name: 'node-1', listen: port, data }
  await writeFile(join(cwd, 'node.json'), JSON.stringify(config))
  const at = ['--config', 'node.json']

  const running = await doctor(at, { cwd, env })
  t.is(running.status, 0, running.out)
  t.regex(running.out, /^ok +configuration: node-1 in node\.json$/m)
  t.regex(running.out, /^ok +database: a node is running on /m)
  t.regex(running.out, new RegExp(`^ok +node ${port}: node-1 answers$`, 'm'))

  // Another one that wants the same port.
  const second = await doctor([...at, '--data', 'elsewhere'], { cwd, env })
  t.is(second.status, 1)
  t.regex(second.out, /^ok +database: elsewhere\/whitelist\.db is not there yet/m)
  t.regex(wrong(second)[0] ?? '', /^WRONG +port: cannot listen on \S+: the port is in use$/)

  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  const stopped = await doctor(at, { cwd, env })
  t.is(stopped.status, 0, stopped.out)
  t.regex(stopped.out, /^ok +database: \S+ is sound: 1 change$/m)
  t.regex(stopped.out, /^ok +port: \S+ is free$/m)
  t.regex(
    stopped.out,
    /^ok +page: its certificate is for .*localhost.*; browsers must trust \S+certificate\.pem$/m,
  )

  await writeFile(join(data, 'whitelist.db'), 'garbage')
  const damaged = await doctor(at, { cwd, env })
  t.is(damaged.status, 1)
  t.regex(wrong(damaged).join('\n'), /^WRONG +database: .*\n +to mend it: mv /m)

  await writeFile(join(cwd, 'node.json'), '{"nmae": "node-1"}')
  t.regex((await doctor(at, { cwd, env })).out, /^WRONG +configuration: .*nmae/m)
})

test('a certificate that browsers refuse is told, and a taken port for them', async t => {
  const issued = await makeTestCerts(t, { nodes: ['node-1'] })
  await issued.issue('node', 'node-1', { keyType: 'ed25519' })
  const cwd = await makeTestFolder(t)
  const holder = createServer().listen(0, '127.0.0.1')
  t.teardown(() => holder.close())
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  const web = { listen: `127.0.0.1:${port}` }
  await writeFile(join(cwd, 'node.json'), JSON.stringify({ name: 'node-1', web }))
  const result = await doctor(['--config', 'node.json'], { cwd, env: { FRIDGE_CERTS: issued.dir } })
  t.is(result.status, 1)
  const said = wrong(result).join('\n')
  t.regex(said, /^WRONG +page: cannot listen on \S+: the port is in use$/m)
  t.regex(said, /^WRONG +page: browsers refuse \S+: its key is ed25519\n +to mend it: /m)
})

test('the node that a file configures is checked, whichever node commands go to', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const cwd = await makeTestFolder(t)
  const [configured, other] = [cluster.address(1), cluster.address(2)]
  await writeFile(
    join(cwd, 'node.json'),
    JSON.stringify({ name: 'node-3', certs: certs.dir, data: cwd, peers: [configured] }),
  )
  const env = { FRIDGE_NODE: other }
  const { out } = await doctor(['--config', 'node.json', '--as', 'admin'], { cwd, env })
  for (const address of [configured, other]) t.regex(out, new RegExp(`node ${address}: node-\\d`))
})

test('a machine whose clock begins in 1970 is told to set it, and not to renew anything', async t => {
  const { status, out } = await doctor([], { clock: { ...systemClock, now: () => 0 } })
  t.is(status, 1)
  t.regex(out, /is not valid before \S+, and the clock here says 1970-01-01T/)
  t.regex(out, /to mend it: set the clock of this machine/)
  t.notRegex(out, /renew|certs init/)
})

test('where there is nothing yet, the first step is named', async t => {
  const cwd = await makeTestFolder(t)
  const { status, out } = await doctor([], { cwd, env: {} })
  t.is(status, 1)
  t.is(
    out,
    "WRONG  certificates: certs holds nobody's certificate\n         to mend it: fridge certs init",
  )
})

test('whoever is to be told of alarms and cannot be is found before there is an alarm', async t => {
  const dir = await nodeFolder(t)
  const file = join(dir, 'node.yaml')
  const look = async (program: string): Promise<string> => {
    await writeFile(file, `name: node-1\nalarms: { program: [${program}] }\n`)
    return (await doctor(['--config', file, '--certs', dir])).out
  }
  t.regex(
    await look('/nonexistent/notify'),
    /^WRONG +alarms: the program for alarms is told of none: there is no program \/nonexistent\/notify\n +to mend it: name one in alarms\.program/m,
  )
  t.regex(await look('sh'), /^ok +alarms: to be told: program$/m)
})

test('each thing that is wrong with a configuration has a line of its own', async t => {
  const dir = await makeTestFolder(t)
  const file = join(dir, 'node.yaml')
  await writeFile(file, 'name: node-1\nlisten: 5\npeers: 7\n')
  const { out } = await doctor(['--config', file])
  const lines = out.split('\n').filter(line => line.startsWith('WRONG  configuration: '))
  t.is(lines.length, 2, out)
  t.true(lines.some(line => line.includes('`listen`')))
  t.true(lines.some(line => line.includes('`peers`')))
})
