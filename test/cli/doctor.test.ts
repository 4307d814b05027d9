import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../node/lib/clock.ts'
import { authorityFiles, credentialFiles } from '../../node/identity/credential-files.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { startNode } from '../../node/start.ts'
import { parseName } from '../../node/identity/names.ts'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { layCable } from '../support/cable.ts'
import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'
import {
  endUnheard,
  makeSharedCerts,
  startCluster,
  testConfig,
  until,
  untilReachable,
} from '../support/cluster.ts'
import { SkipClock } from '../support/skip-clock.ts'

const DAY_MS = 86_400_000
const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

async function doctor(args: readonly string[], options: IoOptions = {}): Promise<CommandResult> {
  return runCommand(['doctor', ...args], { env: { FRIDGE_CERTS: certs.dir }, ...options })
}

/** What is on the lines that start with `WRONG`, and what mends it. */
function wrong({ out }: CommandResult): string[] {
  return out.split('\n').filter(line => !line.startsWith('ok '))
}

/** The certificate folder of a machine that has one node. */
async function nodeFolder(t: ExecutionContext): Promise<string> {
  const dir = await makeTestFolder(t)
  await cp(join(certs.dir, 'nodes', 'node-1'), join(dir, 'nodes', 'node-1'), { recursive: true })
  await mkdir(join(dir, 'ca'))
  const { certificateFile } = authorityFiles(certs.dir)
  await cp(certificateFile, authorityFiles(dir).certificateFile)
  return dir
}

test('a cluster that is well is told to be, check by check', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const well = await doctor(['--node', cluster.address(1), '--node', cluster.address(2)])
  t.is(well.status, 0, well.out)
  t.is(well.err, '')
  const expected = [
    /^ok +certificates: 6 holders in \S+, the first ends in 36\dd/,
    /^ok +node \S+: node-1 answers operator\/admin$/,
    /^ok +clock: node-1 and this machine are \d+ms apart$/,
    /^ok +cluster: node-1 sees 2 nodes, all in reach$/,
    /^ok +fridges: every sensor of 2 nodes is known, and no alarm stands$/,
    /^ok +node \S+: node-2 answers operator\/admin$/,
    /^ok +clock: node-2 /,
  ]
  const lines = well.out.split('\n')
  t.is(lines.length, expected.length, well.out)
  for (const [index, pattern] of expected.entries()) t.regex(lines[index] ?? '', pattern)
  const { sound, checks } = JSON.parse(
    (await doctor(['--node', cluster.address(1), '--json'])).out,
  ) as { sound: boolean; checks: { check: string; ok: boolean }[] }
  t.true(sound && checks.every(({ ok }) => ok))
})

test('one node is enough to ask every other', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await untilReachable(cluster, 1, 3)
  const { status, out } = await doctor(['--node', cluster.address(1)])
  t.is(status, 0, out)
  for (const name of ['node-1', 'node-2', 'node-3']) {
    t.true(out.includes(`: ${name} answers operator/admin`), out)
    t.regex(out, new RegExp(`^ok +clock: ${name} and this machine`, 'm'))
  }
})

test('large packets that are lost on the way are told apart from a node that hangs', async t => {
  await using cluster = await startCluster(t, { certs })
  const cable = await layCable(t, cluster.node(1).address)
  const clock = new SkipClock()
  const lost = cable.loseLarge(512)
  const asked = doctor(['--node', cable.address], { clock })
  await lost
  clock.skip(10_000)
  const { status, out } = await asked
  t.is(status, 1)
  t.regex(out, /answers small packets at once, and a TLS handshake never: large packets are lost/)
  t.regex(out, /to mend it: .*ping -M do -s 1400 127\.0\.0\.1/)

  const mute = createServer().listen(0, '127.0.0.1')
  t.teardown(() => mute.close())
  await once(mute, 'listening')
  const { port } = mute.address() as AddressInfo
  const taken = once(mute, 'connection')
  const again = doctor(['--node', `127.0.0.1:${port}`], { clock })
  await taken
  const probed = once(mute, 'connection')
  clock.skip(10_000)
  await probed
  clock.skip(3_000)
  t.regex((await again).out, /took the connection, and said too little within 10000 ms/)
})

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

