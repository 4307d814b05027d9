import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { platform } from 'node:os'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { typedAs } from '../../cli/commands/demo.ts'
import { until } from '../support/cluster.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, spawnCli, type CliProcess } from '../support/cli.ts'

interface Demo extends CliProcess {
  /** What it left behind: files in its folder, and processes that name it. */
  leftovers(): Promise<string[]>
}

/** Start `fridge demo` with a folder for temporary files of its own. */
async function startDemo(t: ExecutionContext, ...args: string[]): Promise<Demo> {
  const folder = await makeTestFolder(t)
  const demo = spawnCli(t, ['demo', ...args], { env: { TMPDIR: folder } })
  return {
    ...demo,
    leftovers: async () => {
      const files = await readdir(folder)
      return [...files, ...(await commandsNaming(folder))]
    },
  }
}

/** The command lines of all processes that name a folder; none where there is no /proc. */
async function commandsNaming(folder: string): Promise<string[]> {
  return (await processesNaming(folder)).map(({ command }) => command)
}

async function processesNaming(folder: string): Promise<{ pid: string; command: string }[]> {
  if (platform() !== 'linux') return []
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const processes = await Promise.all(
    pids.map(async pid => ({
      pid,
      command: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    })),
  )
  return processes.filter(({ command }) => command.includes(folder))
}

test.serial(
  'the demo lets a client in, cuts it everywhere, lets it in again, and leaves nothing',
  async t => {
    const demo = await startDemo(t, '--once')
    t.is(await demo.exit, 0)
    t.is(demo.err.text, '')
    const { text } = demo.out
    t.regex(text, /node-1 refuses it: client\/fridge-client-001 is not on the whitelist/)
    t.regex(text, /node-\d {2}temperature {2}[\d.]+ °C/)
    for (const name of ['node-1', 'node-2', 'node-3']) {
      t.regex(text, new RegExp(`client: cut by ${name} [\\d.]+ ms after the operator's command`))
      t.regex(text, new RegExp(`${name} applied it after [\\d.]+ ms, its connection cut`))
    }
    t.regex(text, /node-3 refuses it: client\/fridge-client-001 has been removed/)
    // The last guards of its nodes end with them, a moment later.
    await until(async () => (await demo.leftovers()).length === 0)
  },
)

test.serial(
  'the commands that the demo prints work while it is up, and Ctrl-C twice ends all of it',
  async t => {
    const demo = await startDemo(t)
    await demo.out.find(/Ctrl-C ends and removes it/)
    const certs = (await demo.out.find(/export FRIDGE_CERTS=/)).split('=')[1] ?? ''
    const printed = demo.out.all
      .filter(line => line.startsWith('  ./cli/fridge ') && !line.includes('watch'))
      .map(line => line.trim().replace("'lost laptop'", 'lost').split(' ').slice(1))
    t.is(printed.length, 5)
    for (const args of printed) {
      const { status, err } = await runCommand(args, { env: { FRIDGE_CERTS: certs } })
      t.is(status, 0, `${args.join(' ')}: ${err}`)
    }
    t.true((await demo.leftovers()).length > 0)
    demo.child.kill('SIGINT')
    demo.child.kill('SIGINT')
    t.is(await demo.exit, 0)
    await until(async () => (await demo.leftovers()).length === 0)
  },
)

test('the demo names the program as it was called: from a checkout, by npx, or installed', t => {
  const installed = ['node', '/opt/fridge/dist/cli/main.js'] as const
  t.is(typedAs({ self: ['node', '/home/maria/fridge/cli/main.ts'], env: {} }), './cli/fridge')
  t.is(typedAs({ self: installed, env: { npm_command: 'exec' } }), 'npx fridge')
  t.is(typedAs({ self: installed, env: {} }), 'fridge')
})

for (const [title, end, when] of [
  ['Ctrl-C', ({ child }) => child.kill('SIGINT'), /^Certificates/],
  // It is noticed at the next line, when the nodes run.
  ['a reader that goes away', ({ child }) => child.stdout?.destroy(), /^Certificates/],
] as [title: string, end: (demo: Demo) => unknown, when: RegExp][]) {
  test.serial(`${title} in the middle of the demo leaves nothing behind`, async t => {
    const demo = await startDemo(t)
    await demo.out.find(when)
    end(demo)
    t.is(typeof (await demo.exit), 'number')
    t.notRegex(demo.err.text, /\n {4}at /)
    await until(async () => (await demo.leftovers()).length === 0)
  })
}

test.serial('the nodes of a demo that is killed end with it', async t => {
  const folder = await makeTestFolder(t)
  const demo = spawnCli(t, ['demo'], { env: { TMPDIR: folder } })
  await demo.out.find(/Ctrl-C ends and removes it/)
  const nodes = await processesNaming(folder)
  demo.child.kill('SIGKILL')
  await Promise.all(
    nodes.map(async ({ pid }) => promisify(execFile)('tail', [`--pid=${pid}`, '-f', '/dev/null'])),
  )
  t.deepEqual(await commandsNaming(folder), [])
})
