import test from 'ava'
import { OwnPast, type EndedSource } from '../../../node/gossip/own-past.ts'
import { OwnSource } from '../../../node/gossip/own-source.ts'
import { parseName, subjectOf, WHOLE_LIST, type Source } from '../../../node/identity/names.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'
import { idOf, type Checkpoint, type UpTo } from '../../../node/whitelist/change.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { chain, client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'

const [FIRST, SECOND, RUN] = [1, 2, 3].map(run => testSource('alpha', run)) as [
  Source,
  Source,
  Source,
]
const BETA = testSource('beta')
const AMBER = client('amber')

/** Two changes of one source of the node, and one of the next that has seen the second of them. */
function changes(): { first: Entry[]; second: Entry[] } {
  const first = chain([revocationAt(FIRST, 1, client('coral')), grantAt(FIRST, 2)])
  const seen = first.slice(1).map(idOf)
  return { first, second: chain([revocationAt(SECOND, 1, AMBER, seen)]) }
}

function openPast(entries: readonly Entry[], kept?: Source) {
  const store = new MemoryStore()
  store.append(entries)
  let list = buildWhitelist(store, ALL_VOUCHED)
  const failures: unknown[] = []
  const source = new OwnSource({
    ...(kept && { kept }),
    draw: () => testSource('alpha', 9),
    keep: one => {
      if (one === undefined) throw new Error('the disk is full')
    },
  })
  const past = new OwnPast({
    run: RUN,
    source,
    list: () => list,
    store,
    onFailure: error => failures.push(error),
  })
  const ended: EndedSource[] = []
  past.subscribe(one => ended.push(one))
  const takeBack = (from: Source, sequence: number): void => {
    store.takeBack(from, sequence)
    list = buildWhitelist(store, ALL_VOUCHED)
  }
  return { past, source, ended, failures, takeBack }
}

test('what has seen a change that was given up is found, in whatever source of the node it is', t => {
  const { first, second } = changes()
  const { past, takeBack } = openPast([...first, ...second])
  t.is(past.firstUnheld(), undefined, 'all that was seen is there')
  takeBack(FIRST, 2)
  t.is(past.firstUnheld()?.hash, second[0]?.hash)
  takeBack(SECOND, 1)
  t.is(past.firstUnheld(), undefined)
})

test('of what peers hold nothing is given up, whatever it has seen', t => {
  const { first, second } = changes()
  const { past, takeBack } = openPast([...first, ...second])
  past.noteSpread(SECOND, 1)
  takeBack(FIRST, 2)
  t.is(past.firstUnheld(), undefined)
})

test('of other nodes nothing is given up', t => {
  const { first } = changes()
  const seen = first.slice(1).map(idOf)
  const { past, takeBack } = openPast([...first, ...chain([revocationAt(BETA, 1, AMBER, seen)])])
  takeBack(FIRST, 2)
  t.is(past.firstUnheld(), undefined)
})

test('a change of which nobody has heard gives way to the one that a peer holds at its place', t => {
  const { first } = changes()
  const [own, other] = [
    first[1],
    chain([grantAt(FIRST, 2, { reason: 'other' })], first[0]?.hash)[0],
  ]
  if (own === undefined || other === undefined) throw new Error('there are two')
  const { past } = openPast(first)
  const strays = [{ entry: own, against: other }]
  t.is(past.unspreadRival(strays)?.hash, own.hash)
  t.is(past.unspreadRival([{ entry: other, against: own }]), undefined, 'that is not its own')
  t.is(past.unspreadRival([]), undefined)
})

test('a change of which others have heard is shown beside the one that a peer holds at its place', t => {
  const { first } = changes()
  const [own, other] = [
    first[1],
    chain([grantAt(FIRST, 2, { reason: 'other' })], first[0]?.hash)[0],
  ]
  if (own === undefined || other === undefined) throw new Error('there are two')
  const { past } = openPast(first)
  past.noteSpread(FIRST, 1)
  t.is(past.unspreadRival([{ entry: own, against: other }])?.hash, own.hash)
  past.noteSpread(FIRST, 2)
  t.is(past.unspreadRival([{ entry: own, against: other }]), undefined)
})

test('what peers hold is never forgotten by what one of them holds less', t => {
  const { first } = changes()
  const { past } = openPast(first)
  past.noteSpread(FIRST, 2)
  past.noteSpread(FIRST, 1)
  t.true(first.every(entry => past.isSpread(entry)))
})

test('a source of which a peer brings more than is held ends, and its changes are known to others', t => {
  const { first } = changes()
  const { past, source, ended, failures } = openPast(first, FIRST)
  const [next] = chain([revocationAt(FIRST, 3, AMBER)], first[1]?.hash)
  if (next === undefined) throw new Error('there is one')
  past.noteBrought(next)
  t.deepEqual(
    ended.map(one => one.source),
    [FIRST],
  )
  t.is(source.candidate, undefined)
  t.is(failures.length, 1, 'it is told also when that cannot be remembered')
  t.true(past.isSpread(next))
})

test('a change that another node has seen was heard by others, though none has said so', t => {
  const { first } = changes()
  const [removal, granted] = first
  if (removal === undefined || granted === undefined) throw new Error('there are two')
  const place = { sequence: 2, hash: granted.hash }
  const upTo = new Map([[FIRST, place]])
  const node = subjectOf('node', parseName('alpha'))
  for (const seer of [
    revocationAt(BETA, 1, AMBER, [idOf(granted)]),
    { ...revocationAt(BETA, 1, node), upTo },
    checkpointAt(BETA, upTo),
  ]) {
    const { past } = openPast([...first, ...chain([seer])])
    t.true(past.isSpread(granted), seer.kind)
    t.true(past.isSpread(removal), 'and so was what stands before it')
  }
  const own = openPast([...first, ...chain([revocationAt(SECOND, 1, AMBER, [idOf(granted)])])])
  t.false(own.past.isSpread(granted), 'a change of its own has not told anybody')
})

test('of two texts of one removal it is not known which one another node has seen', t => {
  const { first } = changes()
  const [removal] = first
  if (removal === undefined) throw new Error('there are two')
  const same = { ...revocationAt(BETA, 1, client('coral')), wish: removal.change.wish }
  const seer = grantAt(BETA, 2, { subject: client('coral'), seen: [idOf(removal)] })
  const { past } = openPast([...first, ...chain([same, seer])])
  t.false(past.isSpread(removal))
})

function checkpointAt(source: Source, heads: UpTo): Checkpoint {
  const { sequence, previous, operator, at, wish } = revocationAt(source, 1)
  return {
    kind: 'checkpoint',
    subject: WHOLE_LIST,
    source,
    sequence,
    previous,
    operator,
    at,
    wish,
    heads,
    seen: [],
    state: 'A'.repeat(43),
    subjects: 0,
    former: [],
  }
}
