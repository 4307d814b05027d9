import test from 'ava'
import { isRun, subjectOf, parseName } from '../../../node/identity/names.ts'
import { CHANGE_LIMITS, idOf } from '../../../node/whitelist/change.ts'
import { entryBehind, headsOf, ListReplica } from '../../support/list-replica.ts'
import {
  client,
  grantAt,
  requestOf,
  revocationAt,
  testSource,
} from '../../support/replica-changes.ts'

const [ALPHA, BETA] = [testSource('alpha'), testSource('beta')]

/** What a thief with the key of `mallory` has opened. */
function flood(replica: ListReplica, sources: number): void {
  for (let run = 1; run <= sources; run += 1) {
    replica.accept(revocationAt(testSource('mallory', run), 1, client(`client-${run}`)))
  }
}

test('a checkpoint of now has the newest entry of each source, and of strays only what others have seen', t => {
  const replica = new ListReplica()
  const first = replica.accept(grantAt(ALPHA, 1))
  const [seen, unseen] = [client('amber'), client('basil')].map(subject =>
    entryBehind(grantAt(BETA, 1, { subject }), { sequence: 1, previous: '' }),
  )
  for (const one of [seen, unseen]) if (one !== undefined) replica.take(one)
  const list = replica.list.frontier(client('amber'))
  t.is(list.length, 2)
  const { hash } = replica.accept(grantAt(ALPHA, 2, { seen: list }))
  const heads = headsOf(replica)
  t.deepEqual(heads.get(ALPHA), { sequence: 2, hash })
  const strays = heads.entries().filter(([source]) => !isRun(source))
  const named = Array.from(strays, ([, head]) => head.hash)
  t.true(named.length <= 1)
  t.true(list.includes(idOf(first)))
})

test('what a removed node has opened keeps nobody from making a checkpoint', t => {
  const replica = new ListReplica()
  replica.accept(grantAt(ALPHA, 1))
  flood(replica, CHANGE_LIMITS.maxSeen + 1)
  t.throws(() => headsOf(replica), { message: 'there are too many sources' })
  const removal = requestOf('revocation', subjectOf('node', parseName('mallory')))
  replica.accept(replica.list.draft(removal, ALPHA, 1))
  t.deepEqual([...headsOf(replica).keys()], [ALPHA])
})

test('a source of a removed node is in it as far as somebody has seen it', t => {
  const replica = new ListReplica()
  flood(replica, CHANGE_LIMITS.maxSeen + 1)
  const subject = client('client-7')
  replica.accept(replica.list.draft(requestOf('grant', subject), ALPHA, 1))
  const removal = requestOf('revocation', subjectOf('node', parseName('mallory')))
  replica.accept(replica.list.draft(removal, ALPHA, 1))
  t.deepEqual(new Set(headsOf(replica).keys()), new Set([ALPHA, testSource('mallory', 7)]))
})
