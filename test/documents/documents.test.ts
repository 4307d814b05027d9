import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { parse } from 'yaml'
import { nodeConfigSchema } from '../../node/config/config.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { makeTestCerts } from '../support/certs.ts'
import { runCommand } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { makeScene, play, type Step } from '../support/typed-scene.ts'
import { FROM_2016 } from './article.ts'
import { blocksOf, DOCUMENTS, ROOT } from './blocks.ts'
import { ELSEWHERE, NOT_OF_A_NODE } from './elsewhere.ts'
import { BROKER, FIRST_STEPS, FROM_OPENSSL, KEYS_MADE_THERE } from './readme.ts'
import { AFTER_A_THEFT } from './security.ts'
import { MACHINES } from './tutorial.ts'

/** The lines that are typed below, by the document that shows them. */
const TYPED: ReadonlyMap<string, readonly Step[]> = new Map([
  ['README.md', [FIRST_STEPS, KEYS_MADE_THERE, FROM_OPENSSL, BROKER].flat()],
  ['certs/README.md', FROM_OPENSSL],
  ['SECURITY.md', AFTER_A_THEFT],
  ['docs/tutorial.md', MACHINES],
  ['docs/from-the-article.md', FROM_2016],
])

test('every block of every document is run here or elsewhere, or it is written why not', async t => {
  const unknown: string[] = []
  const used = new Set<string>()
  for (const document of DOCUMENTS) {
    const typed = new Set(TYPED.get(document)?.map(({ line }) => line))
    for (const { lines } of await blocksOf(document, 'sh', 'js', 'ts', 'html')) {
      if (lines.every(line => typed.has(line))) continue
      const key = `${document}: ${lines[0]}`
      if (ELSEWHERE.has(key)) used.add(key)
      else unknown.push(key)
    }
  }
  t.deepEqual(unknown, [], 'blocks that nobody runs')
  t.deepEqual([...new Set(ELSEWHERE.keys()).difference(used)], [], 'blocks that are no more')
})

test('every configuration of a node that a document shows is accepted', async t => {
  let count = 0
  for (const document of DOCUMENTS) {
    for (const { text } of await blocksOf(document, 'yaml')) {
      const shown = parse(text) as object
      if (NOT_OF_A_NODE.some(key => key in shown)) continue
      t.notThrows(() => nodeConfigSchema.parse({ name: 'node-1', ...shown }), text)
      count += 1
    }
  }
  t.true(count > 8)
})

test('the README does what it says, typed from its first line on', async t => {
  const scene = await makeScene(t)
  const { folder, env, here } = scene
  Object.assign(env, { FRIDGE_WEB: '127.0.0.1:0', FRIDGE_METRICS: '127.0.0.1:0' })
  here.set('127.0.0.1:7444', '127.0.0.1:0').set('5f0c…', '5f0c'.repeat(16))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const [program] = await blocksOf('README.md', 'js')
  await writeFile(join(folder, 'client.mjs'), program?.text ?? '')
  await play(t, scene, FIRST_STEPS)
})

test('a key is made where it is used, as the README says', async t => {
  const certs = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin'] })
  await runCommand(['certs', 'issuing-key', 'node-1', '--certs', certs.dir])
  const config = { enrolment: { listen: '127.0.0.1:0' } }
  await using cluster = await startCluster(t, { certs, config })
  const { enrolment } = cluster.node(1)
  if (enrolment === undefined) throw new Error('the node issues nothing')
  const scene = await makeScene(t)
  await symlink(certs.dir, join(scene.folder, 'certs'))
  scene.here.set('node-1.shop.example:7443', cluster.address(1))
  scene.here.set('node-1.shop.example:7445', formatAddress(enrolment))
  scene.env['FRIDGE_NODE'] = cluster.address(1)
  await play(t, scene, KEYS_MADE_THERE)
})

