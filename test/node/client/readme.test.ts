import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { makeTestCerts, makeTestFolder } from '../../support/certs.ts'
import { runCommand, spawnProgram } from '../../support/cli.ts'
import { startCluster, until } from '../../support/cluster.ts'

const README = new URL('../../../node/client/README.md', import.meta.url)
const LIBRARY = fileURLToPath(new URL('../../../node/client/index.ts', import.meta.url))
const CLIENT = 'fridge-client-001'

/** The examples of the page, by the heading above each. */
async function examples(): Promise<Map<string, string>> {
  const text = await readFile(README, 'utf8')
  const found = new Map<string, string>()
  for (const [, heading = '', code = ''] of text.matchAll(/^## (.*)\n[^]*?```ts\n([^]*?)```/gm)) {
    found.set(heading, code)
  }
  return found
}

/** What each must say, and what must happen before it says the last. */
const SAYS: [heading: string, says: RegExp[]][] = [
  ['Watch everything', [/^connected to node-1/, /^node-1 door close/, /^node-1 temperature .* C$/]],
  ['One sensor', [/^the door is closed$/, /^the door is open$/]],
  ['Call commands', [/^target temperature set to 6 °C$/, /^not allowed: .* defrost$/]],
  ['Read the past', [/^20\S+Z [\d.]+ [\d.]+ \d+$/, /^20\S+Z (open|close)$/]],
  ['Stop', [/^connected$/, /^reading$/, /^stopped: warm enough$/]],
]

/** Resolves once a node has written a reading to its history: it does so each second. */
async function recorded(node: string, cwd: string): Promise<void> {
  const options = { cwd, env: { FRIDGE_NODE: node } }
  const show = ['history', 'show', 'temperature']
  // It ends with 0 where nothing is recorded as well, and prints nothing then.
  await until(async () => (await runCommand(show, options)).out !== '')
}

test('every example is tried', async t => {
  t.deepEqual(
    [...(await examples()).keys()],
    SAYS.map(([heading]) => heading),
  )
})

test('the examples do what the page says', async t => {
  const certs = await makeTestCerts(t, {
    nodes: ['node-1'],
    clients: [CLIENT],
    operators: ['admin'],
  })
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, CLIENT, { commands: ['setTargetTemperature'] })
  const cwd = await makeTestFolder(t)
  await symlink(certs.dir, join(cwd, 'certs'))
  const codes = await examples()
  for (const [index, [heading, says]] of SAYS.entries()) {
    const file = join(cwd, `example-${index}.ts`)
    const code = (codes.get(heading) ?? '')
      .replace("'fridge/client'", JSON.stringify(LIBRARY))
      .replace('127.0.0.1:7443', cluster.address(1))
    await writeFile(file, code)
    if (heading === 'Read the past') await recorded(cluster.address(1), cwd)
    const example = spawnProgram(t, [file], { cwd })
    for (const line of says) {
      if (line.source.includes('is open')) cluster.node(1).fridge?.openDoor()
      await example.out.find(line)
    }
    example.child.kill()
    await example.exit
    t.is(example.err.text, '', heading)
  }
})
