import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseName, parseSubject, type Source } from '../../../node/identity/names.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'
import { idOf, type Change, type ChangeId, type UpTo } from '../../../node/whitelist/change.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { effectOf, type Effect } from '../../../node/whitelist/effect.ts'
import { StoredChanges } from '../../../node/storage/stored-changes.ts'
import { fits, readFilter } from '../../../node/whitelist/change-filter.ts'
import type { LoggedEntry } from '../../../node/whitelist/entry.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { OpenedLog } from '../../../node/whitelist/opened-log.ts'
import { makeTestFolder } from '../../support/certs.ts'
import {
  chain,
  grantAt,
  NOON,
  revocationAt,
  revocationsOf,
  testSource,
} from '../../support/replica-changes.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')

/** A database with two sources, three changes each, taken in turn. */
async function makeDatabase(t: ExecutionContext): Promise<string> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  using store = openSqliteStore(file)
  const [alpha, beta] = [revocationsOf(ALPHA, 3), revocationsOf(BETA, 3)]
  store.append(alpha.flatMap((entry, index) => [entry, beta[index] ?? entry]))
  return file
}

function places(entries: Iterable<LoggedEntry>): string[] {
  return Array.from(
    entries,
    ({ position, place }) => `${position} ${place.source} ${place.sequence}`,
  )
}

test('the log is read from both ends, in the order in which the node took the changes', async t => {
  using log = StoredChanges.open(await makeDatabase(t))
  const all = [1, 2, 3].flatMap(sequence => [`${ALPHA} ${sequence}`, `${BETA} ${sequence}`])
  const numbered = all.map((place, index) => `${index + 1} ${place}`)
  t.deepEqual(places(log.after(0)), numbered)
  t.deepEqual(places(log.after(4)), numbered.slice(4))
  t.deepEqual(places(log.before(Infinity)), numbered.toReversed())
  t.deepEqual(places(log.before(3)), numbered.slice(0, 2).toReversed())
})

test('a reader that has heard some of it goes on where the first change is missing', async t => {
  using log = StoredChanges.open(await makeDatabase(t))
  t.is(log.positionOf(new Map()), 0)
  t.is(log.positionOf(new Map([[ALPHA, 2]])), 1)
  t.is(
    log.positionOf(
      new Map([
        [ALPHA, 3],
        [BETA, 1],
      ]),
    ),
    3,
  )
  t.is(
    log.positionOf(
      new Map([
        [ALPHA, 3],
        [BETA, 3],
      ]),
    ),
    6,
  )
  // Of a source that this node does not know, and further than it knows of another.
  t.is(
    log.positionOf(
      new Map([
        [ALPHA, 9],
        [BETA, 3],
        [testSource('gamma'), 4],
      ]),
    ),
    6,
  )
})

test('what a node writes meanwhile is read', async t => {
  const file = await makeDatabase(t)
  using store = openSqliteStore(file)
  using log = StoredChanges.open(file)
  t.is(places(log.after(0)).length, 6)
  store.append(revocationsOf(testSource('gamma'), 1))
  t.is(places(log.after(0)).length, 7)
})

test('a log that is not there cannot be read', async t => {
  const file = join(await makeTestFolder(t), 'none.db')
  t.throws(() => StoredChanges.open(file), { code: 'ERR_DATABASE' })
})

test('a filter asks for all that it names', t => {
  const change = { ...grantAt(ALPHA, 1), at: NOON }
  const [subject, operator] = [change.subject, change.operator]
  t.true(fits(change, {}))
  t.true(fits(change, { subject, operator, since: NOON, until: NOON + 1 }))
  t.false(fits(change, { subject, operator: parseName('berta') }))
  t.false(fits(change, { subject: parseSubject('c9') }))
  t.false(fits(change, { since: NOON + 1 }))
  t.false(fits(change, { until: NOON }))
})

