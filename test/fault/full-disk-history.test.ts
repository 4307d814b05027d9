import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, spawnCli, type CliProcess } from '../support/cli.ts'
import { makeSharedCerts } from '../support/cluster.ts'

/** A node as a process of its own, with all of its data on a disk that fills. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const MIB = 1_048_576

/** A file system of 16 MiB, for this process alone: `sh -c SMALL_DISK sh FOLDER PROGRAM…`. */
const SMALL_DISK = 'mount -t tmpfs -o size=16m small "$1" && shift && exec "$@"'
const hasNamespaces =
  spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0
const withSmallDisk = hasNamespaces ? test : test.skip

interface SmallNode {
  readonly process: CliProcess
  /** Put a file of so many bytes on its disk, in place of the one before. */
  readonly fill: (bytes: number) => void
  readonly empty: () => void
  readonly readiness: () => Promise<number>
  readonly add: (client: string) => Promise<number>
}

async function start(t: ExecutionContext, minFreeBytes: number): Promise<SmallNode> {
  const folder = await makeTestFolder(t)
  const data = join(folder, 'data')
  mkdirSync(data)
  const config = join(folder, 'node.json')
  const listen = '127.0.0.1:0'
  const history = { minFreeBytes }
  const simulation = { readingIntervalMs: 100 }
  const settings = { name: 'node-1', listen, metrics: { listen }, certs: certs.dir, data }
  writeFileSync(config, JSON.stringify({ ...settings, history, simulation }))
  const process = spawnCli(t, ['node', 'start', '--config', config], {
    env: { FRIDGE_METRICS: undefined },
    through: ['unshare', '-rm', 'sh', '-c', SMALL_DISK, 'sh', data],
  })
  const line = await process.err.find(/"serving"/)
  const { address, metrics } = JSON.parse(line) as { address: string; metrics: string }
  // Seen from outside, its disk lies below the root of its own.
  const filler = `/proc/${process.child.pid}/root${data}/filler`
  return {
    process,
    fill: bytes => writeFileSync(filler, Buffer.alloc(bytes)),
    empty: () => rmSync(filler, { force: true }),
    readiness: async () => (await fetch(`http://${metrics}/readyz`)).status,
    add: async client => {
      const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin', FRIDGE_NODE: address }
      return (await runCommand(['whitelist', 'add', client], { env })).status
    },
  }
}

withSmallDisk(
  'a disk that fills stops the history first: the list is changed still, and recording begins again by itself',
  async t => {
    t.timeout(120_000)
    const node = await start(t, 8 * MIB)
    node.fill(10 * MIB)
    const line = await node.process.err.find(/"history is not recorded"/)
    t.regex(line, /less than 8 MiB are free on the disk of the history/)
    t.regex(line, /free some space; recording then begins again by itself/)
    t.is(await node.add('c1'), 0)
    t.is(await node.readiness(), 200)
    node.empty()
    await node.process.err.find(/"history is recorded again"/)
    node.process.child.kill('SIGTERM')
    t.is(await node.process.exit, 0)
  },
)

withSmallDisk(
  'a disk that is full though nothing was kept free ends the recording until there is room, and not the node',
  async t => {
    t.timeout(120_000)
    const node = await start(t, 0)
    t.like(
      t.throws(() => node.fill(16 * MIB)),
      { code: 'ENOSPC' },
    )
    const line = await node.process.err.find(/"history is not recorded"/)
    t.regex(line, /cannot use .*history\.db: .*full/)
    t.regex(line, /check the free space of its disk/)
    node.empty()
    await node.process.err.find(/"history is recorded again"/)
    t.is(await node.add('c1'), 0)
    t.is(await node.readiness(), 200)
    node.process.child.kill('SIGTERM')
    t.is(await node.process.exit, 0)
  },
)
