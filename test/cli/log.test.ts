import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { formatAddress } from '../../node/lib/address.ts'
import { startNode } from '../../node/start.ts'
import { entryHash } from '../../node/whitelist/entry.ts'
import { sealOf } from '../../node/storage/change-row.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, startCommand, type CommandResult } from '../support/cli.ts'
import {
  makeSharedCerts,
  PEOPLE,
  startCluster,
  testConfig,
  type Cluster,
} from '../support/cluster.ts'
import { writeLog } from '../support/signed-log.ts'

const shared = await makeSharedCerts({ ...PEOPLE, operators: ['admin', 'berta'] })
const { certs } = shared
test.after.always(() => shared.remove())

function command(cluster: Cluster, args: readonly string[], nodes = [1]): string[] {
  const at = nodes.flatMap(node => ['--node', cluster.address(node)])
  return ['whitelist', ...args, ...at]
}

const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }

async function run(cluster: Cluster, args: readonly string[], env = {}): Promise<CommandResult> {
  return runCommand(command(cluster, args), { env: { ...ENV, ...env } })
}

interface Reported {
  readonly subject: string
  readonly kind: string
  readonly operator: string
  readonly at: number
  readonly effect: string
  readonly verified: boolean
  readonly node: string
  readonly source: string
  readonly sequence: number
  readonly problem?: string
}

async function json(cluster: Cluster, ...args: string[]): Promise<Reported[]> {
  const { out, err, status } = await run(cluster, ['log', ...args, '--json'])
  if (err !== '' || status !== 0) throw new Error(`exit status ${status}: ${err}`)
  return JSON.parse(out) as Reported[]
}

test('a line says when, who, what, where, what it does now, that it is verified, and why', async t => {
  await using cluster = await startCluster(t, { certs })
  await run(cluster, ['add', 'c1', '--sensor', 'door', '--reason', 'a new fridge'])
  await run(cluster, ['remove', 'c1', '--reason', 'lost\non the train'], { FRIDGE_AS: 'berta' })
  const { out, err, status } = await run(cluster, ['log'])
  t.is(status, 0)
  t.is(err, '')
  const [head, first, second, ...rest] = out.split('\n')
  t.deepEqual(rest, [])
  t.regex(head ?? '', /^WHEN +OPERATOR +CHANGE +NAME +NODE +EFFECT +SIGNATURES +TERMS +WHY$/)
  const time = String.raw`^\d{4}-\d\d-\d\dT[\d:.]+Z`
  t.regex(
    first ?? '',
    new RegExp(`${time}  admin +grant +c1 +node-1 +dead +verified +sensors door +a new fridge$`),
  )
  t.regex(
    second ?? '',
    new RegExp(`${time}  berta +revocation +c1 +node-1 +in effect +verified +lost on the train$`),
  )
  t.is(head?.indexOf('WHY'), first?.indexOf('a new'))
  t.is(head?.indexOf('WHY'), second?.indexOf('lost'))
})

test('each change is told to be in effect, replaced or dead', async t => {
  await using cluster = await startCluster(t, { certs })
  for (const args of [
    ['add', 'c1'],
    ['remove', 'c1'],
    ['add', 'c1'],
    ['add', 'c1', '--sensor', 'door'],
    ['add', 'c2'],
    ['remove', 'operator/berta'],
  ]) {
    t.is((await run(cluster, args)).status, 0)
  }
  const entries = await json(cluster)
  t.deepEqual(
    entries.map(({ subject, kind, effect, verified }) => [subject, kind, effect, verified]),
    [
      ['client/c1', 'grant', 'dead', true],
      ['client/c1', 'revocation', 'replaced', true],
      ['client/c1', 'grant', 'replaced', true],
      ['client/c1', 'grant', 'in effect', true],
      ['client/c2', 'grant', 'in effect', true],
      ['operator/berta', 'revocation', 'in effect', true],
    ],
  )
  t.deepEqual(
    entries.map(({ sequence }) => sequence),
    [1, 2, 3, 4, 5, 6],
  )
})

