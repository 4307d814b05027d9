import test from 'ava'
import { Spread, type SpreadOptions } from '../../../node/gossip/spread.ts'
import { LIST_SPREADING } from '../../../node/gossip/spreading.ts'
import { testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const LIVE = { isHeld: false, isLive: true, now: 0 }
const HELD = { isHeld: true, isLive: true, now: 0 }

function spreadOver(links: string, options: Partial<SpreadOptions> = {}): Spread<string> {
  const times = { leastWaitMs: 50, stepMs: 10, askAtOnce: 1, askNextMs: 250 }
  const spread = new Spread<string>({ isShared: false, copies: 1, ...times, ...options })
  for (const link of links) spread.join(link)
  return spread
}

const nothing = (): number => 0

test('a link that brings a copy too many is asked to announce what that node says, and nothing else', t => {
  const spread = spreadOver('abc')
  t.is(spread.arrived('a', [ALPHA, 1], LIVE), undefined)
  t.is(spread.arrived('b', [ALPHA, 1], HELD), spread.treeOf(ALPHA))
  t.is(spread.arrived('b', [ALPHA, 2], LIVE), undefined)
  t.is(spread.arrived('b', [BETA, 1], LIVE), undefined)
})

test('as many copies are welcome as are asked for, each from another link', t => {
  const spread = spreadOver('abcde', { copies: 3 })
  for (const link of 'abc') t.is(spread.arrived(link, [ALPHA, 1], LIVE), undefined)
  t.is(spread.arrived('c', [ALPHA, 1], HELD), undefined)
  t.is(spread.arrived('d', [ALPHA, 1], HELD), spread.treeOf(ALPHA))
})

test('the copy of the exchange at the start of a link asks for nothing', t => {
  const spread = spreadOver('abc')
  spread.arrived('a', [ALPHA, 1], LIVE)
  t.is(spread.arrived('b', [ALPHA, 1], { ...HELD, isLive: false }), undefined)
})

test('a link is asked once', t => {
  const spread = spreadOver('abc')
  for (const sequence of [1, 2]) spread.arrived('a', [ALPHA, sequence], LIVE)
  t.not(spread.arrived('b', [ALPHA, 1], HELD), undefined)
  t.is(spread.arrived('b', [ALPHA, 2], HELD), undefined)
})

test('the last link that brings a tree is never asked to announce', t => {
  const spread = spreadOver('ab')
  spread.arrived('a', [ALPHA, 1], LIVE)
  t.not(spread.arrived('b', [ALPHA, 1], HELD), undefined)
  spread.arrived('b', [ALPHA, 2], LIVE)
  t.is(spread.arrived('a', [ALPHA, 2], HELD), undefined)
})

test('a peer that asks for announcements is sent them for its tree until it wants more', t => {
  const spread = spreadOver('ab')
  spread.heardLazy('a', spread.treeOf(ALPHA))
  t.deepEqual([spread.isEager('a', ALPHA), spread.isEager('a', BETA)], [false, true])
  t.true(spread.isEager('b', ALPHA))
  spread.heardWant('a', [ALPHA])
  t.true(spread.isEager('a', ALPHA))
})

test('a tree begins with the links that are part of it, and another link that brings it is told so once', t => {
  const spread = spreadOver('abc')
  const tree = spread.treeOf(ALPHA)
  spread.begin(tree, link => ({ brings: link === 'a', isSent: link === 'b' }))
  t.deepEqual(
    ['a', 'b', 'c'].map(link => spread.isEager(link, ALPHA)),
    [false, true, false],
  )
  t.is(spread.arrived('a', [ALPHA, 1], LIVE), undefined)
  t.is(spread.arrived('c', [ALPHA, 1], HELD), tree)
  t.is(spread.arrived('c', [ALPHA, 2], HELD), undefined)
})

test('when the only link ends that a tree has begun with, all others are to bring it', t => {
  const spread = spreadOver('abc')
  spread.begin(spread.treeOf(ALPHA), link => ({ brings: link === 'a', isSent: false }))
  t.deepEqual(spread.leave('b', 0), [])
  t.deepEqual(spread.leave('a', 0), [spread.treeOf(ALPHA)])
})

test('in a shared tree both ends of a link announce', t => {
  const spread = spreadOver('abc', { isShared: true })
  spread.arrived('a', [ALPHA, 1], LIVE)
  t.is(spread.arrived('b', [ALPHA, 1], HELD), true)
  t.false(spread.isEager('b', BETA))
  spread.heardLazy('c', true)
  t.false(spread.isEager('c', ALPHA))
})

test('what is announced is asked for when it has not come in a while, of that link, which is eager again', t => {
  const spread = spreadOver('abc')
  spread.arrived('a', [ALPHA, 1], LIVE)
  spread.arrived('b', [ALPHA, 1], HELD)
  spread.heardHave('b', [ALPHA, 2], 1, 0)
  t.is(spread.nextAt, 50)
  t.deepEqual(
    spread.due(49, () => 1),
    [],
  )
  t.deepEqual(
    spread.due(50, () => 1),
    [{ link: 'b', sources: [ALPHA] }],
  )
  // Eager: the next copy too many asks it anew.
  spread.arrived('a', [ALPHA, 2], LIVE)
  t.not(spread.arrived('b', [ALPHA, 2], HELD), undefined)
})

test('what has come meanwhile is not asked for', t => {
  const spread = spreadOver('ab')
  spread.heardHave('b', [ALPHA, 2], 1, 0)
  t.deepEqual(
    spread.due(50, () => 2),
    [],
  )
  t.is(spread.nextAt, undefined)
  spread.heardHave('b', [ALPHA, 2], 2, 60)
  t.is(spread.nextAt, undefined)
})

test('what has come and is not held yet is asked for only when that takes long', t => {
  const spread = spreadOver('ab', { leastWaitMs: 10 })
  spread.heardHave('b', [ALPHA, 1], 0, 0)
  spread.arrived('a', [ALPHA, 1], { ...LIVE, now: 5 })
  t.deepEqual(spread.due(10, nothing), [])
  t.is(spread.nextAt, 55)
  t.deepEqual(spread.due(55, nothing), [{ link: 'b', sources: [ALPHA] }])
})

test('the wait for what was announced, and for an answer, are those that are set', t => {
  const spread = spreadOver('ab', { leastWaitMs: 10, askNextMs: 50 })
  for (const link of 'ab') spread.heardHave(link, [ALPHA, 1], 0, 0)
  t.is(spread.nextAt, 10)
  t.deepEqual(spread.due(10, nothing), [{ link: 'a', sources: [ALPHA] }])
  t.is(spread.nextAt, 60)
  t.deepEqual(spread.due(60, nothing), [{ link: 'b', sources: [ALPHA] }])
})

test('as many links as are set are asked at once, and as many others when none of them answers', t => {
  const spread = spreadOver('abcde', { leastWaitMs: 5, stepMs: 1, askAtOnce: 3, askNextMs: 20 })
  for (const link of 'abcde') spread.heardHave(link, [ALPHA, 1], 0, 2)
  const asked = (now: number): string =>
    spread
      .due(now, nothing)
      .map(({ link }) => link)
      .join('')
  t.deepEqual([asked(6), asked(7), asked(26), asked(27)], ['', 'abc', '', 'de'])
  t.deepEqual([asked(47), asked(252)], ['', ''])
  t.is(spread.nextAt, undefined)
})

test('where the first of those that were asked has answered, no others are asked', t => {
  const spread = spreadOver('abcde', { askAtOnce: 3 })
  for (const link of 'abcde') spread.heardHave(link, [ALPHA, 1], 0, 0)
  t.is(spread.due(50, nothing).length, 3)
  spread.arrived('b', [ALPHA, 1], { ...LIVE, now: 60 })
  t.deepEqual(
    spread.due(1_000, () => 1),
    [],
  )
  t.is(spread.nextAt, undefined)
})

test('a link that does not answer is not asked again, and the next that announced the same is', t => {
  const spread = spreadOver('abc')
  spread.heardHave('a', [ALPHA, 9], 0, 0)
  spread.heardHave('b', [ALPHA, 1], 0, 10)
  t.deepEqual(spread.due(50, nothing), [{ link: 'a', sources: [ALPHA] }])
  t.deepEqual(spread.due(300, nothing), [{ link: 'b', sources: [ALPHA] }])
  t.deepEqual(spread.due(550, nothing), [])
  t.is(spread.nextAt, undefined)
  spread.heardHave('a', [ALPHA, 10], 0, 600)
  t.deepEqual(spread.due(1_000, nothing), [])
  // What it announced counts as its answer, however late it comes.
  spread.arrived('a', [ALPHA, 10], LIVE)
  spread.heardHave('a', [ALPHA, 11], 0, 1_100)
  t.deepEqual(spread.due(1_350, nothing), [{ link: 'a', sources: [ALPHA] }])
})

test('attack: a link that announces and answers with what is old, or with less, keeps no other from being asked', t => {
  const spread = spreadOver('ab', { isShared: true })
  const held = (): number => 1
  spread.heardHave('a', [ALPHA, 2], 1, 0)
  spread.heardHave('b', [ALPHA, 2], 1, 0)
  t.deepEqual(spread.due(50, held), [{ link: 'a', sources: [ALPHA] }])
  spread.arrived('a', [ALPHA, 1], HELD)
  t.deepEqual(spread.due(300, held), [{ link: 'b', sources: [ALPHA] }])
  spread.heardHave('b', [BETA, 9], 1, 400)
  for (const sequence of [9, 2]) spread.heardHave('a', [BETA, sequence], 1, 400)
  t.deepEqual(spread.due(650, held), [{ link: 'a', sources: [BETA] }])
  spread.arrived('a', [BETA, 2], LIVE)
  t.deepEqual(
    spread.due(900, () => 2),
    [{ link: 'b', sources: [BETA] }],
  )
})

test('of those that announced something the one is asked first that has come farthest', t => {
  const spread = spreadOver('ab')
  spread.heardHave('a', [ALPHA, 2], 0, 0)
  spread.heardHave('b', [ALPHA, 9], 0, 0)
  t.deepEqual(spread.due(50, nothing), [{ link: 'b', sources: [ALPHA] }])
})

test('when a link ends, what is waited for is asked for at once elsewhere', t => {
  const spread = spreadOver('abc')
  spread.heardHave('a', [ALPHA, 1], 0, 0)
  spread.heardHave('b', [ALPHA, 1], 0, 0)
  t.deepEqual(spread.due(50, nothing), [{ link: 'a', sources: [ALPHA] }])
  spread.leave('a', 60)
  t.is(spread.nextAt, 60)
  t.deepEqual(spread.due(60, nothing), [{ link: 'b', sources: [ALPHA] }])
})

test('when the only link ends that announced something, it is waited for no more', t => {
  const spread = spreadOver('ab')
  spread.heardHave('a', [ALPHA, 1], 0, 0)
  spread.leave('a', 10)
  t.is(spread.nextAt, undefined)
})

test('when the last link that brings a tree ends, all others are to bring it again', t => {
  const spread = spreadOver('abc', { isShared: true })
  spread.arrived('a', [ALPHA, 1], LIVE)
  spread.arrived('b', [ALPHA, 1], HELD)
  spread.arrived('c', [ALPHA, 1], HELD)
  t.deepEqual(spread.leave('a', 0), [true])
  t.true(spread.isEager('b', BETA))
  t.deepEqual(spread.leave('b', 0), [])
})

test('the wait grows with how late the trees are behind announcements, and has an end', t => {
  for (const [lateMs, least, most] of [
    [40, 150, 160],
    [90, 250, 250],
  ] as const) {
    const waitMs = waitAfter(lateMs)
    t.true(waitMs >= least && waitMs <= most, `${waitMs} ms`)
  }
})

/** How long is waited for what a link announces, where what others announced came so much later. */
function waitAfter(lateMs: number): number {
  const spread = spreadOver('ab')
  for (let sequence = 1; sequence <= 40; sequence += 1) {
    const now = sequence * 10_000
    spread.heardHave('b', [ALPHA, sequence], sequence - 1, now)
    spread.arrived('a', [ALPHA, sequence], { ...LIVE, now: now + lateMs })
    spread.due(now + 1_000, () => sequence)
  }
  spread.heardHave('b', [ALPHA, 41], 40, 0)
  return spread.nextAt ?? 0
}

test('nodes that answer 100 ms late are asked for one change, and for no more of them', t => {
  const announcing = 'defghijk'
  const spread = spreadOver(`abc${announcing}`, LIST_SPREADING)
  const questions: number[] = []
  for (let sequence = 1; sequence <= 20; sequence += 1) {
    const from = sequence * 10_000
    const held = (): number => sequence - 1
    const bringing = Array.from('abc')
    for (const link of announcing) spread.heardHave(link, [ALPHA, sequence], held(), from)
    for (let now = from; now < from + 100; now += 1) {
      bringing.push(...spread.due(now, held).map(({ link }) => link))
    }
    for (const [index, link] of bringing.entries()) {
      const copy = { isHeld: index > 0, isLive: true, now: from + 100 }
      spread.arrived(link, [ALPHA, sequence], copy)
    }
    spread.due(from + 1_000, () => sequence)
    questions.push(bringing.length - 3)
  }
  t.deepEqual(questions, [8, ...Array.from({ length: 19 }, () => 0)])
})

test('what one more link announces when all others were asked is asked of that one', t => {
  const spread = spreadOver('ab', LIST_SPREADING)
  spread.heardHave('a', [ALPHA, 1], 0, 0)
  t.deepEqual(spread.due(5, nothing), [{ link: 'a', sources: [ALPHA] }])
  t.deepEqual(spread.due(25, nothing), [])
  spread.heardHave('b', [ALPHA, 1], 0, 30)
  t.deepEqual(spread.due(35, nothing), [{ link: 'b', sources: [ALPHA] }])
})

test('what a peer announces and asks for without end is kept in bounds', t => {
  const spread = spreadOver('ab')
  for (let run = 1; run <= 10_000; run += 1) {
    spread.heardLazy('a', spread.treeOf(testSource(`n${run}`)))
    spread.heardHave('a', [testSource('x', run), 1], 0, 0)
  }
  // The oldest have fallen out: they are eager again, and asked for no more.
  t.true(spread.isEager('a', testSource('n1')))
  t.false(spread.isEager('a', testSource('n10000')))
  const [want] = spread.due(50, nothing)
  t.is(want?.sources.length, 4_096)
})
