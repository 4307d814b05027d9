import test from 'ava'

import { buildDebianPackage, cleanMachine } from './debian.ts'
import { Log, run, say } from './program.ts'
import { CLIENT, NODES, prepareEngine, startProject } from './project.ts'

/** What `fridge client watch` says when it is cut or refused for a revocation, and ends with. */
const REMOVED = /has been removed from the whitelist/
const REFUSED = '4'

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
  say(await log.line(REMOVED))
  say(`cut ${Math.round(performance.now() - startedAt)} ms after the command was typed`)
  const ended = await run(['docker', 'wait', container])
  t.is(ended.stdout.trim(), REFUSED)

  for (const node of NODES) {
    const again = new Log(await project.startClient(node))
    say(await again.line(REMOVED))
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
  const removed = await project.operator('node-1', 'whitelist', 'remove', CLIENT)
  t.is(removed.status, 1, 'a node that cannot be reached has not confirmed')
  t.regex(removed.stderr, /out of reach: node-2/)
  const away = ['--allow-unreachable']
  const added = await project.operator('node-1', 'whitelist', 'add', 'missed-client', ...away)
  t.is(added.status, 0, added.stderr)
  await project.restart('node-2')

  const list = await project.operator('node-2', 'whitelist', 'list', '--json')
  t.is(list.status, 0, list.stderr)
  t.regex(list.stdout, /missed-client/)
  using log = new Log(await project.startClient('node-2'))
  say(await log.line(REMOVED))
})

test.serial(
  'the client of compose.yaml is let in, and a second up leaves all as it is',
  async t => {
    const project = await startProject(t)
    await project.compose('up', '-d')
    using log = new Log(await project.container('client'))
    say(await log.line(/is not on the whitelist/))

    t.is((await project.operator('node-1', 'whitelist', 'add', CLIENT)).status, 0)
    say(await log.line(/temperature/i))
    const status = await project.operator('node-2', 'status')
    t.is(status.status, 0, status.stdout)

    const before = await project.compose('ps', '-q')
    const inspect = ['run', '--rm', '--no-deps', '-T', '--entrypoint', 'sha256sum', 'operator']
    const key = '/certs/operators/admin/private-key.pem'
    const keyBefore = await project.compose(...inspect, key)
    await project.compose('up', '-d')
    t.is((await project.compose('ps', '-q')).stdout, before.stdout)
    t.is((await project.compose(...inspect, key)).stdout, keyBefore.stdout)
  },
)

test.serial(
  'a Debian package installs on a clean machine, keeps its configuration, and leaves nothing when purged',
  async t => {
    const machine = await cleanMachine(t, await buildDebianPackage(t))
    await machine.do('dpkg --install --force-unsafe-io /fridge.deb')
    t.regex(await machine.do('fridge --version'), /^\d+\.\d+\.\d+\n$/)
    t.regex(
      await machine.do('cd /tmp && fridge demo --once'),
      /has been removed from the whitelist/,
    )
    const folders = await machine.do("stat -c '%n %a %U' /etc/fridge /etc/fridge/* /var/lib/fridge")
    t.deepEqual(folders.trim().split('\n'), [
      '/etc/fridge 750 root',
      '/etc/fridge/certs 700 fridge',
      '/etc/fridge/node.yaml 640 root',
      '/var/lib/fridge 700 fridge',
    ])
    const unit = await machine.do('cat /lib/systemd/system/fridge.service')
    t.regex(unit, /^ExecStart=\/usr\/lib\/fridge\/node .* --config \/etc\/fridge\/node\.yaml$/m)

    await machine.do('echo "name: mine" >/etc/fridge/node.yaml; touch /var/lib/fridge/kept')
    await machine.do('dpkg --install --force-unsafe-io /fridge.deb')
    t.is(await machine.do('cat /etc/fridge/node.yaml'), 'name: mine\n')
    await machine.do('dpkg --remove fridge')
    t.is(
      await machine.do(
        'ls /var/lib/fridge /usr/lib/fridge 2>&1 || true; cat /etc/fridge/node.yaml',
      ),
      `ls: cannot access '/usr/lib/fridge': No such file or directory
/var/lib/fridge:
kept
name: mine
`,
    )
    await machine.do('dpkg --purge fridge')
    const left = await machine.do(
      'find / -xdev -name "*fridge*" -not -path "/proc/*" -not -name fridge.deb; getent passwd fridge || true',
    )
    t.is(left, '')
  },
)
