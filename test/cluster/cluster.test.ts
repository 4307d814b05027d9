import test from 'ava'

import { Log, run, say } from './program.ts'
import { CLIENT, NODES, prepareEngine, startProject } from './project.ts'

// One project after the other: each is five containers, and the machine may be small.
let releaseEngine = async (): Promise<void> => {}

test.before(async t => {
  t.timeout(900_000)
  releaseEngine = await prepareEngine()
})

test.after.always(async () => {
  await releaseEngine()
})

test.serial('a client removed through one node is cut on another, and may return', async t => {
  const project = await startProject(t)

  const added = await project.operator('node-1', 'whitelist', 'add', CLIENT, '--reason', 'new shop')
  t.is(added.status, 0, added.stderr)
  const container = await project.startClient('node-3')
  using log = new Log(container)
  say(await log.line(/temperature/i))

  const startedAt = performance.now()
  const removed = await project.operator('node-2', 'whitelist', 'remove', CLIENT)
  t.is(removed.status, 0, removed.stderr)
  say(await log.line(/revoked/i))
  say(`cut ${Math.round(performance.now() - startedAt)} ms after the command was typed`)
  const ended = await run(['docker', 'wait', container])
  t.not(ended.stdout.trim(), '0')

  for (const node of NODES) {
    const again = new Log(await project.startClient(node))
    say(await again.line(/revoked|not on the whitelist/i))
    again[Symbol.dispose]()
  }

  t.is((await project.operator('node-3', 'whitelist', 'add', CLIENT)).status, 0)
  using back = new Log(await project.startClient('node-1'))
  say(await back.line(/temperature/i))
})

test.serial('a node that was killed comes back with what it knew and what it missed', async t => {
  const project = await startProject(t)

  t.is((await project.operator('node-2', 'whitelist', 'add', CLIENT)).status, 0)
  await project.kill('node-2')
  await project.operator('node-1', 'whitelist', 'remove', CLIENT)
  await project.operator('node-1', 'whitelist', 'add', 'missed-client')
  await project.restart('node-2')

  const list = await project.operator('node-2', 'whitelist', 'list', '--json')
  t.is(list.status, 0, list.stderr)
  t.regex(list.stdout, /missed-client/)
  using log = new Log(await project.startClient('node-2'))
  say(await log.line(/revoked|not on the whitelist/i))
})

test.serial('a second up keeps the certificates and the nodes that run', async t => {
  const project = await startProject(t)
  const before = await project.compose('ps', '-q', ...NODES)
  const inspect = ['run', '--rm', '--no-deps', '-T', '--entrypoint', 'sha256sum', 'operator']
  const key = '/certs/operators/admin/private-key.pem'
  const keyBefore = await project.compose(...inspect, key)

  await project.compose('up', '-d', ...NODES)
  const after = await project.compose('ps', '-q', ...NODES)
  t.is(after.stdout, before.stdout)
  t.is((await project.compose(...inspect, key)).stdout, keyBefore.stdout)
})
