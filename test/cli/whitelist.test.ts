import test from 'ava'
import { runCommand, type CommandResult } from '../support/cli.ts'
import {
  asAdmin,
  endUnheard,
  makeSharedCerts,
  startCluster,
  untilReachable,
  type Cluster,
} from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
/** Others come and go in these tests. */
const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }
const c1 = await certs.load('client', 'c1')
const whitelist = asAdmin('whitelist')
test.after.always(() => shared.remove())

async function json(cluster: Cluster, node: number, ...args: string[]): Promise<unknown> {
  const { out, err, status } = await whitelist(cluster, node, ...args, '--json')
  if (err !== '' || status > 1) throw new Error(`exit status ${status}: ${err}`)
  return JSON.parse(out)
}

test('a name that is added is let in on every node, and the nodes are shown as they confirm it', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  const { status, out, err } = await whitelist(cluster, 1, 'add', 'c1', '--reason', 'a new fridge')
  t.is(status, 0)
  t.is(err, '')
  for (const name of ['node-1', 'node-2', 'node-3']) {
    t.regex(out, new RegExp(`^  ${name} applied it after [\\d.]+ ms$`, 'm'))
  }
  t.is(out.split('\n').at(-1), 'c1 added on 3 nodes')
  for (const index of [1, 2, 3]) {
    await using connection = await cluster.client(index, 'c1')
    t.is(String(connection.node), `node-${index}`)
  }
})

test('a name that is removed is cut, and what was cut is counted', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using one = await cluster.client(1, 'c1')
  await using two = await cluster.client(1, 'c1')
  const { status, out } = await whitelist(cluster, 2, 'remove', 'c1')
  t.is(status, 0)
  t.regex(out, /^ {2}node-1 applied it after [\d.]+ ms, 2 connections cut$/m)
  t.regex(out, /^ {2}node-2 applied it after [\d.]+ ms$/m)
  t.is(out.split('\n').at(-1), 'c1 removed on 2 nodes')
  t.is((await one.ended).code, 'ERR_REVOKED')
  t.is((await two.ended).code, 'ERR_REVOKED')
})

test('several names are changed by one command, and waited for together', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const names = Array.from({ length: 12 }, (_, index) => `till-${index}`)
  const added = await whitelist(cluster, 1, 'add', ...names, 'till-0', '--sensor', 'door')
  t.is(added.status, 0, added.err)
  t.is(added.out.split('\n').at(-1), '12 names added on 2 nodes')
  t.is(added.out.split('\n').length, 3)
  const listed = (await json(cluster, 2, 'ls')) as { subject: string; grants: unknown[] }[]
  t.deepEqual(
    listed.map(({ subject }) => subject),
    names.map(name => `client/${name}`).sort(),
  )
  t.like(listed[0], { standing: 'granted', grants: [{ sensors: ['door'] }] })
  const slip = await whitelist(cluster, 1, 'rm', 'till-1', 'till-2', 'tlil-3', 'till-4')
  t.is(slip.status, 2)
  t.is(slip.out, '')
  t.regex(slip.err, /tlil-3 was never let in; did you mean till-3\?/)
  t.regex((await whitelist(cluster, 2, 'show', 'till-1')).out, /^till-1: granted/)
  const removed = await whitelist(cluster, 1, 'rm', 'till-1', 'till-2', 'till-3', 'till-4')
  t.is(removed.out.split('\n').at(-1), '4 names removed on 2 nodes')
  t.regex((await whitelist(cluster, 2, 'show', 'till-1')).out, /^till-1: revoked/)
})

test('while a change is on its way a line tells how far it has come, and goes away', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const shown: string[] = []
  await runCommand(['whitelist', 'add', 'c1', '--node', cluster.address(1)], {
    env: ENV,
    progress: text => shown.push(text),
  })
  t.deepEqual(shown, [
    '0 of 2 nodes have applied it…',
    '1 of 2 nodes have applied it…',
    '2 of 2 nodes have applied it…',
    '',
  ])
})

test('a change is one JSON document that names who confirmed it', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const added = await json(cluster, 1, 'add', 'c1')
  t.like(added, {
    subject: 'client/c1',
    change: 'grant',
    node: 'node-1',
    sequence: 1,
    silent: [],
    unreachable: [],
  })
  const { confirmed, source } = added as { confirmed: { node: string }[]; source: string }
  t.deepEqual(confirmed.map(({ node }) => node).sort(), ['node-1', 'node-2'])
  t.regex(source, /^node-1#[0-9a-f]{16}$/)
  t.like(await json(cluster, 2, 'remove', 'c1'), { change: 'revocation', node: 'node-2' })
})

