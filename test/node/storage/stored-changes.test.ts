import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseName, parseSubject } from '../../../node/identity/names.ts'
import type { Change } from '../../../node/whitelist/change.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { strayPlace } from '../../../node/whitelist/entry.ts'
import { effectOf, type Effect } from '../../../node/whitelist/effect.ts'
import { StoredChanges } from '../../../node/storage/stored-changes.ts'
import { fits, readFilter } from '../../../node/whitelist/change-filter.ts'
import type { LoggedEntry } from '../../../node/whitelist/entry.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { Whitelist } from '../../../node/whitelist/whitelist.ts'
import { makeTestFolder } from '../../support/certs.ts'
import {
  chain,
  grantAt,
  NOON,
  revocationAt,
  revocationsOf,
  testSource,
} from '../../support/replica-changes.ts'

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
function effectsOf(entries: readonly Entry[], whitelist = new Whitelist()): Effect[] {
  for (const entry of entries) whitelist.withdraw(entry.change)
  for (const entry of entries) whitelist.merge(entry)
  return entries.map(entry => effectOf({ entry, place: entry.change, isStray: false }, whitelist))
}

test('a grant is in effect until a later one takes its place or a revocation comes', t => {
  const first = grantAt(ALPHA, 1)
  const second = grantAt(ALPHA, 2, { seen: [[ALPHA, 1]] })
  t.deepEqual(effectsOf(chain([first])), ['in effect'])
  t.deepEqual(effectsOf(chain([first, second])), ['replaced', 'in effect'])
  const out = revocationAt(ALPHA, 3)
  t.deepEqual(effectsOf(chain([first, second, out])), ['dead', 'dead', 'in effect'])
  const back = grantAt(ALPHA, 4, { seen: [[ALPHA, 3]] })
  t.deepEqual(effectsOf(chain([first, second, out, back])), [
    'dead',
    'dead',
    'replaced',
    'in effect',
  ])
})

test('a change is void when its operator or node was revoked out of its sight', t => {
  const grant = grantAt(ALPHA, 1)
  for (const subject of ['operator/olga', 'node/alpha'].map(parseSubject)) {
    const revoked = (seen: number): Change => ({
      ...revocationAt(BETA, 1, subject),
      operator: parseName('berta'),
      upTo: new Map([
        [ALPHA, seen],
        [BETA, 1],
      ]),
    })
    t.deepEqual(effectsOf([...chain([grant]), ...chain([revoked(1)])]), ['in effect', 'in effect'])
    const unseen = { ...revoked(1), upTo: new Map([[BETA, 1]]) }
    t.deepEqual(effectsOf([...chain([grant]), ...chain([unseen])]), ['void', 'in effect'])
  }
})

test('a change of a node that forked counts as a stray and not in its place', t => {
  const [entry] = chain([grantAt(ALPHA, 1)])
  const [against] = chain([{ ...grantAt(ALPHA, 1), at: NOON + 1 }])
  if (entry === undefined || against === undefined) return t.fail()
  const whitelist = new Whitelist()
  whitelist.noteFork(entry.change)
  t.deepEqual(effectsOf([entry], whitelist), ['forked'])
  whitelist.mergeStray({ entry, against })
  const stray = { entry, place: strayPlace(entry), isStray: true }
  t.is(effectOf(stray, whitelist), 'in effect')
})