test('what openssl has made is enough for a node, as the README says', async t => {
  const scene = await makeScene(t)
  await mkdir(join(scene.folder, 'certs'))
  await copyFile(join(ROOT, 'certs/openssl'), join(scene.folder, 'certs/openssl'))
  await play(t, scene, FROM_OPENSSL)
})

test('the page of the README is the one of the examples', async t => {
  const [, page] = await blocksOf('README.md', 'js')
  const example = await readFile(join(ROOT, 'examples/page/page.js'), 'utf8')
  const codeOf = (text = ''): string[] =>
    text
      .slice(text.indexOf("socket.on('event'"))
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('//'))
  t.deepEqual(codeOf(page?.text), codeOf(example))
})

test('a broker and its devices are heard, as the README says', async t => {
  const scene = await makeScene(t)
  const { folder, here } = scene
  const people = { nodes: ['node-1'], clients: ['fridge-client-001'], operators: ['admin'] }
  await symlink((await makeTestCerts(t, people)).dir, join(folder, 'certs'))
  await using broker = await startMosquitto()
  here.set('-h 127.0.0.1', `-h 127.0.0.1 -p ${broker.port}`)
  const blocks = await blocksOf('README.md', 'yaml')
  const config = blocks.find(({ text }) => text.includes('zigbee2mqtt'))?.text ?? ''
  const file = config.replaceAll('mqtt://127.0.0.1', `mqtt://127.0.0.1:${broker.port}`)
  await writeFile(join(folder, 'zigbee.yaml'), file)
  // What a device says that is not kept goes to those who have subscribed by then.
  const before = async (): Promise<void> => broker.subscribed('zigbee2mqtt/fridge-door')
  const steps = BROKER.map(step => (step.tells === undefined ? step : { ...step, before }))
  await play(t, scene, steps)
})

test('after a theft the commands of SECURITY.md mend what can be mended', async t => {
  const people = {
    nodes: ['node-1', 'node-2', 'node-3'],
    clients: ['till-7'],
    operators: ['admin', 'thief', 'stranger'],
  }
  const certs = await makeTestCerts(t, people)
  await using cluster = await startCluster(t, { nodes: 2, certs })
  for (const client of ['till-7', 'phone']) await cluster.grant(1, client)
  const scene = await makeScene(t)
  await symlink(certs.dir, join(scene.folder, 'certs'))
  scene.env['FRIDGE_NODE'] = cluster.address(1)
  scene.env['FRIDGE_AS'] = 'admin'
  await play(t, scene, AFTER_A_THEFT)
})

test('three machines come together as the tutorial says', async t => {
  const scene = await makeScene(t)
  delete scene.env['FRIDGE_LISTEN']
  // All of this network is this machine; test/lines/tutorial.test.ts types it on three. Another run of
  // the tests has another loopback network, so that both can listen on the ports of the page.
  const network = `127.${1 + (process.pid % 250)}.${(process.pid >> 8) % 250}`
  for (const index of [1, 2, 3]) scene.here.set(`10.0.0.${index}`, `${network}.${index}`)
  await play(t, scene, MACHINES)
})

test('a node of 2016 gives way to this one, and its client stays as it is', async t => {
  const scene = await makeScene(t)
  const { folder } = scene
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const [oldNode, twoLists] = await blocksOf('docs/from-the-article.md', 'js')
  const [list] = await blocksOf('docs/from-the-article.md', 'json')
  const [client] = await blocksOf('README.md', 'js')
  // On a port that the system chooses.
  const freed = oldNode?.text.replace('listen(7443', 'listen(0')
  const told = freed?.replace("'listening'", "'listening', server.address().port")
  await writeFile(join(folder, 'old-node.mjs'), told ?? '')
  await writeFile(join(folder, 'two-lists.mjs'), twoLists?.text ?? '')
  await writeFile(join(folder, 'whitelist.json'), list?.text ?? '')
  await writeFile(join(folder, 'client.mjs'), client?.text ?? '')
  await play(t, scene, FROM_2016)
})
