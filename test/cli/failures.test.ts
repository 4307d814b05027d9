import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { makeExpiredCerts, makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { runCommand, spawnCli } from '../support/cli.ts'
import { makeSharedCerts } from '../support/cluster.ts'
import { asClient, fails, nodeArgs } from './failure.ts'

/** Every failure that a person can cause says what failed, why, and what mends it: before anybody is called. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

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
