import test from 'ava'
import { parseName } from '../../../node/identity/names.ts'
import { ANYBODY, FAR, FAR_RUN, FarNode, KeptPage, ORIGIN } from '../../support/far-node.ts'

/** The end that asks, against a far node in memory. */

const AIR = { name: 'air', kind: 'temperature' }

test('what a far node tells goes to the page as it is, behind what the page may read there', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  far.relays.watch(FAR, ANYBODY, page)
  await far.settle()
  far.greet({ time: far.clock.now() + 5_000 })
  await far.settle()
  const ask = far.lines.find(line => line.includes('ask'))
  t.true(ask?.includes(JSON.stringify(JSON.stringify(['ask', { origin: ORIGIN }])).slice(1, -1)))
  const id = far.admit(1)
  far.emit(id, 'reading', 4.25, 'C', 1_767_268_800_000, 7)
  await far.settle()
  const time = far.clock.now() + 5_000
  t.deepEqual(page.heard, [
    ['relay', FAR, { is: 'open', run: FAR_RUN, version: '1.0.0', time, sensors: [AIR] }],
    ['relayed', FAR, 'air', 'reading', 4.25, 'C', 1_767_268_800_000, 7],
  ])
})

test('a sealed event passes through untouched, and a value in clear of a sealed sensor is refused', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  await far.meet(page)
  const sealed = { channel: 'ward', domain: 'test.fridge', epoch: 'abcdefghijk' }
  far.emit(far.audience(1), 'rights', { sensors: [{ ...AIR, sealed }] })
  far.open('a1', '1/air')
  far.emit('a1', 'sealed', 'abcdefghijk', 'Zm9vYmFy', 1)
  await far.settle()
  t.deepEqual(page.of('relayed'), [[FAR, 'air', 'sealed', 'abcdefghijk', 'Zm9vYmFy', 1]])
  t.like(page.of('relay')[0]?.[1], { sensors: [{ ...AIR, sealed }] })
  far.emit('a1', 'reading', 4.25, 'C', 0, 2)
  await far.settle()
  t.false(far.isConnected)
  t.like(page.of('relay').at(-1)?.[1], { is: 'lost', reason: 'broke the protocol' })
})

test('pages of one audience share what is asked for, and each is told no more than it may read here', async t => {
  using far = new FarNode()
  const [first, second] = [new KeptPage(), new KeptPage()]
  second.allowed = ['door']
  await far.meet(first)
  const id = far.admit(1)
  far.emit(id, 'reading', 4, 'C', 0, 1)
  await far.settle()
  const watch = far.relays.watch(FAR, ANYBODY, second)
  far.emit(id, 'reading', 5, 'C', 0, 2)
  await far.settle()
  t.is(far.dials, 1)
  t.is(far.relays.audiences, 1)
  t.is(first.of('relayed').length, 2)
  t.deepEqual(second.of('relayed'), [])
  t.like(second.of('relay')[0]?.[1], { is: 'open', sensors: [] })
  second.allowed = undefined
  watch.review()
  t.deepEqual(second.of('relayed'), [[FAR, 'air', 'reading', 5, 'C', 0, 2]])
})

test('other browsers and other origins are asked for apart', async t => {
  using far = new FarNode()
  far.relays.watch(FAR, ANYBODY, new KeptPage())
  far.relays.watch(FAR, { origin: 'https://other.example' as typeof ORIGIN }, new KeptPage())
  await far.settle()
  far.greet()
  await far.settle()
  t.is(far.dials, 1)
  t.not(far.audience(1), far.audience(2))
})

test('an audience that nobody looks at ends after a while, and with the last one the connection', async t => {
  using far = new FarNode()
  const watch = far.relays.watch(FAR, ANYBODY, new KeptPage())
  await far.settle()
  far.greet()
  await far.settle()
  far.admit(1)
  await far.settle()
  t.is(far.relays.size, 1)
  watch[Symbol.dispose]()
  await far.settle(4_000)
  far.emit('c0', 'beat')
  // A page that comes meanwhile finds it as it was.
  const again = far.relays.watch(FAR, ANYBODY, new KeptPage())
  await far.settle(2_000)
  t.true(far.isConnected)
  t.is(far.dials, 1)
  far.emit('c0', 'beat')
  again[Symbol.dispose]()
  await far.settle(5_000)
  t.false(far.isConnected)
  t.is(far.relays.size, 0)
  t.is(far.relays.audiences, 0)
  await far.settle(60_000)
  t.is(far.dials, 1)
  t.is(far.clock.pending, 0)
})