test('what is no filter is refused', t => {
  t.deepEqual(readFilter({}), {})
  const filter = { subject: 'client/c1', operator: 'olga', since: 1, until: 2 }
  t.deepEqual({ ...readFilter(filter) } as unknown, filter)
  for (const value of [
    null,
    [],
    'c1',
    { subject: 'c1' },
    { operator: 'a/b' },
    { since: '1' },
    { until: 1.5 },
    { other: 1 },
  ]) {
    t.is(readFilter(value), undefined)
  }
})

/** What each change of a list does, after all of them were merged. */
function effectsOf(entries: readonly Entry[]): Effect[] {
  const list = buildWhitelist(new OpenedLog(entries), ALL_VOUCHED)
  return entries.map(entry => effectOf({ entry, isStray: false }, list))
}

test('a grant is in effect until a later one takes its place or a revocation comes', t => {
  const [first, second, out, back] = linked(ALPHA, [
    () => grantAt(ALPHA, 1),
    seen => grantAt(ALPHA, 2, { seen }),
    seen => revocationAt(ALPHA, 3, undefined, seen),
    seen => grantAt(ALPHA, 4, { seen }),
  ])
  if (!first || !second || !out || !back) return t.fail()
  t.deepEqual(effectsOf([first]), ['in effect'])
  t.deepEqual(effectsOf([first, second]), ['replaced', 'in effect'])
  t.deepEqual(effectsOf([first, second, out]), ['dead', 'dead', 'in effect'])
  t.deepEqual(effectsOf([first, second, out, back]), ['dead', 'dead', 'replaced', 'in effect'])
})

test('a grant that a later one replaced is not dead, though its subject had been removed before', t => {
  const entries = linked(ALPHA, [
    () => revocationAt(ALPHA, 1),
    seen => grantAt(ALPHA, 2, { seen }),
    seen => grantAt(ALPHA, 3, { seen }),
  ])
  t.deepEqual(effectsOf(entries), ['replaced', 'replaced', 'in effect'])
})

test('a grant is void when its operator or node was revoked out of its sight', t => {
  const [grant] = chain([grantAt(ALPHA, 1)])
  if (grant === undefined) return t.fail()
  for (const subject of ['operator/olga', 'node/alpha'].map(parseSubject)) {
    const revoked = (upTo: UpTo): Entry[] =>
      chain([{ ...revocationAt(BETA, 1, subject), operator: parseName('berta'), upTo }])
    const seen: UpTo = new Map([[ALPHA, { sequence: 1, hash: grant.hash }]])
    t.deepEqual(effectsOf([grant, ...revoked(seen)]), ['in effect', 'in effect'])
    t.deepEqual(effectsOf([grant, ...revoked(new Map())]), ['void', 'in effect'])
  }
})

test('a removal by who was removed stays in effect', t => {
  const [removal] = chain([revocationAt(ALPHA, 1)])
  const [withdrawal] = chain([
    {
      ...revocationAt(BETA, 1, parseSubject('operator/olga')),
      operator: parseName('berta'),
      upTo: new Map(),
    },
  ])
  if (removal === undefined || withdrawal === undefined) return t.fail()
  t.deepEqual(effectsOf([removal, withdrawal]), ['in effect', 'in effect'])
})

test('a change of a node that forked is shown as a stray and not in its place', t => {
  const [entry] = chain([grantAt(ALPHA, 1)])
  const [against] = chain([{ ...grantAt(ALPHA, 1), at: NOON + 1 }])
  if (entry === undefined || against === undefined) return t.fail()
  const list = buildWhitelist(new OpenedLog([entry, { entry, against }]), ALL_VOUCHED)
  t.is(effectOf({ entry, isStray: false }, list), 'forked')
  t.is(effectOf({ entry, isStray: true }, list), 'in effect')
})

/** The entries of one source, each of which has seen the one before. */
function linked(
  source: Source,
  makers: readonly ((seen: readonly ChangeId[]) => Change)[],
): Entry[] {
  const entries: Entry[] = []
  for (const make of makers) {
    const last = entries.at(-1)
    const change = make(last === undefined ? [] : [idOf(last)])
    entries.push(...chain([{ ...change, source }], last?.hash))
  }
  return entries
}
