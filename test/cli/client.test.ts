import test from 'ava'
import { systemClock } from '../../node/lib/clock.ts'
import { layCable } from '../support/cable.ts'
import { runCommand, startCommand, type CommandRun, type IoOptions } from '../support/cli.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'c1' }

/** Start `fridge client watch` on nodes by their numbers. */
function watch(
  cluster: Cluster,
  nodes: readonly number[],
  args: readonly string[] = [],
  options: IoOptions = {},
): CommandRun {
  const targets = nodes.flatMap(node => ['--node', cluster.address(node)])
  return startCommand(['client', 'watch', ...targets, ...args], { env, ...options })
}

test('watch prints the last events at once and later ones as they come, until it is stopped', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { out, err, stop, status } = watch(cluster, [1])
  await out.find(/^\d\d:\d\d:\d\d\.\d{3} {2}node-1 {2}door {2}closed$/)
  await out.find(/^\S+ {2}node-1 {2}temperature {2}[\d.]+ °C$/)
  cluster.node(1).fridge?.openDoor()
  await out.find(/ {2}door {2}open$/)
  stop()
  t.is(await status, 0)
  t.is(err.text, `connected to node-1 at ${cluster.address(1)}`)
})

test('watch prints what a hygrometer says, as of every kind', async t => {
  const humidity = {
    driver: 'command',
    kind: 'humidity',
    command: ['sh', '-c', 'echo 48.2; exec sleep 1000'],
  }
  await using cluster = await startCluster(t, { certs, config: { sensors: { humidity } } })
  await cluster.grant(1, 'c1')
  const { out, stop, status } = watch(cluster, [1])
  await out.find(/^\S+ {2}node-1 {2}humidity {2}48\.20 %$/)
  stop()
  t.is(await status, 0)
})

test('watch prints one JSON document a line', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { out, stop, status } = watch(cluster, [1], ['--json', '--max-temperature', '-20'])
  await out.find(/"alarm"/)
  cluster.node(1).fridge?.openDoor()
  await out.find(/"open"/)
  stop()
  t.is(await status, 0)
  const lines = out.all.map(line => JSON.parse(line) as Record<string, unknown>)
  t.like(
    lines.find(({ type }) => type === 'close'),
    { node: 'node-1', sensor: 'door' },
  )
  t.like(
    lines.find(({ type }) => type === 'reading'),
    { sensor: 'temperature', unit: 'C' },
  )
  t.like(
    lines.find(({ type }) => type === 'alarm'),
    { node: 'node-1', sensor: 'temperature', state: 'raised', rule: 'high', limits: 'own' },
  )
})

test('watch raises the alarm of a door by the clock of its node, and ends it', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  // The clock of this machine is an hour ahead: by it the door has been open for an hour.
  const clock = { ...systemClock, now: () => systemClock.now() + 3_600_000 }
  const args = ['--door-timeout', '50m', '--json']
  const { out, stop, status } = watch(cluster, [1], args, { clock })
  await out.find(/"close"/)
  cluster.node(1).fridge?.openDoor()
  await out.find(/"open"/)
  cluster.node(1).fridge?.closeDoor()
  await out.find(/"close"/, out.all.length)
  stop()
  t.is(await status, 0)
  t.notRegex(out.text, /alarm/)

  const short = watch(cluster, [1], ['--door-timeout', '1s'])
  await short.out.find(/door {2}closed/)
  cluster.node(1).fridge?.openDoor()
  await short.out.find(
    /^[\d:.]{12} {2}ALARM {2}node-1 {2}door {2}own limit: open for more than 1s: close it, since 20/,
  )
  cluster.node(1).fridge?.closeDoor()
  await short.out.find(/^[\d:.]{12} {2}alarm over {2}node-1 {2}door {2}own limit: closed$/)
  short.stop()
  t.is(await short.status, 0)
})