test('Ctrl-C ends the waiting, and says that the change goes on', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const stop = new AbortController()
  const remove = ['whitelist', 'remove', 'c1', '--node', cluster.address(1)]
  const { status, err } = await runCommand(remove, {
    env: ENV,
    signal: stop.signal,
    progress: text => {
      if (text.startsWith('1 of 2')) stop.abort()
    },
  })
  t.is(status, 1)
  t.is(
    err,
    'the wait ended early: c1 is removed on node-1, and the others follow; see fridge whitelist show c1',
  )
  t.regex((await whitelist(cluster, 1, 'show', 'c1')).out, /^c1: revoked/)
})

test('an operator that removes itself is told on which node it is done, though it is cut at once', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  // Whether the other node has applied it, it cannot hear any more.
  for (const [name, flag, expected] of [
    ['eve', undefined, 1],
    ['finn', '--no-wait', 0],
    ['gus', '--json', 1],
  ] as const) {
    await certs.issue('operator', name)
    const self = ['remove', `operator/${name}`, '--as', name, ...(flag === undefined ? [] : [flag])]
    const { status, out, err } = await whitelist(cluster, 1, ...self)
    t.is(status, expected, err)
    t.regex(err, new RegExp(`^you are shut out; .*: fridge whitelist show operator/${name}$`))
    if (flag === '--json') t.like(JSON.parse(out), { node: 'node-1', self: true })
    else t.is(out, `operator/${name} removed on node-1; the others follow`)
    t.is((await whitelist(cluster, 1, 'list', '--as', name)).status, 4)
    t.is((await whitelist(cluster, 1, ...self)).status, 4)
  }
})

test('a node that was removed is not waited for, and not out of reach for ever', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  const run = async (...args: string[]): Promise<CommandResult> =>
    runCommand([...args, '--node', cluster.address(1)], { env: ENV })
  const { status, out, err } = await run('whitelist', 'remove', 'node/node-3')
  t.is(status, 0)
  t.is(out.split('\n').at(-1), 'node/node-3 removed on 2 nodes')
  t.is(err, '')
  const whole = await run('status')
  t.is(whole.status, 0)
  t.notRegex(whole.out, /node-3/)
  t.notRegex((await run('whitelist', 'show', 'node/node-3')).out, /out of reach/)
})

test('without waiting the first durable copy is enough', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const { status, out } = await whitelist(cluster, 1, 'add', 'c1', '--no-wait')
  t.is(status, 0)
  t.is(out, 'c1 added on node-1; the others follow')
})

test('a change that a node out of reach has not confirmed is not done, unless that is meant', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await endUnheard(cluster, 3, [1, 2])
  await untilReachable(cluster, 1, 2)
  const { status, out, err } = await whitelist(cluster, 1, 'add', 'c1')
  t.is(status, 1)
  t.is(out.split('\n').at(-1), 'c1 added on 2 nodes')
  t.deepEqual(err.split('\n'), [
    'out of reach: node-3; will follow when back',
    '  should one never be back: fridge node forget node-3; where it is meant to be away: --allow-unreachable',
  ])
  const meant = await whitelist(cluster, 1, 'remove', 'c1', '--allow-unreachable')
  t.is(meant.status, 0)
  t.is(meant.err, 'out of reach: node-3; will follow when back')
})

test('a node that was stopped in order holds no change back, and is named', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.stop(2)
  await untilReachable(cluster, 1, 1)
  const { status, out, err } = await whitelist(cluster, 1, 'add', 'c1')
  t.is(status, 0)
  t.is(out.split('\n').at(-1), 'c1 added on 1 node')
  t.is(err, 'stopped in order: node-2; will follow when started')
})

test('a node that only the list knows is waited for like any other', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  // It accepts a change, and nobody hears of it after that, not even that it leaves.
  await whitelist(cluster, 2, 'add', 'c2')
  await cluster.stop(1)
  await cluster.stop(2)
  await cluster.start(1, { peers: [], gossip: { firstSyncMs: 1 } })
  const { status, out, err } = await whitelist(cluster, 1, 'remove', 'c2')
  t.is(status, 1)
  t.is(out.split('\n').at(-1), 'c2 removed on 1 node')
  t.is(err.split('\n')[0], 'out of reach: node-2; will follow when back')
  const shown = await runCommand(['status', '--node', cluster.address(1)], { env: ENV })
  t.is(shown.status, 1)
  t.regex(shown.out, /^node-2 +out of reach *$/m)
})

