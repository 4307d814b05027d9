import test from 'ava'
import { parseName, subjectOf } from '../../node/identity/names.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { chain, client, grantAt, requestOf, testSource } from '../support/replica-changes.ts'
import { openReplica, testNetwork } from '../support/replica-pair.ts'
import { makePeople } from '../support/replica-people.ts'

/** The longest name that a node can have. */
const THIEF = 'mallory'.padEnd(64, '-mallory')
/** More sources than fit into one line, as a digest or as heads, and than one removal can name. */
const SOURCES = 25_001
const people = await makePeople({ nodes: ['alpha', 'beta'] })
const MALLORY = subjectOf('node', parseName(THIEF))
const EVE = parseName('eve')

/** What a stolen node has made up with a stolen operator's key: a source for each client. */
function floodedStore(): MemoryStore {
  const store = new MemoryStore()
  for (let run = 1; run <= SOURCES; run += 1) {
    const granted = grantAt(testSource(THIEF, run), 1, { subject: client(`c${run}`) })
    store.append(chain([{ ...granted, operator: EVE }]))
  }
  return store
}

test('25,001 sources of a stolen node keep no honest nodes apart, and it is removed with all that it let in', async t => {
  const { connect, quiet, network } = testNetwork()
  const alpha = openReplica(people, 'alpha', { store: floodedStore() })
  const beta = openReplica(people, 'beta', { store: floodedStore() })
  const link = connect(alpha, beta)
  await quiet()
  t.true(link.synced)
  for (const author of [subjectOf('operator', EVE), MALLORY]) {
    const { outcome } = await alpha.request(requestOf('revocation', author))
    t.is(outcome, 'committed')
  }
  await beta.grant(client('amber'))
  await quiet()
  t.deepEqual(network.refusals, [])
  for (const { replica } of [alpha, beta]) {
    t.true(replica.whitelist.hasRemoved(parseName(THIEF)))
    // Beyond the sources that a removal can name nothing counts: the safe side.
    const isIn = Array.from({ length: SOURCES }, (_, index) => client(`c${index + 1}`)).filter(
      subject => replica.stateOf(subject).grants.length > 0,
    )
    t.true(isIn.length <= 1_024, `${isIn.length} are in`)
    t.is(replica.stateOf(client('amber')).grants.length, 1)
  }
})
