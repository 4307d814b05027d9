import test from 'ava'
import type { Replica } from '../../../node/gossip/replica.ts'
import { parseSubject, type KeyId } from '../../../node/identity/names.ts'
import { subjectMethods, type SubjectReport } from '../../../node/operators/subjects.ts'
import type { Terms } from '../../../node/whitelist/terms.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a long list of long grants comes whole', async t => {
  // 100 reports of some 5 kB are more than this node keeps for one who does not read.
  const config = { limits: { maxBufferedBytes: 350_000 } }
  await using cluster = await startCluster(t, { certs, config })
  await using operator = await cluster.operator(1)
  const keys = Array.from({ length: 64 }, (_, index) => index.toString(16).padStart(64, '0'))
  const terms: Terms = { keys: keys as KeyId[] }
  const names = Array.from({ length: 100 }, (_, index) => `c${String(index).padStart(3, '0')}`)
  for (const name of names) {
    const subject = parseSubject(name)
    await operator.change({ kind: 'grant', subject, terms }, { waitMs: 0 })
  }
  const subjects: string[] = []
  for await (const { subject } of operator.subjects()) subjects.push(subject)
  t.deepEqual(
    subjects,
    names.map(name => `client/${name}`),
  )
})

test('a subject is found as it is shown, without what the nodes say', async t => {
  await using cluster = await startCluster(t, { certs })
  await using operator = await cluster.operator(1)
  const subject = parseSubject('c1')
  t.like(await operator.find(subject), { standing: 'unknown', removals: [] })
  await operator.change({ kind: 'grant', subject, terms: {} }, { waitMs: 0 })
  await operator.change({ kind: 'revocation', subject, reason: 'lost' }, { waitMs: 0 })
  const { nodes, ...shown } = await operator.show(subject)
  t.is(nodes.length, 1)
  t.deepEqual(await operator.find(subject), shown)
  t.is(shown.removals[0]?.reason, 'lost')
})

test('a list of thousands comes in order, each name once, however it is kept', async t => {
  const random = seededRandom(14)
  const names = Array.from({ length: 5_000 }, (_, index) => parseSubject(`c${index}`))
  const kept = names.toSorted(() => random() - 0.5)
  const replica = {
    whitelist: { subjects: () => new Map(kept.map(name => [name, undefined])) },
    stateOf: () => ({ grants: [], revocations: new Set() }),
  } as unknown as Replica
  const options = { replica, sessions: { countOf: () => 0 }, clock: new FakeClock() }
  const list = new Map(subjectMethods(options as never)).get('list')
  const { signal } = new AbortController()
  const listed: string[] = []
  for (;;) {
    const page = (await list?.(
      [listed.at(-1) ?? null],
      () => {},
      signal,
    )) as readonly SubjectReport[]
    if (page.length === 0) break
    listed.push(...page.map(({ subject }) => subject))
  }
  t.deepEqual(listed, names.toSorted())
})