test('the log is narrowed by name, operator and time, and to the newest', async t => {
  await using cluster = await startCluster(t, { certs })
  await run(cluster, ['add', 'c1'])
  await run(cluster, ['add', 'c2'], { FRIDGE_AS: 'berta' })
  await run(cluster, ['remove', 'c1'])
  await run(cluster, ['remove', 'node/gone', '--force'])
  const seen = async (...args: string[]): Promise<number[]> =>
    (await json(cluster, ...args)).map(({ sequence }) => sequence)
  t.deepEqual(await seen(), [1, 2, 3, 4])
  t.deepEqual(await seen('c1'), [1, 3])
  t.deepEqual(await seen('node/gone'), [4])
  t.deepEqual(await seen('--operator', 'berta'), [2])
  t.deepEqual(await seen('c1', '--operator', 'berta'), [])
  t.deepEqual(await seen('--limit', '2'), [3, 4])
  t.deepEqual(await seen('c1', '--limit', '1'), [3])
  t.deepEqual(await seen('--limit', '0'), [])
  t.deepEqual(await seen('--since', '1h'), [1, 2, 3, 4])
  t.deepEqual(await seen('--until', '1h'), [])
  const [, second] = await json(cluster)
  t.like(second, { sequence: 2, node: 'node-1' })
  t.false('seen' in (second ?? {}), 'a map is no JSON: what was seen stands in the evidence')
  const at = new Date(second?.at ?? 0).toISOString()
  t.deepEqual(await seen('--since', at), [2, 3, 4])
  t.deepEqual(await seen('--until', at), [1])
  t.deepEqual(await seen('--since', '2020-01-01', '--until', '2020-02-29T23:59+01:00'), [])
  const none = await run(cluster, ['log', 'nobody'])
  t.deepEqual([none.status, none.out, none.err], [0, '', 'no change fits'])
})

test('what cannot be meant is refused before a node is asked', async t => {
  for (const args of [
    ['--since', 'yesterday'],
    ['--since', '2026-02-30'],
    ['--since', '2026-01-01T25:00'],
    ['--until', '9d9'],
    ['--limit', '-1'],
    ['--limit', 'many'],
    ['--operator', '../admin'],
    ['a/b'],
    ['--follow', '--until', '1h'],
  ]) {
    const { status, err } = await runCommand(['whitelist', 'log', ...args], { env: ENV })
    t.is(status, 2, err)
  }
})

test('who is no operator is shown no log', async t => {
  await using cluster = await startCluster(t, { certs })
  await run(cluster, ['add', 'c1'])
  await using client = await cluster.client(1, 'c1')
  t.false(client.methods.has('log'))
  t.false(client.methods.has('follow'))
})

test('a log of many pages is shown whole, in order, also when most of it does not fit', async t => {
  const data = await makeTestFolder(t)
  const names = Array.from({ length: 250 }, (_, index) => `+many-${index}`)
  const { source } = await writeLog(join(data, 'node-1', 'whitelist.db'), certs, names)
  await using node = await startNode(
    testConfig('node-1', { certs: certs.dir, data: join(data, 'node-1') }),
  )
  const ask = async (...args: string[]): Promise<Reported[]> => {
    const target = ['--node', formatAddress(node.address), '--json']
    const { out, status, err } = await runCommand(['whitelist', 'log', ...args, ...target], {
      env: ENV,
    })
    t.is(err, '')
    t.is(status, 0)
    return JSON.parse(out) as Reported[]
  }
  const all = await ask()
  t.deepEqual(
    all.map(({ source, sequence }) => [source, sequence]),
    names.map((_, index) => [source, index + 1]),
  )
  t.deepEqual(
    (await ask('many-3')).map(({ sequence }) => sequence),
    [4],
  )
  t.deepEqual(
    (await ask('--limit', '3')).map(({ sequence }) => sequence),
    [248, 249, 250],
  )
})

