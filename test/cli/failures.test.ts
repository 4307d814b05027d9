import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { makeExpiredCerts, makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { runCommand, spawnCli } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { fails } from './failure.ts'

/** Every failure that a person can cause says what failed, why, and what mends it. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

function asClient(dir: string, node: string): string[] {
  return ['client', 'call', 'defrost', '--as', 'c1', '--certs', dir, '--node', node]
}

/** What starts a node in a folder of its own, on a free port. */
async function nodeArgs(t: ExecutionContext, dir = certs.dir, ...more: string[]) {
  const data = join(await makeTestFolder(t), 'data')
  const where = ['--listen', '127.0.0.1:0', '--certs', dir, '--data', data]
  return { data, args: ['node', 'start', '--name', 'node-1', ...where, ...more] }
}

test('no folder of certificates', async t => {
  const cwd = await makeTestFolder(t)
  const expected = { status: 1, mends: /fridge certs init --certs/ } as const
  for (const args of [
    ['client', 'watch', '--as', 'c1'],
    ['whitelist', 'list'],
    ['status'],
    ['node', 'start', '--name', 'node-1'],
  ]) {
    await fails(t, args, { ...expected, says: /certs holds no certificates: there is no/ }, { cwd })
  }
})

test('nobody of that name in the folder', async t => {
  await fails(t, ['status', '--as', 'maria', '--certs', certs.dir], {
    status: 1,
    says: /there is no operator maria in/,
    mends: /fridge certs issue operator maria --certs/,
  })
  const { args } = await nodeArgs(t, certs.dir, '--name', 'node-9')
  await fails(t, args, {
    status: 1,
    says: /there is no node node-9 in/,
    mends: /fridge certs issue node node-9 --certs/,
  })
})

test('a folder that cannot be looked into is no fault of fridge', async t => {
  const dir = await makeTestFolder(t)
  // What root may read too is no folder.
  for (const name of ['ca', 'clients']) await writeFile(join(dir, name), '')
  for (const args of [
    ['certs', 'init'],
    ['certs', 'request', 'client', 'c1'],
  ]) {
    await fails(t, [...args, '--certs', dir], {
      status: 1,
      says: /private-key\.pem cannot be read: ENOTDIR/,
      mends: /look what stands there: ls -ld /,
    })
  }
})

test('several to choose from, and none chosen', async t => {
  await fails(t, ['client', 'call', 'defrost', '--certs', certs.dir], {
    status: 2,
    says: /holds several clients: c1, c2/,
    mends: /--as c1/,
  })
})

test('a key that cannot be read', async t => {
  const own = await makeTestCerts(t, { clients: ['c1'], nodes: ['node-1'] })
  const file = join(own.dir, 'clients', 'c1', 'private-key.pem')
  await writeFile(file, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')
  await fails(t, asClient(own.dir, '127.0.0.1:1'), {
    status: 1,
    says: /private-key\.pem is not a usable private key: it is damaged/,
    mends: /restore it from a copy, or issue/,
  })
  await rm(file)
  await fails(t, asClient(own.dir, '127.0.0.1:1'), {
    status: 1,
    says: /the private key is missing/,
    mends: /fridge certs issue client c1 .*--force/,
  })
  await mkdir(file)
  await fails(t, asClient(own.dir, '127.0.0.1:1'), {
    status: 1,
    says: /private-key\.pem cannot be read: EISDIR/,
    mends: /ls -ld/,
  })
  // The administrator may read everything.
  if (process.getuid?.() === 0) return
  await rm(file, { recursive: true })
  await writeFile(file, '')
  await chmod(file, 0)
  await fails(t, asClient(own.dir, '127.0.0.1:1'), {
    status: 1,
    says: /this user may not read it/,
    mends: /run as the user who owns it/,
  })
})

test('a node of another authority', async t => {
  await using cluster = await startCluster(t, { certs })
  const foreign = await makeTestCerts(t, { clients: ['c1'], operators: ['admin'] })
  const expected = {
    status: 3,
    says: /shows a certificate that is not of the authority in/,
    mends: /--certs DIR/,
  } as const
  await fails(t, asClient(foreign.dir, cluster.address(1)), expected)
  await fails(t, ['status', '--certs', foreign.dir, '--node', cluster.address(1)], expected)
})

test('a certificate that the node does not take', async t => {
  await using cluster = await startCluster(t, { certs })
  const foreign = await makeTestCerts(t, { clients: ['c1'] })
  await writeFile(join(foreign.dir, 'ca', 'certificate.pem'), foreign.ca + certs.ca)
  await fails(t, asClient(foreign.dir, cluster.address(1)), {
    status: 4,
    says: /does not accept .*clients\/c1\/certificate\.pem/,
    mends: /log of that node/,
  })
})

test('a host that the certificate of the node does not name', async t => {
  const own = await makeTestCerts(t, { clients: ['c1'], operators: ['admin'] })
  await own.issue('node', 'node-1', { hosts: ['fridge.example'] })
  const { args } = await nodeArgs(t, own.dir)
  const node = spawnCli(t, args)
  const address = (await node.out.find(/ready/)).split(' ').at(-1) ?? ''
  await fails(t, asClient(own.dir, address), {
    status: 3,
    says: /the certificate of 127\.0\.0\.1:\d+ is not for the host 127\.0\.0\.1/,
    mends: /fridge certs issue node NAME --host 127\.0\.0\.1 --force/,
  })
})

test('an expired certificate, of a client and of a node', async t => {
  const old = await makeExpiredCerts(t)
  const says = /certificate\.pem: it expired on/
  await fails(t, asClient(old.dir, '127.0.0.1:1'), {
    status: 1,
    says,
    mends: /fridge certs renew client c1 /,
  })
  await fails(t, ['status', '--certs', old.dir, '--node', '127.0.0.1:1'], {
    status: 1,
    says,
    mends: /fridge certs renew operator admin /,
  })
  const { args } = await nodeArgs(t, old.dir)
  await fails(t, args, { status: 1, says, mends: /fridge certs renew node node-1 / })
})

test('a certificate that is not the one of its folder', async t => {
  const own = await makeTestCerts(t, { clients: ['c1', 'c2'], operators: ['admin'] })
  const files = (name: string) => join(own.dir, 'clients', name)
  const from = files('c2')
  for (const file of ['private-key.pem', 'certificate.pem']) {
    await writeFile(join(files('c1'), file), await readFile(join(from, file)))
  }
  await fails(t, asClient(own.dir, '127.0.0.1:1'), {
    status: 1,
    says: /belongs to client\/c2, not to client\/c1/,
    mends: /fridge certs issue client c1/,
  })
})

test('nothing listens there, and no such host', async t => {
  await fails(t, asClient(certs.dir, '127.0.0.1:1'), {
    status: 3,
    says: /nothing listens on 127\.0\.0\.1:1/,
    mends: /fridge node start/,
  })
  await fails(t, asClient(certs.dir, 'no-such-host.invalid:7443'), {
    status: 3,
    says: /the host no-such-host\.invalid is not known/,
    mends: /--node HOST:PORT/,
  })
})

test('something listens there that is no node', async t => {
  const server = createServer(socket => socket.on('error', () => {}).end('220 mail ESMTP\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  await fails(t, asClient(certs.dir, `127.0.0.1:${(server.address() as AddressInfo).port}`), {
    status: 3,
    says: /no TLS connection to 127\.0\.0\.1:\d+/,
    mends: /check that a fridge node listens on that port/,
  })
})

test('a client that is not on the list, and one that was revoked', async t => {
  await using cluster = await startCluster(t, { certs })
  const mends = /fridge whitelist add/
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /client\/c1 is not on the whitelist/,
    mends,
  })
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c1')
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /client\/c1 has been removed from the whitelist/,
    mends,
  })
})

