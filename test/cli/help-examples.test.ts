import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { formatAddress } from '../../node/lib/address.ts'
import { makeTestCerts, type TestCerts } from '../support/certs.ts'
import { runCommand } from '../support/cli.ts'
import {
  endUnheard,
  startCluster,
  until,
  untilReachable,
  type Cluster,
} from '../support/cluster.ts'
import { helpExamples } from '../support/help-examples.ts'
import { WEB_ON } from '../support/pages.ts'
import { makeScene, play, type Scene } from '../support/typed-scene.ts'
import {
  ALONE,
  CERTIFICATES,
  CLUSTER,
  ENROLMENT,
  FORGETTING,
  HISTORY,
  NODES,
} from './help-examples.ts'

/** Those about which another test of this folder is: its file, and what it does there. */
const ELSEWHERE: ReadonlyMap<string, readonly [file: string, call: string]> = new Map([
  ['fridge demo', ['demo.test.ts', 'startDemo(t)']],
  // It changes a machine, as root: the test makes and reads all that it would do.
  [
    'sudo fridge node install-service --name node-1',
    ['node-install-service.test.ts', 'node-install-service.ts'],
  ],
])

/** Every simulated fridge is warmer than that. */
const RULES = { temperature: { high: { limit: -20 } } }

test('every example of a help text is run, and nothing is run for none', async t => {
  const run = [CERTIFICATES, NODES, CLUSTER, FORGETTING, ENROLMENT, HISTORY, ALONE].flat()
  const lines = new Set([...run.map(({ line }) => line), ...ELSEWHERE.keys()])
  const shown = await helpExamples()
  t.deepEqual([...shown.difference(lines)], [], 'shown, and not run')
  t.deepEqual([...lines.difference(shown)], [], 'run, and not shown')
  for (const [file, call] of ELSEWHERE.values()) {
    t.true((await readFile(new URL(file, import.meta.url), 'utf8')).includes(call), call)
  }
})

/** The people of the examples. */
async function makePeople(t: ExecutionContext): Promise<TestCerts> {
  return makeTestCerts(t, {
    nodes: ['node-1', 'node-2', 'node-3'],
    clients: ['fridge-client-001'],
    operators: ['admin', 'maria'],
  })
}

/** The folder of an operator who is the only one in it: `admin` is of the cluster of the test. */
async function layCerts({ folder }: Scene, { dir }: TestCerts): Promise<void> {
  await mkdir(join(folder, 'certs/operators'), { recursive: true })
  for (const part of ['ca', 'nodes', 'clients', 'operators/maria']) {
    await symlink(join(dir, part), join(folder, 'certs', part))
  }
}

/** What the addresses of the examples are in a cluster of a test. */
async function meetCluster(scene: Scene, cluster: Cluster, nodes: number): Promise<void> {
  const { here, env } = scene
  const addresses = Array.from({ length: nodes }, (_, index) => cluster.address(index + 1))
  for (const [index, address] of addresses.entries()) {
    const number = index + 1
    for (const host of [`node-${number}.example.org`, `n${number}.example`, `node-${number}`]) {
      here.set(`${host}:7443`, address)
    }
  }
  env['FRIDGE_NODE'] = addresses.join(',')
  await layCerts(scene, cluster.certs)
}

test('the examples about certificates do what they say', async t => {
  await play(t, await makeScene(t), CERTIFICATES)
})

test('the examples about nodes do what they say', async t => {
  const scene = await makeScene(t)
  await layCerts(scene, await makePeople(t))
  await writeFile(join(scene.folder, 'node.yaml'), 'name: node-1\n')
  scene.here.set('/etc/fridge/certs', 'certs')
  for (const taken of ['127.0.0.1:7444', '0.0.0.0:7443']) scene.here.set(taken, '127.0.0.1:0')
  await play(t, scene, NODES)
})

test('the examples about a cluster do what they say', async t => {
  const certs = await makePeople(t)
  const config = { ...WEB_ON, alarms: { rules: RULES } }
  await using cluster = await startCluster(t, { nodes: 2, certs, config })
  const scene = await makeScene(t)
  await meetCluster(scene, cluster, 2)
  for (const index of [1, 2]) {
    const { fields } = await cluster.log.find(
      ({ node, text }) => text === 'alarm' && node === `node-${index}`,
    )
    scene.here.set(`alarm ${index}`, String(fields['id']))
  }
  await play(t, scene, CLUSTER)
  for (const step of FORGETTING) {
    await cluster.start(3)
    await untilReachable(cluster, 1, 3)
    await endUnheard(cluster, 3, [1, 2])
    await untilReachable(cluster, 1, 2)
    await play(t, scene, [step])
  }
})

test('the examples about tokens do what they say', async t => {
  const certs = await makePeople(t)
  await runCommand(['certs', 'issuing-key', 'node-1', '--certs', certs.dir])
  const config = { enrolment: { listen: '127.0.0.1:0' } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'till-7')
  const { enrolment } = cluster.node(1)
  if (enrolment === undefined) throw new Error('the node issues nothing')
  const scene = await makeScene(t)
  await meetCluster(scene, cluster, 1)
  scene.here.set('node-1.shop.example:7445', formatAddress(enrolment))
  await play(t, scene, ENROLMENT)
})

test('the examples about the past do what they say', async t => {
  const certs = await makePeople(t)
  await using cluster = await startCluster(t, { certs })
  const scene = await makeScene(t)
  await meetCluster(scene, cluster, 1)
  await mkdir(join(scene.folder, 'data'))
  await symlink(cluster.config(1).data, join(scene.folder, 'data/node-1'))
  const { folder: cwd, env } = scene
  await until(async () => {
    const shown = await runCommand(['history', 'show', 'temperature'], { cwd, env })
    return shown.status === 0
  })
  await play(t, scene, HISTORY)
})

test('the examples that need no cluster do what they say', async t => {
  const scene = await makeScene(t)
  await mkdir(join(scene.folder, 'certs'))
  await mkdir(join(scene.folder, '.config/fish/completions'), { recursive: true })
  await play(t, scene, ALONE)
})
