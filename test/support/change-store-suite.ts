import type { ExecutionContext, TestFn } from 'ava'
import * as fc from 'fast-check'
import { parseSubject, type Source } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { idOf, type ChangeId } from '../../node/whitelist/change.ts'
import { isStray, placeOf, strayPlace, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import type { ChangeStore, LoggedChange } from '../../node/whitelist/store.ts'
import {
  chain,
  client,
  grantAt,
  NOON,
  revocationAt,
  revocationsOf,
  testSource,
} from './replica-changes.ts'

/** A new store without anything in it, and how what was written is read back. */
export interface OpenedStore {
  readonly store: ChangeStore
  /** The store to read from once `store` is not written to any more: itself, or one opened anew. */
  readonly readBack: () => ChangeStore | Promise<ChangeStore>
}

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const GAMMA = testSource('gamma')
const NOWHERE: ReadonlyMap<Source, number> = new Map()

/** The entries of two sources, interleaved. */
function interleaved(count: number): Entry[] {
  const beta = revocationsOf(BETA, count)
  return revocationsOf(ALPHA, count).flatMap((entry, index) => [
    entry,
    ...beta.slice(index, index + 1),
  ])
}

/** Two entries for one place, as strays: the first with its proof, the second without. */
function forkOf(source: Source): readonly [Entry, Stray, Stray] {
  const [first] = revocationsOf(source, 1)
  const [other] = chain([{ ...grantAt(source, 1), at: NOON + 1 }])
  if (first === undefined || other === undefined) throw new Error('there are two entries')
  return [first, { entry: first, against: other }, { entry: other }]
}

/** What the list is built from, of entries and strays. */
function asLogged(all: readonly (LoggedChange | Stray)[]): unknown[] {
  return all.map(one =>
    isStray(one)
      ? { entry: one.entry, ...(one.against && { against: one.against }) }
      : { change: one.change, hash: one.hash },
  )
}

function logOf(store: ChangeStore): unknown[] {
  return asLogged([...store.logged()])
}

function hashesAfter(store: ChangeStore, clock: ReadonlyMap<Source, number>): string[] {
  return Array.from(store.after(clock), one => (isStray(one) ? one.entry.hash : one.hash))
}

/**
 * What every store of changes keeps, whatever it writes to: what the whitelist, and so the
 * simulator that runs it over another store, may count on.
 * @param test of the file whose tests these are
 * @param name of the store, before the title of each test
 * @param open called once a test; it closes what it has opened
 */
export function testChangeStore(
  test: TestFn,
  name: string,
  open: (t: ExecutionContext) => OpenedStore | Promise<OpenedStore>,
): void {
  const suite = (
    title: string,
    check: (t: ExecutionContext, opened: OpenedStore) => Promise<void>,
  ) => test(`${name}: ${title}`, async t => check(t, await open(t)))

  suite('nothing is in a new store', async (t, { readBack }) => {
    const store = await readBack()
    t.deepEqual([...store.logged()], [])
    t.deepEqual([...store.after(NOWHERE)], [])
    t.deepEqual([...store.ofSource(ALPHA, 1)], [])
    t.deepEqual([...store.certificates()], [])
  })

  suite('what was appended is read back, entry for entry and in its order', async (t, opened) => {
    const grant = grantAt(ALPHA, 1, {
      subject: client('amber'),
      seen: revocationsOf(BETA, 3).map(idOf),
      reason: 'für die Nacht 🌙',
      terms: { sensors: ['door'], expiresAt: 5 },
    })
    const entries = [...revocationsOf(BETA, 3), ...chain([grant])]
    opened.store.append(entries.slice(0, 2))
    opened.store.append(entries.slice(2))
    t.deepEqual(logOf(opened.store), asLogged(entries))
    const store = await opened.readBack()
    t.deepEqual(logOf(store), asLogged(entries))
    t.deepEqual([...store.after(NOWHERE)], entries)
  })

  suite('strays are read back with what proves them, at places of their own', async (t, opened) => {
    const [first, proven, other] = forkOf(ALPHA)
    opened.store.append([first])
    opened.store.append([proven, other])
    const store = await opened.readBack()
    t.deepEqual(logOf(store), asLogged([first, proven, other]))
    // The entry that stood in its place is told as the stray that it is.
    t.deepEqual([...store.after(NOWHERE)], [proven, other])
    const { source, sequence } = strayPlace(proven.entry)
    t.deepEqual([...store.after(new Map([[source, sequence]]))], [other])
    t.deepEqual([...store.ofSource(source, 1)], [])
    t.deepEqual([...store.ofSource(ALPHA, 1)], [first])
  })

  suite('what was taken back was never there, and its places are free', async (t, opened) => {
    const entries = interleaved(3)
    const kept = entries.filter(({ change }) => change.source === BETA || change.sequence < 2)
    opened.store.append(entries)
    opened.store.takeBack(ALPHA, 2)
    t.deepEqual(logOf(opened.store), asLogged(kept))
    const [, second] = revocationsOf(ALPHA, 2)
    if (!second) return t.fail()
    opened.store.append([second])
    const store = await opened.readBack()
    t.deepEqual(logOf(store), asLogged([...kept, second]))
    t.true(store.has(second.change.subject, idOf(second)))
  })

  suite('certificates are read back, each as it was kept last', async (t, opened) => {
    const certificates = [['bGVhZg=='], ['bGVhZg==', 'cm9vdA==']]
    for (const kept of certificates) opened.store.keepCertificate(`print-${kept.length}`, kept)
    opened.store.keepCertificate('print-1', ['YW5vdGhlcg=='])
    const store = await opened.readBack()
    t.deepEqual(
      [...store.certificates()].sort((a, b) => a.length - b.length),
      [['YW5vdGhlcg=='], ['bGVhZg==', 'cm9vdA==']],
    )
  })

  suite(
    'a batch of which one cannot be written is not there, and the next one is',
    async (t, opened) => {
      const [first, second, third] = revocationsOf(ALPHA, 3)
      if (!first || !second || !third) return t.fail()
      opened.store.append([first])
      // The last one takes a place that is taken: the first two are written by then.
      t.throws(() => opened.store.append([second, third, first]), {
        instanceOf: FridgeError,
        code: 'ERR_DATABASE',
      })
      t.deepEqual(logOf(opened.store), asLogged([first]))
      t.deepEqual([...opened.store.after(NOWHERE)], [first])
      opened.store.append([second, third])
      const store = await opened.readBack()
      t.deepEqual([...store.after(NOWHERE)], [first, second, third])
    },
  )

  suite('what a peer lacks is told in the order in which it was taken', async (t, opened) => {
    const [, ...strays] = forkOf(testSource('delta'))
    const all = [...interleaved(20), ...strays, ...revocationsOf(GAMMA, 3)]
    for (const one of all) opened.store.append([one])
    const store = await opened.readBack()
    const sources = [
      ALPHA,
      BETA,
      GAMMA,
      testSource('never-heard'),
      ...strays.map(one => placeOf(one).source),
    ]
    const clocks = fc
      .array(fc.tuple(fc.constantFrom(...sources), fc.integer({ min: 0, max: 25 })))
      .map(pairs => new Map(pairs))
    const lacking = (clock: ReadonlyMap<Source, number>): string[] =>
      all
        .filter(one => placeOf(one).sequence > (clock.get(placeOf(one).source) ?? 0))
        .map(one => (isStray(one) ? one.entry.hash : one.hash))
    fc.assert(
      fc.property(clocks, clock => {
        t.deepEqual(hashesAfter(store, clock), lacking(clock))
      }),
      { numRuns: 200 },
    )
  })

  suite(
    'a stray is told where it was taken first, before what has seen it',
    async (t, { store, readBack }) => {
      const [first, second, third] = revocationsOf(ALPHA, 3)
      const [later] = revocationsOf(BETA, 1)
      const [other] = chain([{ ...grantAt(ALPHA, 2), at: NOON + 1 }], first?.hash)
      if (!first || !second || !third || !later || !other) return t.fail()
      const strays: Stray[] = [
        { entry: second, against: other },
        { entry: third },
        { entry: other, against: second },
      ]
      store.append([first, second, third, later])
      store.append(strays)
      const back = await readBack()
      const hashes = [first, second, third, later, other].map(({ hash }) => hash)
      t.deepEqual(hashesAfter(back, NOWHERE), hashes)
      // A reader that holds the other branch at these places lacks this one all the same.
      const clock = new Map([[ALPHA, 3], ...[later].map(() => [BETA, 1] as const)])
      t.deepEqual(
        hashesAfter(back, clock),
        [second, third, other].map(({ hash }) => hash),
      )
    },
  )

  suite('changes are found by what they say and by where they stand', async (t, opened) => {
    const { store } = opened
    const [first, proven, other] = forkOf(ALPHA)
    const [again] = chain([{ ...first.change, source: BETA, sequence: 1, at: NOON + 5 }])
    const [withdrawal] = chain([
      {
        ...revocationAt(GAMMA, 1, parseSubject('node/alpha')),
        upTo: new Map([[ALPHA, { sequence: 1, hash: first.hash }]]),
      },
    ])
    if (again === undefined || withdrawal === undefined) return t.fail()
    store.append([first, again, withdrawal])
    store.append([proven, other])
    const back = await opened.readBack()
    const { subject } = first.change
    t.deepEqual(
      Array.from(back.logged(), ({ repeats }) => repeats),
      [false, true, false, true, false],
    )
    t.true(back.has(subject, idOf(first)))
    t.false(back.has(parseSubject('somebody-else'), idOf(first)))
    t.false(back.has(subject, 'A'.repeat(43) as ChangeId))
    t.deepEqual(
      Array.from(back.ofSubject(subject), ({ hash }) => hash),
      [first, again, first].map(({ hash }) => hash),
    )
    t.is(back.find(first.change, first.hash)?.isStray, false)
    t.is(back.find(other.entry.change, other.entry.hash)?.isStray, true)
    t.is(back.find(again.change, first.hash), undefined)
    t.deepEqual(
      Array.from(back.withdrawals(), ({ change }) => change),
      [withdrawal.change],
    )
    const subjects = ['client/amber', 'client/client-0', 'node/alpha']
    t.deepEqual(back.subjectsBehind('', 9), subjects)
    t.deepEqual(back.subjectsBehind('client/amber', 9), subjects.slice(1))
    t.is(
      new Set(Array.from(back.forks(), ({ source, sequence }) => `${source} ${sequence}`)).size,
      1,
    )
  })

  suite('the entries of one source are told from a sequence on', async (t, opened) => {
    opened.store.append(interleaved(5))
    const store = await opened.readBack()
    const entries = revocationsOf(BETA, 5)
    for (const from of [1, 3, 5, 6]) {
      t.deepEqual([...store.ofSource(BETA, from)], entries.slice(from - 1))
    }
  })

  suite('a reader that stops early does not keep the store from writing', async (t, opened) => {
    const entries = revocationsOf(ALPHA, 10)
    opened.store.append(entries.slice(0, 5))
    for (const _first of opened.store.after(NOWHERE)) break
    for (const _first of opened.store.logged()) break
    opened.store.append(entries.slice(5))
    t.deepEqual(logOf(await opened.readBack()), asLogged(entries))
  })

  suite('a store is closed once, however often it is told to', async (t, { store }) => {
    store.append(revocationsOf(ALPHA, 1))
    store[Symbol.dispose]()
    t.notThrows(() => store[Symbol.dispose]())
  })
}