test('an operator that was revoked', async t => {
  await certs.issue('operator', 'maria')
  await using cluster = await startCluster(t, { certs })
  await cluster.revoke(1, 'operator/maria')
  const target = ['--as', 'maria', '--certs', certs.dir, '--node', cluster.address(1)]
  await fails(t, ['status', ...target], {
    status: 4,
    says: /operator\/maria has been removed from the whitelist/,
    mends: /fridge certs issue operator NAME/,
  })
})

test('a grant that has expired, and one for another key', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { expiresAt: 1 })
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /the grant of client\/c1 has expired/,
    mends: /fridge whitelist add/,
  })
  const { keyId } = (await certs.load('client', 'c2')).identity
  await cluster.grant(1, 'c1', { keys: [keyId] })
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /the grant of client\/c1 is for another key/,
    mends: /fridge whitelist add c1 --key/,
  })
})

test('a client with too many connections', async t => {
  const config = { limits: { maxConnectionsPerClient: 1 } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1')
  await using _one = await cluster.client(1, 'c1')
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /client\/c1 has too many connections/,
    mends: /limits\.maxConnectionsPerClient/,
  })
})

test('one who is no operator', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  // Somebody laid the client's certificate where an operator's belongs.
  const own = await makeTestFolder(t)
  const folder = join(own, 'operators', 'c1')
  await mkdir(folder, { recursive: true })
  await mkdir(join(own, 'ca'))
  await writeFile(join(own, 'ca', 'certificate.pem'), certs.ca)
  for (const file of ['private-key.pem', 'certificate.pem']) {
    await writeFile(join(folder, file), await readFile(join(certs.dir, 'clients', 'c1', file)))
  }
  await fails(t, ['whitelist', 'add', 'c1', '--certs', own, '--node', cluster.address(1)], {
    status: 1,
    says: /it is the certificate of a client, and an operator's is needed/,
    mends: /fridge certs issue operator NAME/,
  })
})