test('watch shows the alarms of the node, and those of a node that restarts are over in their time', async t => {
  const rules = { temperature: { high: { limit: -20 } } }
  await using cluster = await startCluster(t, { certs, config: { alarms: { rules } } })
  await cluster.grant(1, 'c1')
  const { out, err, stop, status } = watch(cluster, [1], ['--json'])
  const raised = JSON.parse(await out.find(/"raised"/)) as Record<string, unknown>
  t.like(raised, {
    limits: 'node',
    node: 'node-1',
    sensor: 'temperature',
    rule: 'high',
    limit: -20,
  })
  await cluster.stop(1)
  await err.find(/^lost node-1/)
  await cluster.start(1, { alarms: { rules: { temperature: { high: { limit: 90 } } } } })
  const over = JSON.parse(await out.find(/"over"/)) as Record<string, unknown>
  t.is(over['id'], raised['id'])
  stop()
  t.is(await status, 0)
})

test('watch says when another fridge comes under its limits, and whose alarms are whose', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const { out, err, stop, status } = watch(cluster, [1, 2], ['--max-temperature', '-20'])
  await out.find(/ ALARM {2}node-1 {2}temperature/)
  await cluster.stop(1)
  await err.find(/^watches node-2 from now on, and no longer node-1$/)
  await out.find(/ ALARM {2}node-2 {2}temperature/)
  stop()
  t.is(await status, 0)
})

test('watch --all watches every node that is named, and waits for those that are not there', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const second = cluster.address(2)
  await cluster.stop(2)
  const args = ['client', 'watch', '--all', '--node', cluster.address(1), '--node', second]
  const { out, err, stop, status } = startCommand(args, { env })
  await out.find(/ {2}node-1 {2}temperature/)
  await err.find(new RegExp(`^waits for ${second}: `))
  await cluster.start(2)
  await out.find(/ {2}node-2 {2}temperature/)
  await cluster.revoke(1, 'c1')
  t.is(await status, 4)
  stop()
})

test('alarms are coloured on a terminal only', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { out, stop, status } = watch(cluster, [1], ['--max-temperature', '-20'], {
    hasColours: true,
  })
  const alarm = await out.find(/ALARM {2}node-1 {2}temperature/)
  t.true(alarm.includes('  \u001B[31mALARM') && alarm.endsWith('\u001B[0m'))
  stop()
  t.is(await status, 0)
})

test('watch moves to another node when its own stops, and goes on there', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const { out, err, stop, status } = watch(cluster, [1, 2])
  await out.find(/node-1 {2}door/)
  await cluster.stop(1)
  await out.find(/node-2 {2}door/)
  t.deepEqual(
    err.all.map(line => line.replace(/ at .*/, '')),
    [
      'connected to node-1',
      'lost node-1: the node is stopping',
      'connected to node-2',
      'watches node-2 from now on, and no longer node-1',
    ],
  )
  stop()
  t.is(await status, 0)
})

test('watch ends with the reason and status 4 when its client is revoked', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const { out, err, status } = watch(cluster, [1, 2])
  await out.find(/door/)
  await cluster.revoke(2, 'c1')
  t.is(await status, 4)
  t.deepEqual(err.all.slice(1), [
    // Then the other node is asked.
    'lost node-1: client/c1 has been removed from the whitelist',
    'fridge: client/c1 has been removed from the whitelist',
    '  to mend it: an operator can let it in: fridge whitelist add c1',
  ])
})

test('watch ends with status 4 when its client is not on the list, whatever other nodes are named', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const { out, err, status } = watch(cluster, [1, 2])
  t.is(await status, 4)
  t.is(out.text, '')
  t.regex(err.text, /^fridge: client\/c1 is not on the whitelist$/m)
})

test('watch waits for nodes that are gone, and tells so once', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { out, err, stop, status } = watch(cluster, [1])
  await out.find(/door/)
  await cluster.stop(1)
  await err.find(/^lost node-1: the node is stopping$/)
  await cluster.start(1)
  const before = out.all.length
  await out.find(/door/, before)
  t.is(err.all.filter(line => line.startsWith('lost ')).length, 1)
  t.is(err.all.filter(line => line.startsWith('connected ')).length, 2)
  stop()
  t.is(await status, 0)
})

test('watch goes on where it was when its node comes back, and tells what it missed', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  const args = ['client', 'watch', '--node', cable.address]
  const runs = [startCommand(args, { env }), startCommand([...args, '--json'], { env })]
  const [text, json] = runs as [CommandRun, CommandRun]
  for (const { out } of runs) await out.find(/door/)
  cable.unplug()
  for (const { err } of runs) await err.find(/^lost node-1/)
  for (let time = 0; time < 50; time += 1) {
    cluster.node(1).fridge?.openDoor()
    cluster.node(1).fridge?.closeDoor()
  }
  await cluster.grant(1, 'c2')
  cable.plug()
  await text.err.find(/^missed 36 events of door at node-1$/)
  const line = await json.out.find(/"missed".*"door"/)
  t.deepEqual(JSON.parse(line), { type: 'missed', node: 'node-1', sensor: 'door', count: 36 })
  for (const { stop, status } of runs) {
    stop()
    t.is(await status, 0)
  }
})

