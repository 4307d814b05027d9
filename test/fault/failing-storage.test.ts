import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { parseSubject } from '../../node/identity/names.ts'
import { parseAddress, type Address } from '../../node/lib/address.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, spawnCli, type CliProcess } from '../support/cli.ts'
import { makeSharedCerts, startCluster, until, type Cluster } from '../support/cluster.ts'
import { connectRaw } from '../support/raw-peer.ts'

/** A node as a process of its own, on a disk that fails: full, or locked by another process. */

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
const c2 = await certs.load('client', 'c2')
test.after.always(() => shared.remove())

/** A file system of 1 MiB, for this process alone: `sh -c TINY_DISK sh FOLDER PROGRAM…`. */
const TINY_DISK = 'mount -t tmpfs -o size=1m tiny "$1" && shift && exec "$@"'
const hasNamespaces =
  spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0

interface Victim {
  readonly process: CliProcess
  readonly address: Address
  readonly data: string
  /** What it says of its readiness. */
  readonly readiness: () => Promise<{ readonly status: number; readonly text: string }>
}

/** Start `node-2` as a process, linked to the cluster's first node. */
async function startVictim(
  t: ExecutionContext,
  cluster: Cluster,
  { isTiny }: { isTiny: boolean },
): Promise<Victim> {
  const folder = await makeTestFolder(t)
  const data = join(folder, 'data')
  mkdirSync(data)
  const config = join(folder, 'node.json')
  writeFileSync(
    config,
    JSON.stringify({
      name: 'node-2',
      listen: '127.0.0.1:0',
      metrics: { listen: '127.0.0.1:0' },
      peers: [cluster.address(1)],
      certs: certs.dir,
      data,
      gossip: { redialMinMs: 10, redialMaxMs: 100, firstSyncMs: 20_000 },
      tls: { handshakesPerSecond: 10_000, handshakeBurst: 10_000 },
    }),
  )
  const process = spawnCli(t, ['node', 'start', '--config', config], {
    env: { FRIDGE_METRICS: undefined },
    ...(isTiny && { through: ['unshare', '-rm', 'sh', '-c', TINY_DISK, 'sh', data] }),
  })
  const line = await process.err.find(/"serving"/)
  const { address, metrics } = JSON.parse(line) as { address: string; metrics: string }
  return {
    process,
    address: parseAddress(address),
    data,
    readiness: async () => {
      const answer = await fetch(`http://${metrics}/readyz`)
      return { status: answer.status, text: await answer.text() }
    },
  }
}

/** Two clients of a node that then cannot store what its peer sends: one is removed. */
async function failsClosed(
  t: ExecutionContext,
  cluster: Cluster,
  victim: Victim,
  disk: { fail: () => void; mend: () => void; reason: RegExp },
): Promise<void> {
  const { address, readiness } = victim
  for (const client of ['c1', 'c2']) await cluster.grant(1, client)
  const removed = await connectRaw(t, address, c1)
  await removed.lines.find(/reading/)
  const stays = await connectRaw(t, address, c2)
  await stays.lines.find(/reading/)

  disk.fail()
  await using operator = await cluster.operator(1)
  const told = await runCommand([
    'whitelist',
    'remove',
    'c1',
    '--timeout',
    '1s',
    '--node',
    cluster.address(1),
    '--as',
    'admin',
    '--certs',
    certs.dir,
  ])
  t.is(told.status, 1, 'a node that cannot store it has not confirmed it')
  await removed.closed
  t.is((await readiness()).status, 503)
  t.regex((await readiness()).text, disk.reason)
  for (const credentials of [c1, c2]) {
    const again = await connectRaw(t, address, credentials, { alpn: true })
    await again.lines.find(/\\"bye\\".*\\"(?:not ready|revoked)\\"/)
  }
  const said = stays.lines.all.length
  await stays.lines.find(/reading/, said)

  const refused = await runCommand([
    'whitelist',
    'remove',
    'c2',
    '--node',
    `127.0.0.1:${address.port}`,
    '--as',
    'admin',
    '--certs',
    certs.dir,
  ])
  t.is(refused.status, 1)
  t.regex(refused.err, /cannot store changes.*NOT recorded/)
  await stays.closed

  disk.mend()
  await victim.process.err.find(/changes can be stored again/)
  t.is((await readiness()).status, 200)
  await until(async () => {
    const { nodes } = await operator.show(parseSubject('c1'))
    return nodes.every(({ state }) => state === 'caught up')
  })
  const again = await connectRaw(t, address, c1, { alpn: true })
  await again.lines.find(/\\"bye\\".*\\"revoked\\"/)
  const back = await connectRaw(t, address, c2)
  await back.lines.find(/reading/)
  t.notRegex(victim.process.err.text, /broke the protocol/)
  t.false(cluster.log.lines.some(({ text }) => /broke the protocol/.test(text)))
}

const withTinyDisk = hasNamespaces ? test : test.skip
withTinyDisk(
  'a node whose disk is full cuts whom a peer removes, lets nobody in, says so, and comes back by itself',
  async t => {
    await using cluster = await startCluster(t, { certs })
    const victim = await startVictim(t, cluster, { isTiny: true })
    // Seen from outside, its disk lies below the root of its own.
    const filler = `/proc/${victim.process.child.pid}/root${victim.data}/filler`
    await failsClosed(t, cluster, victim, {
      fail: () => {
        const isFull = t.throws(() => writeFileSync(filler, Buffer.alloc(2 ** 20)))
        t.is((isFull as NodeJS.ErrnoException).code, 'ENOSPC')
      },
      mend: () => rmSync(filler),
      reason: /changes cannot be stored: .*full/,
    })
  },
)

withTinyDisk('a node that cannot start because its disk is full is told to make space', async t => {
  const folder = await makeTestFolder(t)
  const full = `mount -t tmpfs -o size=1m tiny "$1" && { cat /dev/zero >"$1/filler" 2>/dev/null; shift; exec "$@"; }`
  const options = ['--name', 'node-2', '--listen', '127.0.0.1:0', '--certs', certs.dir]
  const process = spawnCli(t, ['node', 'start', ...options, '--data', folder], {
    through: ['unshare', '-rm', 'sh', '-c', full, 'sh', folder],
  })
  await process.err.find(/database or disk is full/)
  // In another folder it would begin with an empty list.
  t.regex(await process.err.find(/to mend it/), /make space on its disk: df -h \S+$/)
})

test('a node whose database another process has locked does likewise', async t => {
  await using cluster = await startCluster(t, { certs })
  const victim = await startVictim(t, cluster, { isTiny: false })
  using other = new DatabaseSync(join(victim.data, 'whitelist.db'))
  await failsClosed(t, cluster, victim, {
    fail: () => other.exec('BEGIN IMMEDIATE'),
    mend: () => other.exec('ROLLBACK'),
    reason: /changes cannot be stored: .*locked/,
  })
})