test('a port that is in use, and an address of another machine', async t => {
  await using cluster = await startCluster(t, { certs })
  const { args } = await nodeArgs(t)
  await fails(t, [...args, '--listen', cluster.address(1)], {
    status: 1,
    says: /cannot listen on 127\.0\.0\.1:\d+: the port is in use/,
    mends: /--listen HOST:PORT/,
  })
  // An address of documentation (RFC 5737), which no machine has.
  await fails(t, [...args, '--listen', '192.0.2.1:7443'], {
    status: 1,
    says: /no such address on this machine/,
    mends: /--listen HOST:PORT/,
  })
})

test('a second node on the same data', async t => {
  await using cluster = await startCluster(t, { certs })
  const { args } = await nodeArgs(t)
  await fails(t, [...args, '--data', cluster.config(1).data], {
    status: 1,
    says: /another node is using .*whitelist\.db/,
    mends:
      /stop that node, or start this one under a name of its own: fridge node start --name NAME/,
  })
})

test('data where there can be none', async t => {
  const { args } = await nodeArgs(t)
  const file = join(await makeTestFolder(t), 'file')
  await writeFile(file, '')
  await fails(t, [...args, '--data', join(file, 'data')], {
    status: 1,
    says: /cannot use the data folder .*file\/data/,
    mends: /--data DIR/,
  })
})

test('a damaged database is never taken for an empty list', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { data } = cluster.config(1)
  await cluster.stop(1)
  const file = join(data, DATABASE_FILE)
  const whole = await readFile(file)
  const { args } = await nodeArgs(t, certs.dir, '--data', data)
  const expected = {
    status: 1,
    says: /the database .*whitelist\.db is damaged: /,
    mends: /mv .*whitelist\.db .* --peer/,
  } as const
  const text = Buffer.from('"subject":"client/c1"')
  const forged = Buffer.from(whole)
  forged.write('"subject":"client/cX"', whole.indexOf(text))
  const wrecked = Buffer.from(whole)
  wrecked.fill(0xff, 4_096, 4_200)
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('not a database at all, but quite a text of its own'),
    whole.subarray(0, whole.length / 2),
    forged,
    wrecked,
  ]) {
    for (const left of ['-wal', '-shm']) await rm(file + left, { force: true })
    await writeFile(file, bytes)
    await fails(t, args, expected)
  }
})

test('a malformed configuration names the place and the nearest key that exists', async t => {
  const cwd = await makeTestFolder(t)
  const file = join(cwd, 'node.yaml')
  const args = ['node', 'start', '--config', 'node.yaml']
  const correct = { status: 2, mends: /./ } as const
  await writeFile(file, 'name: node-1\nlistn: 127.0.0.1:0\n')
  await fails(t, args, { ...correct, says: /node\.yaml:2:1.*listn.*\n.*listen/s }, { cwd })
  await writeFile(file, 'name: node-1\nlimits:\n  maxConections: 5\n')
  await fails(t, args, { ...correct, says: /node\.yaml:3:3.*maxConnections/s }, { cwd })
  await writeFile(file, 'name: [node-1\n')
  await fails(t, args, { ...correct, says: /node\.yaml:/ }, { cwd })
  await rm(file)
  await fails(t, args, { ...correct, says: /cannot read .*node\.yaml: there is no such/ }, { cwd })
  await fails(t, ['node', 'start'], { ...correct, says: /name/ }, { cwd })
})

test('arguments that are none', async t => {
  for (const [args, says] of [
    [['whitlist'], /unknown command 'whitlist'\n.*whitelist/s],
    [['whitelist', 'ad', 'c1'], /unknown command 'ad'\n.*add/s],
    [['whitelist', 'add'], /missing required argument 'name'/],
    [['whitelist', 'show', 'c1', 'c2'], /too many arguments/],
    [['whitelist', 'add', 'c1', '--reson', 'x'], /unknown option '--reson'\n.*--reason/s],
    [['status', '--node'], /option '--node <host:port>' argument missing/],
    [['client', 'call'], /missing required argument 'command'/],
  ] as const) {
    const { status, err } = await runCommand(args)
    t.is(status, 2, err)
    t.regex(err, says)
    t.notRegex(err, /\n {4}at /)
  }
  const nothing = await runCommand([])
  t.is(nothing.status, 2)
  t.regex(`${nothing.out}${nothing.err}`, /Usage: fridge/)
})

test('help and version are no failure', async t => {
  for (const args of [['--help'], ['whitelist', 'add', '--help'], ['--version']]) {
    const { status, out, err } = await runCommand(args)
    t.is(status, 0)
    t.not(out, '')
    t.is(err, '')
  }
})

test('a failure as a person meets it: two lines, the status, and no stack trace', async t => {
  const cwd = await makeTestFolder(t)
  const cli = spawnCli(t, ['whitelist', 'remove', 'laptop-7'], { cwd })
  t.is(await cli.exit, 1)
  t.is(cli.out.text, '')
  t.is(cli.err.all.length, 2)
  t.regex(
    cli.err.text,
    /^fridge: .*certs holds no certificates.*\n {2}to mend it: fridge certs init/,
  )
  const wrong = spawnCli(t, ['whitelist', 'remove', 'laptop 7'], { cwd })
  t.is(await wrong.exit, 2)
})
