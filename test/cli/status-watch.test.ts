import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import test from 'ava'
import { MAIN, startCommand } from '../support/cli.ts'
import { endUnheard, makeSharedCerts, startCluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** `script` runs a program on a terminal of its own. */
const hasTerminals = spawnSync('script', ['--version']).status === 0
const onTerminal = hasTerminals ? test : test.skip

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`
}

const HOME = '\u001B[H'

for (const columns of [40, 80, 200]) {
  onTerminal(
    `status is redrawn in place on a terminal of ${columns} columns, until Ctrl-C`,
    async t => {
      await using cluster = await startCluster(t, { nodes: 2, certs })
      const words = [process.execPath, MAIN, 'status', '--watch', '--node', cluster.address(1)]
      const command = `stty cols ${columns} rows 24; exec ${words.join(' ')}`
      const child = spawn('script', ['-qfec', command, '/dev/null'], {
        env: { ...process.env, FRIDGE_CERTS: certs.dir, NODE_NO_WARNINGS: '1' },
      })
      t.teardown(() => child.kill('SIGKILL'))
      const ended = once(child, 'close')
      let text = ''
      let more = Promise.withResolvers<void>()
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        more.resolve()
        more = Promise.withResolvers()
      })
      while (text.split(HOME).length < 4) await more.promise
      child.stdin.write('\u0003')
      await ended
      const [, ...screens] = text.split(HOME)
      for (const screen of screens.slice(0, 2)) {
        const lines = screen
          .split('\u001B[J')[0]
          ?.split('\r\n')
          .map(line => line.replace('\u001B[K', ''))
        t.is(lines?.[0], cut('node-1 knows 2 nodes, 0 names, 0 changes', columns))
        t.true(lines?.every(line => Array.from(line).length <= columns))
        t.true(lines?.some(line => /^node-2 +up +-?[\d.]+ °C +(closed|open)$/.test(line)))
      }
    },
  )
}

onTerminal('a terminal that can move no cursor gets lines, and nothing else', async t => {
  await using cluster = await startCluster(t, { certs })
  const words = [process.execPath, MAIN, 'status', '--watch', '--node', cluster.address(1)]
  const child = spawn('script', ['-qfec', `stty cols 80; exec ${words.join(' ')}`, '/dev/null'], {
    env: { ...process.env, FRIDGE_CERTS: certs.dir, NODE_NO_WARNINGS: '1', TERM: 'dumb' },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += String(chunk)
    if (text.split('node-1 knows').length > 2) break
  }
  child.stdin.write('\u0003')
  await ended
  t.false(text.includes('\u001B'))
})

test('a node that is lost while it is watched is asked again, and what is shown meanwhile is called old', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const node = ['--node', cluster.address(1)]
  const run = startCommand(['status', '--watch', ...node], { env: { FRIDGE_CERTS: certs.dir } })
  await run.out.find(/^node-2 +up /)
  const from = run.out.all.length
  await cluster.stop(1)
  await run.out.find(/; what follows is old$/, from)
  await cluster.start(1)
  const back = run.out.all.length
  await run.out.find(/^node-1 knows 2 nodes/, back)
  await endUnheard(cluster, 2, [1])
  await run.out.find(/^node-2 +out of reach/, back)
  run.stop()
  t.is(await run.status, 1)
})
