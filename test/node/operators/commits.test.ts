import test from 'ava'
import { connectOperator } from '../../../cli/operator.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseSubject } from '../../../node/identity/names.ts'
import { recordIo } from '../../support/cli.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('operators on different nodes who change one name at once all succeed, and agree', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  const subject = parseSubject('c1')
  const operators = await Promise.all(
    [1, 2, 3, 1, 2, 3].map(async index => cluster.operator(index)),
  )
  const changes = await Promise.all(
    operators.map(async (operator, index) =>
      operator.change(
        index % 2 === 0 ? { kind: 'grant', subject, terms: {} } : { kind: 'revocation', subject },
        {
          waitMs: 20_000,
        },
      ),
    ),
  )
  const places = changes.map(({ source, sequence }) => `${source}:${sequence}`)
  t.is(new Set(places).size, places.length)
  for (const { confirmed } of changes) t.is(confirmed.length, 3)
  const standings = await Promise.all(
    operators.map(async operator => (await operator.show(subject)).standing),
  )
  t.is(new Set(standings).size, 1)
  for (const operator of operators) await operator[Symbol.asyncDispose]()
})

test('a change that names another operator than its signer is refused', async t => {
  await certs.issue('operator', 'maria')
  await using cluster = await startCluster(t, { certs })
  const target = { certs: certs.dir, as: 'maria', node: [cluster.address(1)] }
  await using maria = await connectOperator(target, recordIo().io)
  const error = await t.throwsAsync(
    maria.change(
      // What a tampered client would send: the node takes the name from the certificate alone.
      { kind: 'revocation', subject: parseSubject('c1'), operator: 'admin' } as never,
      { waitMs: 0 },
    ),
    { instanceOf: FridgeError },
  )
  t.regex(error.message, /malformed/)
  t.is((await maria.show(parseSubject('c1'))).standing, 'unknown')
})
