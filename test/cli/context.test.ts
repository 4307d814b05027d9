import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { runCommand, type CommandResult } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { makeTestFolder } from '../support/certs.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

type Env = Readonly<Record<string, string>>

/** A person with a home of its own. */
async function person(t: ExecutionContext) {
  const home = await makeTestFolder(t)
  return {
    file: join(home, '.config', 'fridge', 'contexts.json'),
    type: (words: string, env: Env = {}): Promise<CommandResult> =>
      runCommand(words.split(' '), {
        cwd: home,
        env: { HOME: home, XDG_CONFIG_HOME: '', ...env },
      }),
  }
}

test('commands go to the cluster of the context, from any folder', async t => {
  await using cluster = await startCluster(t, { certs })
  const { type } = await person(t)
  const added = await type(
    `context add site --node ${cluster.address(1)} --certs ${certs.dir} --as admin`,
  )
  t.is(added.status, 0, added.err)
  t.is(added.out, 'context site added; commands use it')
  const list = await type('whitelist add till-1')
  t.is(list.status, 0, list.err)
  t.is((await type('whitelist show till-1 --json')).status, 0)
})

test('what is said on the command line goes over a context, and the environment over the current one', async t => {
  await using cluster = await startCluster(t, { certs })
  const { type } = await person(t)
  await type(`context add dead --node 127.0.0.1:1 --certs ${certs.dir} --as admin`)
  await type(`context add site --node ${cluster.address(1)} --certs ${certs.dir} --as admin`)
  const node = { FRIDGE_NODE: cluster.address(1) }
  t.is((await type('whitelist list')).status, 3)
  t.is((await type(`whitelist list --node ${cluster.address(1)}`)).status, 0)
  t.is((await type('whitelist list', node)).status, 0)
  t.is((await type('whitelist list', { FRIDGE_NODE: '' })).status, 3)
  t.is((await type('whitelist list --context site')).status, 0)
  t.is((await type('--context=site whitelist list')).status, 0)
  t.is((await type('whitelist list', { FRIDGE_CONTEXT: 'site' })).status, 0)
  t.is((await type('whitelist list --context dead', node)).status, 3)
  t.is((await type('context use site')).status, 0)
  t.is((await type('whitelist list')).status, 0)
  t.regex((await type('whitelist list --context none', node)).err, /certs init/)
})

test('contexts are listed, shown, replaced and removed', async t => {
  const { type, file } = await person(t)
  t.regex((await type('context list')).err, /there is no context: fridge context add NAME/)
  t.regex((await type('context show')).err, /use no context\n.*fridge context add/)
  await type(`context add a --node n1.example:7443 --node n2.example:7443 --certs ${certs.dir}`)
  const second = await type(`context add b --node [::1]:7443 --certs ${certs.dir} --as maria`)
  t.is(second.out, 'context b added; to use it: fridge context use b')
  t.is((await stat(file)).mode & 0o777, 0o600)
  const { out } = await type('context ls')
  t.regex(out, /^\* {2}a +n1\.example:7443 n2\.example:7443/m)
  t.regex(out, /^ {3}b +\[::1\]:7443 +maria/m)
  t.deepEqual(JSON.parse((await type('context show b --json')).out), {
    name: 'b',
    current: false,
    nodes: ['[::1]:7443'],
    certs: certs.dir,
    as: 'maria',
  })
  const again = await type(`context add a --node n3.example:7443 --certs ${certs.dir}`)
  t.is(again.out, 'context a replaced; commands use it')
  t.regex(
    (await type('context show')).out,
    /^a, which commands use\n {2}nodes {2}n3\.example:7443$/m,
  )
  t.is((await type('context rm a')).out, 'context a removed; commands use none now')
  t.is(JSON.parse((await type('context list --json')).out).length, 1)
})

test('what is wrong with a context is told with what mends it', async t => {
  const { type, file } = await person(t)
  await type(`context add warehouse --node n1.example:7443 --certs ${certs.dir}`)
  for (const [words, said] of [
    ['context use warehose', /no context "warehose"; did you mean warehouse\?/],
    ['whitelist list --context shop', /no context "shop"\n.*use one of warehouse/],
    ['context add a/b --node n1:7443', /"a\/b" is not the name of a context/],
    ['context add none --node n1:7443', /none is what no context is called/],
    ['context add a --node n1', /"n1" is not the address of a node/],
    ['context add a --node n1:7443 --certs nowhere', /nowhere is not a folder\n.*--certs DIR/],
    ['context add a', /--node <host:port>' not specified/],
  ] as const) {
    const { status, err } = await type(words)
    t.is(status, 2, words)
    t.regex(err, said, words)
  }
  for (const text of [
    '{',
    '[]',
    '{"contexts":{"a":{"nodes":[],"certs":"/c"}}}',
    '{"contexts":{},"current":"a"}',
  ]) {
    await writeFile(file, text)
    const { status, err } = await type('whitelist list')
    t.is(status, 2, text)
    t.regex(err, /contexts\.json is damaged.*\n.*mv /, text)
    t.regex((await type('whitelist list --context none')).err, /certs init/, text)
  }
})

test('a damaged file of contexts is left as it is, and commands without a cluster need none', async t => {
  const { type, file } = await person(t)
  await type(`context add a --node n1:7443 --certs ${certs.dir}`)
  await writeFile(file, 'precious')
  t.is((await type(`context add b --node n1:7443 --certs ${certs.dir}`)).status, 2)
  t.is(await readFile(file, 'utf8'), 'precious')
  t.is((await type('--help')).status, 0)
})
