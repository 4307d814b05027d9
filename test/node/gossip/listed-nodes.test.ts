import test from 'ava'
import { ListedNodes } from '../../../node/gossip/listed-nodes.ts'
import { client } from '../../support/replica-changes.ts'
import { openReplica, testNetwork } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'] })

test('the list knows each node that accepted a change, in it at the start or heard since', async t => {
  const { connect, quiet } = testNetwork()
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map(name => openReplica(people, name))
  if (!alpha || !beta || !gamma) return t.fail()
  await alpha.grant(client('amber'))
  using listed = new ListedNodes(alpha.replica)
  t.deepEqual([...listed.names()].map(String), ['alpha'])
  await beta.grant(client('blue'))
  connect(alpha, beta)
  connect(alpha, gamma)
  await quiet()
  t.deepEqual([...listed.names()].map(String), ['alpha', 'beta'])
})
