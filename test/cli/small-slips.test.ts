import test from 'ava'
import { runCommand, startCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { fails } from './failure.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const asClient = ['--certs', certs.dir, '--as', 'c1', '--node', '127.0.0.1:1']

test('a command with too many or too few arguments is wrong usage, whether or not a node is there', async t => {
  for (const [args, says, mends] of [
    [['powerOn', 'now'], /powerOn takes no argument/, /fridge client call powerOn$/],
    [['defrost', '5'], /defrost takes no argument/, /fridge client call defrost$/],
    [['setTargetTemperature'], /takes one argument, degrees Celsius/, /setTargetTemperature 6$/],
    [['setTargetTemperature', '5', '6'], /takes one argument/, /setTargetTemperature 6$/],
    [['setTargetTemperature', '4,5'], /"4,5" is not a number/, /setTargetTemperature 4\.5$/],
  ] as const) {
    await fails(t, ['client', 'call', ...args, ...asClient], { status: 2, says, mends })
  }
})

test('a reason is told which of its characters it must not hold', async t => {
  const remove = ['whitelist', 'remove', 'c1', '--node', '127.0.0.1:1', '--certs', certs.dir]
  for (const [reason, found] of [
    ['a\tb', String.raw`"\t"`],
    ['bell\u0007', String.raw`"\u0007"`],
  ] as const) {
    const { status, err } = await runCommand([...remove, '--as', 'admin', '--reason', reason])
    t.is(status, 2)
    t.is(
      err,
      `fridge: --reason is not 1 to 500 characters of text: it holds the character ${found}`,
    )
  }
})

test('a name that begins like an option can be typed, and every hint about it as well', async t => {
  await using cluster = await startCluster(t, { certs })
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin', FRIDGE_NODE: cluster.address(1) }
  const mistaken = await runCommand(['whitelist', 'add', '-dash'], { env })
  t.is(mistaken.status, 2)
  t.regex(mistaken.err, /should it be a name: write -- before it, or its role, as client\/NAME/)
  const doubted = await runCommand(['whitelist', 'remove', '--', '-dash'], { env })
  t.regex(doubted.err, /fridge whitelist remove client\/-dash --force$/)
  const added = await runCommand(['whitelist', 'add', 'client/-dash'], { env })
  t.is(added.status, 0)
  t.true(added.out.endsWith('client/-dash added on 1 node'))
  await fails(t, ['certs', 'issue', 'client', '--certs', certs.dir, '--', '-dash'], {
    status: 2,
    says: /-dash would be taken for an option/,
    mends: /begins with a letter or a digit/,
  })
})

test('the help of a command that is not there says so, and what was likely meant', async t => {
  const { status, err } = await runCommand(['help', 'whitelst'])
  t.is(status, 2)
  t.regex(err, /^error: unknown command 'whitelst'\n\(Did you mean whitelist\?\)/)
  const whole = await runCommand(['help'])
  t.regex(whole.out, /^Usage: fridge /)
  t.regex((await runCommand(['help', 'whitelist'])).out, /^Usage: fridge whitelist /)
})

test('a client that is named where an operator is needed is said to be one, and no operator is made of it', async t => {
  const status = ['status', '--certs', certs.dir, '--node', '127.0.0.1:1']
  await fails(t, [...status, '--as', 'c1'], {
    status: 1,
    says: /there is no operator c1 in .*: c1 is a client\n/,
    mends: /name one: --as admin$/,
  })
  await fails(t, [...status, '--as', 'admn'], {
    status: 1,
    says: /there is no operator admn in/,
    mends: /did you mean admin\? If not: fridge certs issue operator admn/,
  })
})

test('a port that is taken is said to be', async t => {
  await using cluster = await startCluster(t, { certs })
  const [, port = ''] = cluster.address(1).split(':')
  const where = ['--certs', certs.dir, '--as', 'admin', '--node', cluster.address(1)]
  await fails(t, ['console', '--port', port, ...where], {
    status: 1,
    says: new RegExp(`port ${port} cannot be had: it is in use`),
    mends: /name another one with --port/,
  })
})

test('the link of a console is JSON where that was asked for', async t => {
  await using cluster = await startCluster(t, { certs })
  const where = ['--certs', certs.dir, '--as', 'admin', '--node', cluster.address(1)]
  const { out, status, stop } = startCommand(['console', '--json', ...where])
  const { link } = JSON.parse(await out.find(/^/)) as { link: unknown }
  t.regex(String(link), /^http:\/\/127\.0\.0\.1:\d+\/#console=/)
  stop()
  t.is(await status, 0)
})
