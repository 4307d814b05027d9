import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import test from 'ava'
import { formatAddress } from '../../node/lib/address.ts'
import { startNode } from '../../node/start.ts'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { layCable } from '../support/cable.ts'
import { runCommand, type CommandResult } from '../support/cli.ts'
import {
  endUnheard,
  makeSharedCerts,
  startCluster,
  testConfig,
  until,
  untilReachable,
} from '../support/cluster.ts'
import { doctorWith, wrong } from './doctor-run.ts'
import { SkipClock } from '../support/skip-clock.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const doctor = doctorWith(certs.dir)
test.after.always(() => shared.remove())

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

test('large packets that are lost on the way to a node are no certificate that it refuses', async t => {
  await using cluster = await startCluster(t, {
    certs,
    config: { tls: { handshakeTimeoutMs: 500 } },
  })
  const cable = await layCable(t, cluster.node(1).address)
  const clock = new SkipClock()
  for (const [command, says] of [
    [
      ['status'],
      /hung up after \d+ s without a word.*what is sent there is lost on the way\n.*doctor/,
    ],
    [
      ['doctor'],
      /answers small packets at once, and a TLS handshake never: large packets are lost/,
    ],
  ] as const) {
    const lost = cable.loseLarge(600, 'clients')
    const asked = runCommand([...command, '--node', cable.address, '--certs', certs.dir], { clock })
    await lost
    clock.skip(4_000)
    const { out, err } = await asked
    t.regex(`${out}\n${err}`, says)
  }
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
    '         to mend it: start a node there: fridge node start --name NAME',
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

test('who asks may be said with the role as well', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  for (const as of ['operator/admin', 'client/c1']) {
    const { out } = await doctor(['--node', cluster.address(1), '--as', as])
    t.regex(out, new RegExp(`node-1 answers ${as}$`, 'm'))
  }
})