test('a folder that cannot be read is told apart from one that is empty', async t => {
  const dir = await makeTestFolder(t)
  // What root may read too is no folder.
  await writeFile(join(dir, 'nodes'), '')
  const { status, out } = await doctor(['--node', '127.0.0.1:1'], { env: { FRIDGE_CERTS: dir } })
  t.is(status, 1)
  t.regex(out, /nodes cannot be read: ENOTDIR\n +to mend it: look what stands there: ls -ld /)
  t.notRegex(out, /certs init/)
})

test('a removed node is told to get a new name, and the healthy ones are left in peace', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.stop(2)
  await cluster.revoke(1, 'node/node-2')
  await cluster.start(2)
  await cluster.log.find(({ text }) => text.startsWith('this node was removed'))
  const asked = await doctor(['--node', cluster.address(2)])
  t.is(asked.status, 1)
  t.regex(
    asked.out,
    /WRONG {2}cluster: node-2 was removed from the cluster by admin at .*: it serves nobody/,
  )
  t.regex(asked.out, /fridge certs issue node NAME/)
  t.false(asked.out.includes('whitelist remove'), asked.out)
  // On its own machine it is told without any node that answers.
  const { certs: dir, data } = cluster.config(2)
  await cluster.stop(2)
  const own = await doctor(['--name', 'node-2', '--data', data, '--certs', dir])
  t.regex(own.out, /WRONG {2}cluster: node-2 was removed/)
  const healthy = await doctor(['--node', cluster.address(1)])
  t.is(healthy.status, 0, healthy.out)
})

test('two machines of one name are both named, and neither is to be removed', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const peers = [cluster.address(1), cluster.address(2)]
  const data = await makeTestFolder(t)
  const config = testConfig('node-2', {
    certs: certs.dir,
    data,
    config: { peers },
  })
  await using clone = await startNode(
    { ...config, gossip: { ...config.gossip, firstSyncMs: 1 } },
    { log: cluster.log.of('clone') },
  )
  await cluster.log.find(({ node, text }) => node === 'node-1' && text.startsWith('two nodes run'))
  const twice = await doctor(['--node', cluster.address(1)])
  t.is(twice.status, 1)
  t.regex(twice.out, /WRONG {2}cluster: node-2 runs twice: linked is the one at 127\.0\.0\.1/)
  t.regex(twice.out, /stop one of the two, .*fridge certs issue node NAME/)
  t.false(twice.out.includes('whitelist remove'), twice.out)
  const asked = await doctor(['--node', formatAddress(clone.address)])
  t.regex(asked.out, /WRONG {2}cluster: another machine runs under the name of node-2/)
  t.false(asked.out.includes('whitelist remove'), asked.out)
  const status = await runCommand(['status', '--node', cluster.address(1), '--certs', certs.dir])
  t.is(status.status, 1)
  t.regex(status.out, /node-2 runs twice/)
})

test('a node that is gone, a list that may be stale and a clock that is wrong are each told with what mends it', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { nodes: 2, certs, clock })
  const gone = cluster.address(2)
  await endUnheard(cluster, 2, [1])
  clock.skip(60_000)
  const ill = await doctor(['--node', cluster.address(1), '--node', gone])
  t.is(ill.status, 1)
  // A busy machine takes its time.
  const [first, ...rest] = wrong(ill).map(line => line.replace(/1m \d+s/, '1m'))
  t.regex(first ?? '', /^WRONG +clock: node-1 and this machine are (59s|1m)/)
  t.deepEqual(rest, [
    '         to mend it: set the clock that is wrong, and keep it so: timedatectl set-ntp true',
    'WRONG  cluster: node-1 has had no peer for 1m: its list may be stale',
    '         to mend it: mend its network, or give it a peer: fridge node start --name node-1 --peer HOST:PORT',
    'WRONG  cluster: node-2 is out of reach',
    '         to mend it: look there: fridge doctor --name node-2; should it never be back: fridge node forget node-2',
    `WRONG  node ${gone}: nothing listens on ${gone}`,
    '         to mend it: start a node there: fridge node start',
  ])
})

