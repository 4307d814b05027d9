import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { makeTestFolder } from '../support/certs.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { fails, nodeArgs } from './failure.ts'

/** A node that cannot start says what failed, why, and what mends it. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a port that is in use, and an address of another machine', async t => {
  await using cluster = await startCluster(t, { certs })
  const { args } = await nodeArgs(t, certs.dir)
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
  const { args } = await nodeArgs(t, certs.dir)
  await fails(t, [...args, '--data', cluster.config(1).data], {
    status: 1,
    says: /another node is using .*whitelist\.db/,
    mends:
      /stop that node, or start this one under a name of its own: fridge node start --name NAME/,
  })
})

test('data where there can be none', async t => {
  const { args } = await nodeArgs(t, certs.dir)
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