test('a far node that is out of reach is told, and dialed less and less often while a page looks', async t => {
  using far = new FarNode()
  far.isUp = false
  const page = new KeptPage()
  far.relays.watch(FAR, ANYBODY, page)
  await far.settle(60_000)
  t.true(far.dials > 10 && far.dials < 25, String(far.dials))
  // Where it was looked for is no business of a page.
  t.deepEqual(page.of('relay')[0], [
    FAR,
    { is: 'lost', reason: 'out of reach', text: `${FAR} is out of reach` },
  ])
  // A page that comes later is told at once.
  const late = new KeptPage()
  far.relays.watch(FAR, ANYBODY, late)
  t.like(late.of('relay')[0]?.[1], { is: 'lost', reason: 'out of reach' })
  far.isUp = true
  await far.settle(5_000)
  far.greet()
  await far.settle()
  far.admit(1)
  await far.settle()
  t.like(late.of('relay').at(-1)?.[1], { is: 'open' })
})

test('a far node that is killed is told at once, and one that is silent before long', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  far.relays.watch(FAR, ANYBODY, page)
  const open = async (): Promise<void> => {
    await far.settle(2_000)
    far.greet()
    await far.settle()
    far.admit(1)
    await far.settle()
    t.like(page.of('relay').at(-1)?.[1], { is: 'open' })
  }
  await open()
  far.hangUp()
  await far.settle()
  const text = `the connection to ${FAR} has ended`
  t.like(page.of('relay').at(-1)?.[1], { is: 'lost', reason: 'out of reach', text })
  await open()
  await far.settle(9_000)
  const silent = { is: 'lost', reason: 'out of reach', text: `${FAR} says nothing any more` }
  t.like(page.of('relay').at(-1)?.[1], silent)
})

test('a far node that says no hello is given up, and dialed again', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  far.relays.watch(FAR, ANYBODY, page)
  await far.settle(9_000)
  t.deepEqual(page.heard, [])
  await far.settle(2_000)
  t.like(page.of('relay')[0]?.[1], { is: 'lost', text: `${FAR} did not say who it is` })
  t.is(far.dials, 2)
})

test('a far node that does not say what may be called is given up, so that no page waits for it', async t => {
  using far = new FarNode()
  far.announces = false
  const page = new KeptPage()
  const watch = await far.meet(page)
  far.admit(1)
  await far.settle()
  const request = { sensor: 'air', table: 'minutes', from: 0, to: 60_000, after: null }
  const asked = t.throwsAsync(watch.history(request), { code: 'ERR_CLOSED' })
  await far.settle(5_000)
  far.emit('c0', 'beat')
  await far.settle(5_000)
  await asked
  t.like(page.of('relay').at(-1)?.[1], { is: 'lost', reason: 'broke the protocol' })
})

test('an audience that was asked for again is told nothing under its first number', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  await far.meet(page)
  far.emit(far.audience(1), 'bye', 'not ready', 'not yet')
  await far.settle(1_000)
  far.admit(2)
  far.open('a7', '1/air')
  far.emit('a7', 'reading', 4, 'C', 0, 1)
  await far.settle()
  t.true(far.isConnected)
  t.deepEqual(page.of('relayed'), [])
})

test('an audience that is refused is asked for again, and its pages are told why', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  await far.meet(page)
  far.emit(far.audience(1), 'bye', 'not on the whitelist', 'it is not on the whitelist')
  await far.settle()
  t.deepEqual(page.of('relay'), [
    [FAR, { is: 'lost', reason: 'not on the whitelist', text: 'it is not on the whitelist' }],
  ])
  await far.settle(1_000)
  t.not(far.audience(2), 'none')
  const id = far.admit(2)
  far.emit(id, 'reading', 4, 'C', 0, 1)
  await far.settle()
  t.is(page.of('relayed').length, 1)
  t.is(far.dials, 1)
})

test('a page that does not read is told the newest only, and no other page waits for it', async t => {
  using far = new FarNode()
  const [slow, quick] = [new KeptPage(), new KeptPage()]
  far.relays.watch(FAR, ANYBODY, slow)
  far.relays.watch(FAR, ANYBODY, quick)
  await far.settle()
  far.greet()
  await far.settle()
  const id = far.admit(1)
  await far.settle()
  slow.stall(true)
  for (let sequence = 1; sequence <= 50; sequence += 1) far.emit(id, 'reading', 4, 'C', 0, sequence)
  await far.settle()
  t.is(quick.of('relayed').length, 50)
  t.is(slow.of('relayed').length, 0)
  slow.stall(false)
  await far.settle()
  t.deepEqual(slow.of('relayed'), [[FAR, 'air', 'reading', 4, 'C', 0, 50]])
})

