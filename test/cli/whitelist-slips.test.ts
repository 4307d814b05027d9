import test from 'ava'
import { makeTestCerts } from '../support/certs.ts'
import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster } from '../support/cluster.ts'

/** What a person types in haste changes no more than was meant. */

const shared = await makeSharedCerts()
const { certs } = shared
const whitelist = asAdmin('whitelist')
test.after.always(() => shared.remove())

test('a later grant keeps what it does not name, and says what is other than before', async t => {
  await using cluster = await startCluster(t, { certs })
  const linesOf = async (...args: string[]): Promise<string[]> => {
    const { status, out, err } = await whitelist(cluster, 1, 'add', 'c1', ...args)
    if (status !== 0) return [err]
    return out.split('\n').filter(line => line.includes('before'))
  }
  t.deepEqual(await linesOf('--sensor', 'door', '--command', 'defrost'), [])
  const both = ['--sensor', 'door', '--sensor', 'temperature']
  const [more, end] = await linesOf(...both, '--expires-in', '8h')
  t.is(more, '  sensors: door temperature (before: door)')
  t.regex(end ?? '', /^ {2}ends: in 8h \(before: never\)$/)
  t.deepEqual(await linesOf('--reason', 'again'), [])
  t.like(JSON.parse((await whitelist(cluster, 1, 'show', 'c1', '--json')).out), {
    grants: [{ sensors: ['door', 'temperature'], commands: ['defrost'] }],
  })
  const [sensors, commands, ends] = await linesOf('--replace')
  t.is(sensors, '  sensors: all (before: door temperature)')
  t.is(commands, '  commands: all (before: defrost)')
  t.regex(ends ?? '', /^ {2}ends: never \(before: in 8h\)$/)
  await cluster.grant(1, 'c1', { sensors: ['door'], expiresAt: Date.now() - 1 })
  const [refused = ''] = await linesOf('--sensor', 'temperature')
  t.regex(
    refused,
    /the grant of c1 has ended\n.*--expires-in 8h; or that it has no end: --replace$/,
  )
})

test('a misspelt name is no name that was never heard of: show says which was likely meant', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'fridge-client-001')
  const show = async (name: string): Promise<string> => {
    const { status, out } = await whitelist(cluster, 1, 'show', name)
    t.is(status, 1)
    return out
  }
  t.regex(await show('fridge-client-01'), /^ {2}did you mean fridge-client-001\?$/m)
  t.regex(await show('operator/admim'), /^ {2}did you mean operator\/admin\?$/m)
  t.regex(await show('node-1'), /^ {2}did you mean node\/node-1\?$/m)
  for (const known of ['node/node-1', 'operator/admin']) {
    t.notRegex((await whitelist(cluster, 1, 'show', known)).out, /did you mean/)
  }
  t.notRegex(await show('nothing-like-it'), /did you mean/)
})

test('a sensor or a command that is misspelt in a grant is refused, and names what was likely meant', async t => {
  await using cluster = await startCluster(t, { certs })
  const add = async (...args: string[]): Promise<CommandResult> =>
    whitelist(cluster, 1, 'add', 'c1', ...args)
  const { status, err } = await add('--sensor', 'temprature')
  t.is(status, 2)
  t.is(
    err,
    'fridge: no node has a sensor "temprature"; did you mean temperature?\n' +
      '  to mend it: should it be meant: add --force',
  )
  const command = await add('--command', 'defrots')
  t.is(command.status, 2)
  t.regex(command.err, /there is no command "defrots"\n.*did you mean defrost\?/)
  const asked: string[] = []
  const answered = await runCommand(
    ['whitelist', 'add', 'c1', '--sensor', 'temprature', '--node', cluster.address(1)],
    {
      env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' },
      confirm: async question => asked.push(question) === 0,
    },
  )
  t.is(answered.status, 2)
  t.regex(asked.join(), /did you mean temperature\? Grant temprature all the same\?$/)
  t.regex((await whitelist(cluster, 1, 'show', 'c1')).out, /: unknown, /)
  // Another fridge may have a hygrometer some day.
  t.is((await add('--sensor', 'humidity')).status, 0)
  t.is((await add('--sensor', 'temprature', '--force')).status, 0)
})

test('a removal that is more likely a slip is refused, and names what was likely meant', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await whitelist(cluster, 1, 'add', 'laptop-7')
  for (const [name, doubt] of [
    ['c7', /^fridge: c7 was never let in$/m],
    ['lptop-7', /lptop-7 was never let in; did you mean laptop-7\?/],
    ['admin', /admin was never let in; did you mean operator\/admin\?/],
    ['node-2', /node-2 was never let in; did you mean node\/node-2\?/],
    ['node/node-9', /no node node-9 is known; did you mean node\/node-1\?/],
    ['operator/admn', /no operator admn is known; did you mean operator\/admin\?/],
  ] as const) {
    const { status, out, err } = await whitelist(cluster, 1, 'remove', name)
    t.is(status, 2, name)
    t.is(out, '')
    t.regex(err, doubt)
    t.true(err.endsWith(`to mend it: should it be meant: fridge whitelist remove ${name} --force`))
    t.regex((await whitelist(cluster, 1, 'show', name)).out, /: unknown, /)
  }
  t.is((await whitelist(cluster, 1, 'remove', 'c7', '--force')).status, 0)
  t.regex((await whitelist(cluster, 2, 'show', 'c7')).out, /^c7: revoked/)
  // It is known now.
  t.is((await whitelist(cluster, 1, 'remove', 'c7')).status, 0)
})

test('the last operator is not removed without being asked, nor all at once', async t => {
  const own = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin', 'berta'] })
  await using cluster = await startCluster(t, { certs: own })
  const remove = async (names: string, options: IoOptions = {}): Promise<CommandResult> =>
    runCommand(
      ['whitelist', 'remove', ...names.split(' '), '--as', 'admin', '--node', cluster.address(1)],
      { env: { FRIDGE_CERTS: own.dir }, ...options },
    )
  t.is((await remove('operator/admin operator/berta')).status, 2)
  t.is((await remove('operator/berta')).status, 0)
  const refused = await remove('operator/admin')
  t.is(refused.status, 2)
  t.regex(refused.err, /admin is the last operator that is known: nobody could change the list/)
  const asked: string[] = []
  const answer = (is: boolean) => async (question: string) => {
    asked.push(question)
    return is
  }
  t.is((await remove('operator/admin', { confirm: answer(false) })).status, 2)
  t.is((await remove('operator/admin', { confirm: answer(true) })).status, 0)
  t.is(asked.length, 2)
  t.regex(asked[0] ?? '', /any more\. Remove operator\/admin all the same\?$/)
})
