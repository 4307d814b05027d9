import { execFile } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Command } from 'commander'
import test, { type ExecutionContext } from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { namesOf } from '../../cli/completion/names.ts'
import { wantedAt, type NameKind } from '../../cli/completion/wanted.ts'
import { recordIo, runCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** What may stand at the end of these words, as zsh and fish hand them over. */
async function complete(
  env: Readonly<Record<string, string>>,
  ...words: string[]
): Promise<string[]> {
  const { status, out, err } = await runCommand(['complete', 'fish', '--', ...words], { env })
  if (status !== 0 || err !== '') throw new Error(err)
  return out === '' ? [] : out.split('\n').map(line => line.split('\t')[0] ?? '')
}

test('commands, options and what options take are completed, as far as they are typed', async t => {
  for (const [words, found] of [
    [['wh'], ['whitelist']],
    [['compl'], ['completion']],
    [['whitelist', 'ch'], ['checkpoint']],
    [['whitelist', 'add', '--al'], ['--allow-unreachable']],
    [['whitelist', 'add', 'c1', '--tr'], ['--trace']],
    [
      ['whitelist', 'export', '--format', ''],
      ['yaml', 'csv', 'json'],
    ],
    [['history', 'export', 'door', '--format=j'], ['--format=json']],
    [['history', 'show', 'door', '--by', 'm'], ['minute']],
    [
      ['client', 'call', 'power'],
      ['powerOn', 'powerOff'],
    ],
    [['client', 'call', 'powerOn', ''], []],
    [['no-such-command', ''], []],
    [['certs', 'inspect', ''], []],
  ] as const) {
    t.deepEqual(await complete({}, ...words), [...found], words.join(' '))
  }
})

test('names come from the cluster, of the kind that the command is about', async t => {
  await using cluster = await startCluster(t, { certs })
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin', FRIDGE_NODE: cluster.address(1) }
  for (const name of ['till-1', 'till-2', 'laptop']) await cluster.grant(1, name)
  await runCommand(['origin', 'add', 'https://shop.example'], { env })
  const { io } = recordIo({ env })
  const named = async (kind: NameKind, prefix: string, target = {}): Promise<string[]> =>
    namesOf({ kind, prefix, target, waitMs: 60_000 }, io)
  t.deepEqual(await named('client', 'ti'), ['till-1', 'till-2'])
  t.deepEqual(await named('origin', ''), ['https://shop.example'])
  t.deepEqual(await named('node', ''), ['node-1'])
  t.deepEqual(await named('address', ''), [cluster.address(1)])
  t.deepEqual(await named('sensor', 'te'), ['temperature'])
  t.deepEqual(await named('operator', ''), ['admin'])
  t.deepEqual(await named('client', '', { node: ['127.0.0.1:1'] }), [])
})

test('the argument of a command, and what an option takes, are names of their kind', async t => {
  const program = new Command('fridge')
  const whitelist = program.command('whitelist')
  whitelist.command('remove').alias('rm').argument('<name...>').option('--node <address>')
  whitelist.command('show').argument('<name>')
  const kindAt = (...words: string[]): unknown => wantedAt(program, words).names
  t.is(kindAt('whitelist', 'remove', 'ti'), 'client')
  t.is(kindAt('whitelist', 'rm', 'till-1', 'la'), 'client')
  t.is(kindAt('whitelist', 'show', ''), 'client')
  t.is(kindAt('whitelist', 'show', 'till-1', ''), undefined)
  t.is(kindAt('whitelist', 'rm', '--node', ''), 'address')
  t.like(wantedAt(program, ['whitelist', 'rm', '--node=n1']), {
    names: 'address',
    before: '--node=',
    prefix: 'n1',
  })
  t.is(kindAt('whitelist', 'rm', '--node', 'n1:7443', ''), 'client')
})

test('where the cluster cannot be asked there are no names, and no error', async t => {
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_NODE: '127.0.0.1:1' }
  t.deepEqual(await complete(env, 'whitelist', 'remove', ''), [])
  t.deepEqual(await complete({ FRIDGE_CERTS: '/nonexistent' }, 'whitelist', 'remove', ''), [])
})

test('bash is given what is behind the last : or =, and words in quotes as one', async t => {
  const bash = async (line: string): Promise<string> =>
    (await runCommand(['complete', 'bash', '--', line], {})).out
  t.is(await bash('fridge history export door --format=c'), 'csv')
  t.is(await bash(`fridge whitelist add c1 --reason 'lost on the train' --repl`), '--replace')
  t.is(await bash(String.raw`fridge whitelist add c1 --reason lost\ today --repl`), '--replace')
  t.is(await bash('fridge whitelist add c1 --reason "it\'s'), '')
})

/** Runs a script of a shell in which `fridge` is the one of this checkout. */
async function inShell(t: ExecutionContext, ...command: [string, ...string[]]): Promise<string> {
  const folder = await makeTestFolder(t)
  await symlink(fileURLToPath(new URL('../../cli/fridge', import.meta.url)), join(folder, 'fridge'))
  const [shell, ...args] = command
  const { stdout } = await promisify(execFile)(shell, args, {
    cwd: folder,
    env: { PATH: `${folder}:${process.env['PATH'] ?? ''}`, HOME: folder },
  })
  return stdout.trim()
}

test('bash completes, and carries out nothing of what is typed', async t => {
  const said = await inShell(
    t,
    'bash',
    '-c',
    `source <(fridge completion bash)
    at() { COMP_LINE=$1; COMP_POINT=\${#1}; COMP_WORDS=(fridge); _fridge; echo "\${COMPREPLY[*]}"; }
    at 'fridge whitel'
    at 'fridge whitelist add $(touch ran) --repl'
    at 'fridge whitelist add \`touch ran\` --repl'
    ls -A`,
  )
  t.is(said, 'whitelist\n--replace\n--replace\nfridge')
})

test('zsh and fish complete', async t => {
  const zsh = `autoload -U compinit; compinit -u -D; source <(fridge completion zsh)
    _describe() { print -l $found }
    words=(fridge whitelist exp); CURRENT=3; $_comps[fridge]`
  t.is(
    await inShell(t, 'zsh', '-fc', zsh),
    'export:print who is let in now, as a file that apply reads',
  )
  const fish = `fridge completion fish | source; complete -C 'fridge whitelist exp'`
  t.is(
    await inShell(t, 'fish', '-c', fish),
    'export\tprint who is let in now, as a file that apply reads',
  )
})