test('alarms of a far node are told to those who may read their sensors, and to those who come later', async t => {
  using far = new FarNode()
  const [page, other] = [new KeptPage(), new KeptPage()]
  other.allowed = ['door']
  far.relays.watch(FAR, ANYBODY, page)
  far.relays.watch(FAR, ANYBODY, other)
  await far.settle()
  far.greet()
  await far.settle()
  far.admit(1)
  far.open('a9', '1/alarms')
  const about = { id: '0123456789ab', node: FAR, sensor: 'air', kind: 'temperature' }
  const numbers = { limit: 8, forMs: 0, since: 1, raisedAt: 2, value: 9, extreme: 9 }
  const alarm = { ...about, rule: 'high', ...numbers }
  far.emit('a9', 'standing', [alarm.id])
  far.emit('a9', 'raised', alarm)
  await far.settle()
  t.deepEqual(page.of('relayed-alarms'), [
    [FAR, 'standing', [alarm.id]],
    [FAR, 'raised', alarm],
  ])
  t.deepEqual(other.of('relayed-alarms'), [[FAR, 'standing', [alarm.id]]])
  const late = new KeptPage()
  far.relays.watch(FAR, ANYBODY, late)
  t.deepEqual(late.of('relayed-alarms'), page.of('relayed-alarms'))
  far.emit('a9', 'over', { ...alarm, until: 3 })
  await far.settle()
  t.deepEqual(late.of('relayed-alarms').at(-1), [FAR, 'over', { ...alarm, until: 3 }])
})

test('a far node that is removed from the list is read no more', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  await far.meet(page)
  far.admit(1)
  await far.settle()
  far.isAdmitted = false
  t.is(far.relays.review(), 1)
  await far.settle()
  const text = `${FAR} is not let in by this node any more`
  t.like(page.of('relay').at(-1)?.[1], { is: 'lost', reason: 'not trusted', text })
  await far.settle(60_000)
  t.like(page.of('relay').at(-1)?.[1], { is: 'lost', reason: 'out of reach' })
  t.is(far.relays.size, 0)
})

test('so many nodes and audiences are read at once, and who lingers gives way', async t => {
  using far = new FarNode()
  far.isUp = false
  const watches = Array.from({ length: 32 }, (_, index) =>
    far.relays.watch(parseName(`node-${index + 2}`), ANYBODY, new KeptPage()),
  )
  t.throws(() => far.relays.watch(parseName('node-99'), ANYBODY, new KeptPage()), {
    code: 'ERR_LIMIT',
  })
  watches[0]?.[Symbol.dispose]()
  t.notThrows(() => far.relays.watch(parseName('node-99'), ANYBODY, new KeptPage()))
  const audience = (index: number) => ({ origin: `https://s${index}.example` as typeof ORIGIN })
  const node = parseName('node-3')
  for (let index = 1; index < 64; index += 1) {
    far.relays.watch(node, audience(index), new KeptPage())
  }
  t.throws(() => far.relays.watch(node, audience(64), new KeptPage()), { code: 'ERR_LIMIT' })
  t.throws(() => far.relays.watch(parseName('node-1'), ANYBODY, new KeptPage()), {
    code: 'ERR_COMMAND',
  })
})

test('a page of a history is asked for under its audience, and checked before it is handed on', async t => {
  using far = new FarNode()
  const watch = far.relays.watch(FAR, ANYBODY, new KeptPage())
  const request = { sensor: 'air', table: 'minutes', from: 0, to: 60_000, after: null }
  await t.throwsAsync(async () => watch.history(request), { code: 'ERR_UNREACHABLE' })
  const narrowed = new KeptPage()
  narrowed.allowed = ['door']
  const other = far.relays.watch(FAR, ANYBODY, narrowed)
  await t.throwsAsync(async () => other.history(request), { code: 'ERR_REFUSED' })
  await far.settle()
  far.greet()
  await far.settle()
  far.admit(1)
  await far.settle()
  await t.throwsAsync(async () => watch.history({ sensor: 'air' }), { code: 'ERR_PROTOCOL' })
  const [rpc] = far.lines
    .map(line => JSON.parse(line) as [string, string, { meta?: string }])
    .find(([, event, { meta }]) => event === 'new' && meta === 'rpc') ?? ['none']
  const say = (message: object): void =>
    far.frames([rpc, 'data', `${JSON.stringify({ callbacks: {}, links: [], ...message })}\n`])
  for (const [id, rows, isTaken] of [
    [0, [[0, 60_000, 0, 12, 4.1, 4.3, 50.4, 0, 0]], true],
    [1, [['yesterday']], false],
  ] as const) {
    const answer = watch.history(request)
    answer.catch(() => {})
    await far.settle()
    const [, , text] = JSON.parse(far.lines.at(-1) ?? '[]') as [string, string, string]
    t.like(JSON.parse(text), { method: 0, arguments: [1, request, '[Function]'] })
    say({ method: id, arguments: [null, { kind: 'temperature', rows, next: null }] })
    if (isTaken) t.deepEqual(await answer, { kind: 'temperature', rows, next: null })
    else await t.throwsAsync(answer, { code: 'ERR_PROTOCOL' })
  }
})