test('what is no limit is refused before any node is asked', async t => {
  for (const [args, what] of [
    [['--door-timeout', '30'], /"30" is not a duration/],
    [['--max-temperature', 'warm'], /--max-temperature "warm" is not a number/],
    [['--max-temperature', ''], /--max-temperature "" is not a number/],
    [['--min-temperature', 'cold'], /--min-temperature "cold" is not a number/],
    [['--min-temperature', '8', '--max-temperature', '2'], /8 is not below --max-temperature 2/],
    [['--for', '15m'], /--for says how long a limit may be passed, and there is none/],
    [['--node', 'nowhere'], /"nowhere"/],
  ] as const) {
    const { status, err } = await runCommand(['client', 'watch', ...args], {
      env: { ...env, FRIDGE_NODE: '127.0.0.1:1' },
    })
    t.is(status, 2, args.join(' '))
    t.regex(err, what)
  }
})

test('call works the fridge of the node that answers', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const call = async (...args: string[]) =>
    runCommand(['client', 'call', ...args, '--node', cluster.address(1)], { env })
  t.deepEqual(await call('setTargetTemperature', '6.5'), {
    status: 0,
    out: 'node-1: target temperature set to 6.5 °C',
    err: '',
  })
  t.is(cluster.node(1).fridge?.state().target, 6.5)
  t.is((await call('powerOff')).status, 0)
  t.is(cluster.node(1).fridge?.state().isPowered, false)
  t.deepEqual(JSON.parse((await call('powerOn', '--json')).out), {
    node: 'node-1',
    command: 'powerOn',
    answer: 'power is on',
  })
  t.is((await call('defrost')).status, 0)

  const tooWarm = await call('setTargetTemperature', '40')
  t.is(tooWarm.status, 1)
  t.regex(tooWarm.err, /must be from -30 to 15 °C/)
  t.is((await call('setTargetTemperature')).status, 2)
})

test('a command that does not exist, or an argument that is no number, is refused before any node is asked', async t => {
  const nowhere = { env: { ...env, FRIDGE_NODE: '127.0.0.1:1' } }
  const misspelt = await runCommand(['client', 'call', 'defrst'], nowhere)
  t.is(misspelt.status, 2)
  t.regex(misspelt.err, /there is no command "defrst"\n {2}to mend it: did you mean defrost\?/)
  const word = await runCommand(['client', 'call', 'setTargetTemperature', 'cold'], nowhere)
  t.is(word.status, 2)
  t.regex(word.err, /"cold" is not a number/)
})

test('a command that the grant does not allow is refused', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { commands: ['defrost'] })
  const args = ['client', 'call', 'powerOff', '--node', cluster.address(1)]
  const { status, err } = await runCommand(args, { env })
  t.is(status, 4)
  t.regex(err, /the grant does not allow powerOff/)
  t.is(cluster.node(1).fridge?.state().isPowered, true)
})

test('a negative argument is no option', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const args = ['client', 'call', '--node', cluster.address(1), 'setTargetTemperature', '-5']
  const { status } = await runCommand(args, { env })
  t.is(status, 0)
  t.is(cluster.node(1).fridge?.state().target, -5)
})

test('a client may be said with its role, and an operator is no client', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const call = ['client', 'call', 'defrost', '--node', cluster.address(1), '--as']
  const done = await runCommand([...call, 'client/c1'], { env })
  t.is(done.status, 0, done.err)
  const refused = await runCommand([...call, 'operator/admin'], { env })
  t.is(refused.status, 2)
  t.is(
    refused.err,
    'fridge: this command is for clients, and operator/admin is none\n  to mend it: name one: --as client/NAME',
  )
  const status = ['status', '--node', cluster.address(1), '--as', 'operator/admin']
  t.regex((await runCommand(status, { env })).out, /^node-1 knows /)
})