for (const args of [['log', '--follow', '--limit', '1'], ['watch']]) {
  test(`with ${args.join(' ')} each new change is shown as it is applied, until Ctrl-C`, async t => {
    await using cluster = await startCluster(t, { nodes: 2, certs })
    await run(cluster, ['add', 'c1'])
    const followed = startCommand(command(cluster, args), { env: ENV })
    await followed.out.find(/ c1 /)
    await cluster.revoke(2, 'c1')
    const line = await followed.out.find(/ revocation /)
    t.regex(line, /admin +revocation +c1 +node-2 +in effect +verified/)
    followed.stop()
    t.is(await followed.status, 0)
    t.is(followed.err.text, '')
  })
}

test('following goes on at another node when one says that the operator is removed, and that one does not', async t => {
  await using stolen = await startCluster(t, { certs })
  await using cluster = await startCluster(t, { certs })
  await certs.issue('operator', 'olga')
  const both = ['--node', stolen.address(1), '--node', cluster.address(1)]
  const args = ['whitelist', 'log', '--follow', '--as', 'olga', ...both]
  await stolen.grant(1, 'c1')
  const followed = startCommand(args, { env: ENV })
  await followed.out.find(/ c1 /)
  await stolen.revoke(1, 'operator/olga')
  await followed.err.find(/^going on at node-1$/)
  await cluster.grant(1, 'c2')
  await followed.out.find(/ c2 /)
  followed.stop()
  t.is(await followed.status, 0)
})

test('following goes on at another node, and nothing is repeated or lost', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await run(cluster, ['add', 'before'])
  const args = command(cluster, ['log', '--follow', '--json'], [2, 3])
  const followed = startCommand(args, { env: ENV })
  const shown = (name: string): Promise<string> =>
    followed.out.find(new RegExp(`"subject":"client/${name}"`))
  await shown('before')
  await cluster.grant(1, 'one')
  await shown('one')
  await cluster.stop(2)
  // Changed while nobody follows, or while somebody does: it must not matter.
  for (const name of ['two', 'three', 'four']) await cluster.grant(1, name)
  for (const name of ['two', 'three', 'four']) await shown(name)
  await cluster.grant(3, 'five')
  await shown('five')
  followed.stop()
  t.is(await followed.status, 0)
  t.deepEqual(
    followed.out.all.map(line => (JSON.parse(line) as Reported).subject.slice('client/'.length)),
    ['before', 'one', 'two', 'three', 'four', 'five'],
  )
  t.regex(followed.err.text, /^lost node-2: .*\ngoing on at node-3$/)
})

test('a filter holds for what is followed as well', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c2')
  const followed = startCommand(command(cluster, ['log', 'c2', '--follow', '--json']), { env: ENV })
  await followed.out.find(/client\/c2/)
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c2')
  await followed.out.find(/revocation/)
  followed.stop()
  await followed.status
  t.is(followed.out.all.length, 2)
})

test('an altered change is shown as not verified, and the exit status is 1', async t => {
  const data = join(await makeTestFolder(t), 'node-1')
  const file = join(data, 'whitelist.db')
  await writeLog(file, certs, ['+c1', '+c2'])
  await using node = await startNode(testConfig('node-1', { certs: certs.dir, data }))
  {
    // As somebody does who has the node, while it runs: it would not start on that.
    using database = new DatabaseSync(file)
    const row = database.prepare('SELECT * FROM changes WHERE position = 2').get() as unknown as Row
    const text = row.text.replace('client/c2', 'client/c9')
    const hash = entryHash(text, row)
    database
      .prepare(
        'UPDATE changes SET text = ?, hash = ?, id = ?, subject = ?, seal = ? WHERE position = 2',
      )
      .run(text, hash, hash, 'client/c9', sealOf({ ...row, hash }))
  }
  const args = ['whitelist', 'log', '--node', formatAddress(node.address)]
  const human = await runCommand(args, { env: ENV })
  t.is(human.status, 1)
  t.regex(human.out, / c1 .* verified /)
  t.regex(human.out, / c9 .* NOT VERIFIED: change 2 of node-1#.* is not signed by its operator /)
  const { out, status } = await runCommand([...args, '--json'], { env: ENV })
  t.is(status, 1)
  const [, forged] = JSON.parse(out) as Reported[]
  t.false(forged?.verified)
  t.regex(forged?.problem ?? '', /not signed by its operator/)
})

type Row = Parameters<typeof sealOf>[0] & { readonly text: string }
