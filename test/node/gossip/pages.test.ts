import test from 'ava'
import { attachEndpoint, TextDocument } from '../../support/gossip-document.ts'
import { chain, client, grantAt, requestOf, testSource } from '../../support/replica-changes.ts'
import { openReplica, testNetwork } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'
import { MemoryStore } from '../../support/memory-store.ts'

/** More sources than a digest or the heads of one frame ever held. */
const SOURCES = 20_001
const people = await makePeople({ nodes: ['alpha', 'beta'] })

function crowdedStore(): MemoryStore {
  const store = new MemoryStore()
  for (let run = 1; run <= SOURCES; run += 1)
    store.append(chain([grantAt(testSource('gamma', run), 1, { subject: client(`c${run}`) })]))
  return store
}

test('two nodes that know twenty thousand sources link, and a change goes from one to the other', async t => {
  const { connect, quiet, network } = testNetwork()
  const alpha = openReplica(people, 'alpha', { store: crowdedStore() })
  const beta = openReplica(people, 'beta', { store: crowdedStore() })
  const link = connect(alpha, beta)
  await quiet()
  t.deepEqual(network.refusals, [])
  t.true(link.synced)
  await alpha.request(requestOf('grant', client('amber')))
  await quiet()
  t.is(beta.replica.stateOf(client('amber')).grants.length, 1)
})

test('of twenty thousand sources the heads of all are told, each once', async t => {
  const alpha = openReplica(people, 'alpha', { store: crowdedStore() })
  const link = attachEndpoint(alpha.replica, testSource('beta'))
  const told = link.sent.flatMap(frame =>
    typeof frame === 'object' && frame !== null && 'heads' in frame
      ? Object.keys(frame.heads as object)
      : [],
  )
  t.is(told.length, SOURCES)
  t.is(new Set(told).size, SOURCES)
  link.dispose()
})

test('a digest comes in pages, all of them before its end', async t => {
  const document = new TextDocument(testSource('alpha'))
  for (const text of ['one', 'two', 'three']) document.add(text)
  const peer = testSource('beta')
  const link = attachEndpoint(document, peer)
  await link.receive({ heard: { [document.id]: 2 } }, { id: peer, clock: {} }, 'SYNC')
  t.deepEqual(
    link.sent.filter(frame => Array.isArray(frame)).map(frame => (frame as unknown[])[0]),
    ['three'],
  )
  await link.receive({ heard: { [document.id]: 3 } })
  t.deepEqual(link.refusals, ['a page of a digest came behind its end'])
})

test('a malformed page of a digest ends its link', async t => {
  for (const heard of [null, [], { nobody: 1 }, { [testSource('beta')]: 0 }]) {
    const link = attachEndpoint(new TextDocument(testSource('alpha')), testSource('beta'))
    await link.receive({ heard })
    t.is(link.refusals.length, 1)
  }
})
