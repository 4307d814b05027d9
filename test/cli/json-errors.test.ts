import test from 'ava'
import { runCommand } from '../support/cli.ts'
import { makeSharedCerts } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a program that asks for JSON is told of errors in JSON', async t => {
  for (const [args, status, error] of [
    [['status', '--as', 'maria', '--certs', certs.dir], 1, { code: 'ERR_KEY_FILE' }],
    [['whitelist', 'add', 'no good'], 2, { code: 'ERR_USAGE' }],
    [['whitelist', 'add'], 2, { message: "missing required argument 'name'" }],
    [['whitelist', 'lits'], 2, { code: 'ERR_USAGE' }],
    [
      ['status', '--certs', certs.dir, '--as', 'admin', '--node', '127.0.0.1:1'],
      3,
      { code: 'ERR_UNREACHABLE' },
    ],
  ] as const) {
    const { out, err, ...ended } = await runCommand([...args, '--json'])
    t.is(ended.status, status, err)
    t.is(out, '')
    t.is(err.split('\n').length, 1, err)
    t.like(JSON.parse(err), { status, error })
  }
})
