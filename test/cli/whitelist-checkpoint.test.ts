import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster, until, type Cluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const whitelist = asAdmin('whitelist')
test.after.always(() => shared.remove())

interface Shown {
  readonly kind: string
  readonly effect: string
  readonly verified: boolean
  readonly subjects?: number
}

async function newest(cluster: Cluster, node: number): Promise<Shown | undefined> {
  const { out } = await whitelist(cluster, node, 'log', '--limit', '1', '--json')
  const [shown] = JSON.parse(out) as Shown[]
  return shown
}

test('a checkpoint is signed, confirmed by all nodes, found to be true by each, and shown in the log', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const second = ['--node', cluster.address(2)]
  const asked = [...second, '--reason', 'spring']
  const { status, out, err } = await whitelist(cluster, 1, 'checkpoint', ...asked)
  t.is(err, '')
  t.is(status, 0)
  t.regex(out, /^ {2}node-\d applied it after [\d.]+ ms$/m)
  t.is(out.split('\n').at(-1), 'a checkpoint behind 1 new change is on 2 nodes')
  for (const node of [1, 2]) {
    await until(async () => (await newest(cluster, node))?.effect === 'in effect')
    const shown = await newest(cluster, node)
    t.is(shown?.kind, 'checkpoint')
    t.is(shown?.subjects, 1)
    t.true(shown?.verified)
  }
  const { out: table } = await whitelist(cluster, 2, 'log')
  t.regex(table, /checkpoint +list +node-\d +in effect +verified +1 name at 1 source/)
})

test('a checkpoint that no second node was compared with says so, and how to look at it', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const { status, err } = await whitelist(cluster, 1, 'checkpoint')
  t.is(status, 0)
  t.regex(err, /^node-1 alone says that this is the list: no second node was compared with it/)
  t.regex(err, /fridge whitelist log --limit 1 --node OTHER:PORT/)
})

test('a checkpoint is not signed where two nodes do not hold the same', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  await using other = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const { status, err } = await whitelist(cluster, 1, 'checkpoint', '--node', other.address(2))
  t.is(status, 1)
  t.regex(err, /nothing was signed/)
})

test('a checkpoint in JSON says on which nodes it is, and which authorities it calls former', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  const { out, status } = await whitelist(cluster, 1, 'checkpoint', '--json')
  t.is(status, 0)
  const { change, node, former, confirmed } = JSON.parse(out) as Record<string, unknown>
  t.deepEqual({ change, node, former }, { change: 'checkpoint', node: 'node-1', former: [] })
  t.is((confirmed as unknown[]).length, 1)
})

test('what a checkpoint states of a name is proven without a node, and not of another name', async t => {
  await using cluster = await startCluster(t, { nodes: 1, certs })
  for (const name of ['c1', 'c2', 'c3']) await cluster.grant(1, name)
  const { err: none } = await whitelist(cluster, 1, 'show', 'c1', '--proof')
  t.regex(none, /no checkpoint stands: fridge whitelist checkpoint/)
  await whitelist(cluster, 1, 'checkpoint')
  await until(async () => (await newest(cluster, 1))?.effect === 'in effect')
  await cluster.revoke(1, 'c1')
  const { out } = await whitelist(cluster, 1, 'show', 'c1', '--proof')
  t.regex(out, /c1: revoked/)
  t.regex(out, /c1 was let in by 1 grant, with 0 removals/)
  t.is(out.match(/beside its way up: [\w-]{43}$/gm)?.length, 2)
  const folder = await makeTestFolder(t)
  const verify = async (text: string): Promise<CommandResult> => {
    const file = join(folder, 'proof.json')
    await writeFile(file, text)
    return runCommand(['whitelist', 'verify', file, '--certs', certs.dir], { cwd: folder })
  }
  const { out: json } = await whitelist(cluster, 1, 'show', 'c2', '--proof', '--json')
  const held = await verify(json)
  t.deepEqual([held.status, held.err], [0, ''])
  t.regex(held.out, /c2 was let in by 1 grant, with 0 removals/)
  const altered = await verify(json.replaceAll('client/c2', 'client/c4'))
  t.is(altered.status, 1)
  t.regex(altered.out, /proves nothing: the checkpoint does not state what it says/)
  const unsigned = await verify(json.replace(/\\"subjects\\":3/, String.raw`\"subjects\":2`))
  t.is(unsigned.status, 1)
  t.regex(unsigned.out, /is not signed by its operator/)
  t.is((await verify('{}')).status, 2)
})