test('the list shows every name with its standing, its operator and its terms', async t => {
  await using cluster = await startCluster(t, { certs })
  const empty = await whitelist(cluster, 1, 'list')
  t.deepEqual(empty, {
    status: 0,
    out: '',
    err: 'the whitelist is empty: fridge whitelist add NAME',
  })
  await whitelist(cluster, 1, 'add', 'c1', '--sensor', 'door', '--sensor', 'temperature')
  await whitelist(cluster, 1, 'add', 'laptop', '--expires-in', '8h', '--command', 'defrost')
  await whitelist(cluster, 1, 'remove', 'lost', '--force', '--reason', 'left on a train')
  const { status, out } = await whitelist(cluster, 1, 'list')
  t.is(status, 0)
  const [head, first, second, third, ...rest] = out.split('\n')
  t.regex(head ?? '', /^NAME +STANDING +BY +WHEN +ALLOWED$/)
  t.regex(first ?? '', /^c1 +granted +admin +\d{4}-\S+Z +sensors door temperature, all commands$/)
  t.regex(second ?? '', /^laptop +granted +admin +\S+Z +all sensors, commands defrost, 8h left$/)
  t.regex(third ?? '', /^lost +revoked +admin +\d{4}-\S+Z +\(left on a train\)$/)
  t.deepEqual(rest, [])
  const listed = (await json(cluster, 1, 'list')) as { subject: string; standing: string }[]
  t.deepEqual(
    listed.map(({ subject, standing }) => [subject, standing]),
    [
      ['client/c1', 'granted'],
      ['client/laptop', 'granted'],
      ['client/lost', 'revoked'],
    ],
  )
})

test('show tells one name: its connections, grants, reasons and revocations', async t => {
  await using cluster = await startCluster(t, { certs })
  await whitelist(
    cluster,
    1,
    'add',
    'c1',
    '--key',
    keyAsShown(c1.identity.keyId),
    '--reason',
    'why not',
  )
  await using _connection = await cluster.client(1, 'c1')
  const granted = await whitelist(cluster, 1, 'show', 'c1')
  t.is(granted.status, 0)
  const [first, second, third] = granted.out.split('\n')
  t.is(first, 'c1: granted, 1 connection to node-1')
  t.regex(second ?? '', /^ {2}granted by admin at \S+Z \(why not\)$/)
  t.is(third, '    all sensors, all commands, 1 key; change 1 of node-1')
  t.like(await json(cluster, 1, 'show', 'c1'), {
    standing: 'granted',
    sessions: 1,
    revocations: [],
    removals: [],
  })

  await whitelist(cluster, 1, 'remove', 'c1')
  const revoked = await whitelist(cluster, 1, 'show', 'c1')
  t.is(revoked.status, 1)
  const [standing, removal, place] = revoked.out.split('\n')
  t.is(standing, 'c1: revoked, 0 connections to node-1')
  t.regex(removal ?? '', /^ {2}removed by admin at \S+Z$/)
  t.is(place, '    change 2 of node-1')
  const unknown = await whitelist(cluster, 1, 'show', 'nobody')
  t.is(unknown.status, 1)
  t.true(unknown.out.startsWith('nobody: unknown, 0 connections to node-1'))
})

/** A key as some programs print it. */
function keyAsShown(keyId: string): string {
  return (keyId.toUpperCase().match(/../g) ?? []).join(':')
}

test('a grant whose time is up is expired, and lets nobody in', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { expiresAt: Date.now() - 1 })
  const { status, out } = await whitelist(cluster, 1, 'show', 'c1')
  t.is(status, 1)
  t.regex(out, /^c1: expired, /)
  t.regex((await whitelist(cluster, 1, 'list')).out, /^c1 +expired +admin /m)
})

test('a reason cannot add lines to what is shown, nor turn its writing round', async t => {
  await using cluster = await startCluster(t, { certs })
  await whitelist(cluster, 1, 'add', 'c1', '--reason', 'a\n  granted by boss \u202Eb')
  const { out } = await whitelist(cluster, 1, 'show', 'c1')
  t.regex(out, /^ {2}granted by admin at \S+ \(a granted by boss \uFFFDb\)$/m)
  t.notRegex(out, /^ {2}granted by boss/m)
})