test('who is refused is told why', async t => {
  const own = await makeTestCerts(t, {
    nodes: ['node-1'],
    clients: ['c1'],
    operators: ['admin', 'eve'],
  })
  await using cluster = await startCluster(t, { certs: own })
  await cluster.revoke(1, 'operator/eve')
  const ask = async (as: string): Promise<string[]> =>
    wrong(
      await doctor(['--node', cluster.address(1), '--as', as], { env: { FRIDGE_CERTS: own.dir } }),
    )
  const [first, fix] = await ask('eve')
  t.regex(first ?? '', /^WRONG +node \S+: operator\/eve has been removed from the whitelist$/)
  t.regex(fix ?? '', /fridge certs issue operator NAME$/)
  t.regex((await ask('c1'))[0] ?? '', /^WRONG +node \S+: client\/c1 is not on the whitelist$/)
  t.regex((await ask('zoe'))[0] ?? '', /^WRONG +nodes: nobody called zoe can ask them$/)
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

test('an authority that was withdrawn and can still let somebody in is named, until a checkpoint is signed', async t => {
  const own = await makeSharedCerts()
  t.teardown(() => own.remove())
  await using cluster = await startCluster(t, { nodes: 1, certs: own.certs })
  const env = { FRIDGE_CERTS: own.certs.dir, FRIDGE_AS: 'admin' }
  const node = ['--node', cluster.address(1)]
  for (const step of [
    ['rotate-ca', 'begin'],
    ['renew', '--all'],
    ['rotate-ca', 'finish'],
  ]) {
    const { status, out } = await runCommand(['certs', ...step], { env })
    t.is(status, 0)
    if (step[1] === 'finish') t.regex(out, /3\. fridge whitelist checkpoint/)
  }
  await cluster.node(1).reload()
  const due = await doctor(node, { env })
  t.is(due.status, 1)
  t.regex(
    due.out,
    /^WRONG +checkpoint: an authority that you no longer trust can still let somebody in/m,
  )
  t.regex(due.out, /fridge whitelist checkpoint$/m)
  const { status, out } = await runCommand(['whitelist', 'checkpoint', ...node], { env })
  t.is(status, 0)
  t.regex(out, /what the authority with the key [0-9a-f]{64} signs adds nothing/)
  await until(async () => (await doctor(node, { env })).status === 0)
  t.pass()
})

test('a sensor of which nothing is known and an alarm that stands are found on every node, with what is to be done', async t => {
  const command = ['sh', '-c', 'echo x; exec sleep 1000']
  const config = {
    sensors: {
      temperature: { driver: 'simulated' },
      probe: { driver: 'command', kind: 'temperature', command },
    },
    alarms: {
      rules: { temperature: { high: { limit: -20 } } },
      program: ['/nonexistent/notify'],
    },
    // More than any disk has.
    history: { minFreeBytes: 2 ** 52 },
  }
  await using cluster = await startCluster(t, { nodes: 2, certs, config })
  const look = async (): Promise<CommandResult> => doctor(['--node', cluster.address(1)])
  await until(async () => {
    const { out } = await look()
    return ['probe of node-2: unavailable', 'alarms of node-2'].every(text => out.includes(text))
  })
  const lines = wrong(await look())
  t.true(
    lines.some(line => /^WRONG +fridges: probe of node-1: unavailable for \d+m?s: /.test(line)),
  )
  t.true(
    lines.some(line =>
      /^WRONG +fridges: the history of node-2 is not recorded: less than \d+ MiB are free/.test(
        line,
      ),
    ),
  )
  t.true(
    lines.some(line =>
      /^WRONG +fridges: alarms of node-2 reach not all .*: the program for alarms: there is no program \/nonexistent\/notify$/.test(
        line,
      ),
    ),
  )
  t.true(
    lines.some(line => /^WRONG +fridges: alarm: temperature of node-2: above -20 °C$/.test(line)),
  )
  t.true(
    lines.some(line =>
      /to mend it: fridge alarms acknowledge [0-9a-f]{12} --node [\d.:]+$/.test(line),
    ),
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

test('who asks may be said with the role as well', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  for (const as of ['operator/admin', 'client/c1']) {
    const { out } = await doctor(['--node', cluster.address(1), '--as', as])
    t.regex(out, new RegExp(`node-1 answers ${as}$`, 'm'))
  }
})
