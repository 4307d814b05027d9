import { readFile } from 'node:fs/promises'
import test from 'ava'
import { EXIT, type ExitStatus } from '../../cli/io.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand } from '../support/cli.ts'
import { endUnheard, makeSharedCerts, startCluster, untilReachable } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** The sentences of the table, by the status that they are about. */
async function readTable(): Promise<Map<number, string>> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const [, table = ''] =
    /^### Exit status\n\n\| \| \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(readme) ?? []
  const rows = table.matchAll(/^\| (\d) \| (.*) \|$/gm)
  return new Map(Array.from(rows, ([, status = '', text = '']) => [Number(status), text]))
}

/** A command line, what the table says of what comes of it, and its status. */
type Case = readonly [args: readonly string[], said: string, status: ExitStatus]

test('every exit status is in the table of the page, and there is no other', async t => {
  t.deepEqual([...(await readTable()).keys()], Object.values(EXIT))
})

test('each sentence of the table of exit statuses is true', async t => {
  const table = await readTable()
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await untilReachable(cluster, 1, 2)
  const at = ['--node', cluster.address(1)]
  const nobody = ['--node', '127.0.0.1:1']
  const call = ['client', 'call', 'defrost', '--as']
  const check = async (cases: readonly Case[]): Promise<void> => {
    for (const [args, said, status] of cases) {
      const result = await runCommand(args, {
        env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' },
        cwd: await makeTestFolder(t),
      })
      t.is(result.status, status, `${args.join(' ')}: ${result.err}`)
      t.true(table.get(status)?.includes(said), `${status}: ${said}`)
    }
  }
  await check([
    [['whitelist', 'add', 'c1', '--command', 'powerOn', ...at], 'done', EXIT.done],
    [['status', ...at], 'done', EXIT.done],
    [['whitelist', 'show', 'c2', ...at], 'a name is not let in', EXIT.notDone],
    [['whitelist', 'add', '--colour', 'red'], 'wrong usage', EXIT.usage],
    [['node', 'start', '--config', 'none.yaml'], 'configuration', EXIT.usage],
    [['whitelist', 'list', ...nobody], 'no node was reached', EXIT.unreachable],
    [[...call, 'c2', ...at], 'not on the whitelist', EXIT.refused],
    [[...call, 'c1', ...at], 'not allowed by the grant', EXIT.refused],
  ])
  await cluster.grant(1, 'c2', { expiresAt: Date.now() - 1 })
  await check([[[...call, 'c2', ...at], 'expired', EXIT.refused]])
  await cluster.revoke(1, 'c2')
  await check([[[...call, 'c2', ...at], 'removed', EXIT.refused]])
  await endUnheard(cluster, 2, [1])
  await untilReachable(cluster, 1, 1)
  const change = ['whitelist', 'remove', 'c1', ...at]
  await check([
    [['status', ...at], 'a node is out of reach', EXIT.notDone],
    [[...change, '--timeout', '1s'], 'silent or out of reach, has not confirmed', EXIT.notDone],
    [[...change, '--allow-unreachable'], 'done', EXIT.done],
    [[...change, '--no-wait'], 'done', EXIT.done],
  ])
})