test('the first node that answers serves, however many do not', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const gone = cluster.address(1)
  await cluster.stop(1)
  const args = ['whitelist', 'add', 'c1', '--no-wait', '--node', gone, '--node', cluster.address(2)]
  const { status, out } = await runCommand(args, { env: ENV })
  t.is(status, 0)
  t.is(out, 'c1 added on node-2; the others follow')
  const fromEnv = await runCommand(['whitelist', 'show', 'c1'], {
    env: {
      FRIDGE_CERTS: certs.dir,
      FRIDGE_NODE: ` ${gone} , ${cluster.address(2)} `,
      FRIDGE_AS: 'admin',
    },
  })
  t.is(fromEnv.status, 0)
})

test('when no node answers every one is named with its reason, and the status is 3', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const gone = [cluster.address(1), cluster.address(2)]
  await cluster.stop(1)
  await cluster.stop(2)
  const nodes = gone.flatMap(address => ['--node', address])
  const { status, out, err } = await runCommand(['whitelist', 'list', ...nodes], {
    env: ENV,
  })
  t.is(status, 3)
  t.is(out, '')
  t.deepEqual(err.split('\n'), [
    `fridge: none of ${gone.join(', ')} could be used:`,
    ...gone.map(address => `  - nothing listens on ${address}`),
    '  to mend it: start a node there: fridge node start --name NAME',
  ])
})

test('what no grant can say is refused before any node is asked', async t => {
  for (const [args, what] of [
    [['add', 'no good'], /"no good" is not a name/],
    [['add', 'c1', '--expires-in', '8 hours'], /"8 hours" is not a duration/],
    [['add', 'c1', '--command', 'defrots'], /did you mean defrost\?/],
    [['add', 'c1', '--key', 'abc'], /"abc" is not the SHA-256 of a key/],
    [['add', 'c1', '--sensor', 'the door'], /the sensors are not valid/],
    [['add', 'c1', '--sensor', 'door', '--sensor', 'door'], /the sensors are not valid/],
    [['add', 'operator/maria'], /operator\/maria needs no grant/],
    [['remove', 'c1', '--timeout', '5'], /"5" is not a duration/],
    [['remove', 'root/c1'], /"root\/c1" is not a name/],
  ] as const) {
    const { status, out, err } = await runCommand(['whitelist', ...args], {
      env: { ...ENV, FRIDGE_NODE: '127.0.0.1:1' },
    })
    t.is(status, 2, args.join(' '))
    t.is(out, '')
    t.regex(err, what)
    t.notRegex(err, /\n {4}at /)
  }
})

test('a reason that is empty, too long or not one text is refused', async t => {
  await using cluster = await startCluster(t, { certs })
  for (const reason of ['', 'x'.repeat(501), 'a\u0007bell']) {
    const { status, err } = await whitelist(cluster, 1, 'remove', 'c1', '--reason', reason)
    t.is(status, 2)
    t.regex(err, /--reason is not 1 to 500 characters of text/)
  }
  t.true((await whitelist(cluster, 1, 'show', 'c1')).out.startsWith('c1: unknown,'))
})

test('views are named, kept by a later grant, shown, and taken away by none', async t => {
  await using cluster = await startCluster(t, { certs })
  const list = async (): Promise<string> => (await whitelist(cluster, 1, 'list')).out
  t.is((await whitelist(cluster, 1, 'add', 'phone', '--view', 'fleet', '--view', 'log')).status, 0)
  t.regex(await list(), /views fleet log/)
  t.is((await whitelist(cluster, 1, 'add', 'phone', '--sensor', 'door')).status, 0)
  t.regex(await list(), /sensors door, all commands, views fleet log/)
  const taken = await whitelist(cluster, 1, 'add', 'phone', '--view', 'none')
  t.regex(taken.out, /^ {2}views: none \(before: fleet log\)$/m)
  t.notRegex(await list(), /views/)
  t.is((await whitelist(cluster, 1, 'log')).out.match(/views fleet log/g)?.length, 2)
  const slip = await whitelist(cluster, 1, 'add', 'phone', '--view', 'fleets')
  t.is(slip.status, 2)
})
