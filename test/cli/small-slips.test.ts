import test from 'ava'
import { runCommand } from '../support/cli.ts'
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
