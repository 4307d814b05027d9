import test, { type ExecutionContext } from 'ava'
import { parseName, type Source } from '../../node/identity/names.ts'
import { RELAY_ALPN } from '../../node/identity/tls.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'
import { ANYBODY, FAR, FAR_RUN, FarNode, KeptPage } from '../support/far-node.ts'
import { makeBrowserKey, signedIn, signIn, textFor } from '../support/page-key.ts'
import { openPage, WEB_ON } from '../support/pages.ts'
import { carrying, connectRaw, opening, type RawPeer } from '../support/raw-peer.ts'

/** A stolen node at either end of a relay: it wants to read what nobody let it, or to bring the other down. */

const shared = await makeSharedCerts()
const { certs } = shared
const phone = makeBrowserKey()
test.after.always(() => shared.remove())

function ownOrigin(cluster: Cluster, index: number): string {
  return new URL(cluster.node(index).page ?? '').origin
}

/** Two nodes, of which somebody has the key of the second, and dials the first as that one. */
async function startStolen(t: ExecutionContext): Promise<{
  readonly cluster: Cluster
  readonly run: Source
  readonly dial: () => Promise<RawPeer>
  /** What a browser has signed for a page of a node. */
  readonly signAt: (index: number) => Promise<object>
}> {
  const cluster = await startCluster(t, { nodes: 2, certs, config: WEB_ON })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, 'phone', { keys: [phone.id] })
  using page = await openPage(cluster, 2, ownOrigin(cluster, 2))
  const [, hello] = await page.find(([event]) => event === 'hello')
  const thief = await certs.load('node', 'node-2')
  return {
    cluster,
    run: (hello as { run: Source }).run,
    dial: async () => connectRaw(t, cluster.node(1).address, thief, { alpn: RELAY_ALPN }),
    signAt: async index => {
      const origin = ownOrigin(cluster, index)
      using signing = await openPage(cluster, index, origin)
      const of = { cluster, index, origin, name: 'phone', key: phone }
      const text = await textFor(signing, of)
      return { ...signedIn(phone, text), nonce: text.nonce }
    },
  }
}

/** Say hello as a run of a node, once the far node has. */
async function greet(peer: RawPeer, run: string): Promise<void> {
  const control = await peer.stream('control')
  peer.frames(carrying(control, JSON.stringify(['hello', { protocol: 1, source: run }])))
}

function ask(peer: RawPeer, number: number, value: unknown): void {
  const id = `ab${number}`
  peer.frames(opening(id, `audience/${number}`), carrying(id, JSON.stringify(['ask', value])))
}

test('a stolen node reads for a browser that has signed in there, until that is removed, and for no other', async t => {
  const { cluster, run, dial, signAt } = await startStolen(t)
  const origin = ownOrigin(cluster, 2)
  const signIn = await signAt(2)
  const peer = await dial()
  await greet(peer, run)
  ask(peer, 1, { origin, signIn })
  await peer.lines.find(/\\"rights\\",\{\\"sensors\\":\[\{\\"name\\":\\"door/)
  await peer.lines.find(/"meta":"1\/temperature"/)
  // Of the page of the node nobody has signed in on there is nothing to read.
  ask(peer, 2, { origin })
  await peer.lines.find(/"ab2".*\\"rights\\",\{\\"sensors\\":\[\]/)
  // A key that the grant does not name, of somebody who is on the list.
  const stranger = makeBrowserKey()
  const nonce = 'AAAAAAAAAAAAAAAAAAAAAA'
  const name = parseName('phone')
  const node = parseName('node-2')
  const text = { node, run, at: origin, origin, name, key: stranger.id, nonce }
  ask(peer, 3, { origin, signIn: { ...signedIn(stranger, text), nonce } })
  await peer.lines.find(/"ab3".*\\"bye\\",\\"wrong key\\"/)
  await cluster.revoke(1, 'phone')
  await peer.lines.find(/"ab1".*\\"bye\\",\\"revoked\\"/)
  ask(peer, 4, { origin, signIn })
  await peer.lines.find(/"ab4".*\\"bye\\",\\"revoked\\"/)
  t.false(peer.socket.destroyed)
})

test('what a browser has signed for another node, origin, run or name is nothing to show', async t => {
  const { cluster, run, dial, signAt } = await startStolen(t)
  const [here, there] = [ownOrigin(cluster, 1), ownOrigin(cluster, 2)]
  const genuine = await signAt(2)
  const lies: readonly unknown[] = [
    { origin: here, signIn: await signAt(1) },
    { origin: here, signIn: genuine },
    { origin: there, signIn: { ...genuine, name: 'c1' } },
    { origin: there, signIn: { ...genuine, nonce: 'AAAAAAAAAAAAAAAAAAAAAA' } },
    { origin: there, signIn: { ...genuine, at: 'https://node-1.example:8443' } },
  ]
  for (const lie of lies) {
    const from = cluster.log.lines.length
    const peer = await dial()
    await greet(peer, run)
    ask(peer, 1, lie)
    await peer.closed
    const { fields } = await cluster.log.find(({ text }) => text.startsWith('cut: a node'), from)
    t.is(fields['reason'], 'relay: an ask with a sign-in that nobody has signed')
    t.false(peer.lines.all.some(line => line.includes('rights')))
  }
})

test('a run of a node that no member knows shows nothing, and no run of another node', async t => {
  const { dial } = await startStolen(t)
  const early = await dial()
  await greet(early, 'node-2#0000000000000000')
  await early.lines.find(/\\"bye\\",\\"not ready\\"/)
  await early.closed
  const other = await dial()
  await greet(other, 'node-1#0000000000000000')
  await other.closed
  t.false(other.lines.all.some(line => line.includes('bye')))
})

test('whatever else a relaying node sends ends its connection, and nobody else hears of it', async t => {
  const { cluster, run, dial } = await startStolen(t)
  const origin = ownOrigin(cluster, 2)
  const [one] = [opening('ab1', 'audience/1')]
  const cases: Readonly<Record<string, readonly unknown[]>> = {
    'an audience of no number': [opening('ab1', 'audience/0')],
    'a number again': [one, opening('ab2', 'audience/1')],
    'a stream of gossip': [opening('ab1', 'whitelist')],
    'a stream of a client': [opening('ab1', 'door')],
    'the stream of a sensor': [opening('ab1', '1/door')],
    'an ask without an origin': [one, carrying('ab1', '["ask",{}]')],
    'an ask with more': [one, carrying('ab1', JSON.stringify(['ask', { origin, as: 'admin' }]))],
    'an ask with two values': [one, carrying('ab1', JSON.stringify(['ask', { origin }, 1]))],
    'an origin that is none': [one, carrying('ab1', '["ask",{"origin":"null"}]')],
    'two asks': [
      one,
      carrying('ab1', `["ask",{"origin":"${origin}"}]\n["ask",{"origin":"${origin}"}]`),
    ],
    rights: [one, carrying('ab1', '["rights",{"sensors":[]}]')],
    'more audiences than there may be': Array.from({ length: 66 }, (_, index) =>
      opening(`ab${index + 1}`, `audience/${index + 1}`),
    ),
  }
  for (const [name, frames] of Object.entries(cases)) {
    const peer = await dial()
    await greet(peer, run)
    peer.frames(...frames)
    await peer.closed
    t.pass(name)
  }
  // Before it has said which run it is.
  const mute = await dial()
  await mute.stream('control')
  mute.frames(one)
  await mute.closed
  using page = await openPage(cluster, 1, ownOrigin(cluster, 1))
  const own = ownOrigin(cluster, 1)
  const of = { cluster, index: 1, origin: own, name: 'phone', key: phone }
  const answer = await signIn(page, of)
  t.deepEqual(answer, {})
})

test('nobody but a node that is in may read for pages, and a removed one is cut', async t => {
  const { cluster, run, dial } = await startStolen(t)
  await cluster.grant(1, 'c1')
  for (const role of ['client', 'operator'] as const) {
    const who = await certs.load(role, role === 'client' ? 'c1' : 'admin')
    const peer = await connectRaw(t, cluster.node(1).address, who, { alpn: RELAY_ALPN })
    await peer.closed
    t.deepEqual(peer.lines.all, [])
  }
  const peer = await dial()
  await greet(peer, run)
  ask(peer, 1, { origin: ownOrigin(cluster, 2) })
  await peer.lines.find(/rights/)
  const again = await dial()
  await peer.closed
  t.true(peer.lines.all.some(line => line.includes('replaced')))
  await cluster.revoke(1, 'node/node-2')
  await again.closed
  const refused = await dial()
  await refused.closed
  t.deepEqual(refused.lines.all, [])
})

/** What a far node says that no honest one does, once an audience was let in to read a thermometer. */
const LIES: Readonly<Record<string, (far: FarNode, id: string) => void>> = {
  'no JSON': far => far.send('nothing\n'),
  'an event of another kind': (far, id) => far.emit(id, 'open', 0, 1),
  'an event with more in it': (far, id) => far.emit(id, 'reading', 4, 'C', { a: 1 }, 0, 1),
  'a value that is no number': (far, id) => far.emit(id, 'reading', '<b>4</b>', 'C', 0, 1),
  'no number': (far, id) => far.emit(id, 'reading', 4, 'C', 0),
  'a number again': (far, id) => {
    far.emit(id, 'reading', 4, 'C', 0, 2)
    far.emit(id, 'reading', 4, 'C', 0, 2)
  },
  'a reason without end': (far, id) => far.emit(id, 'unavailable', 'x'.repeat(4_096), 0, 1),
  'a sealed event of a sensor that is not sealed': (far, id) =>
    far.emit(id, 'sealed', 'abcdefghijk', 'AA', 1),
  'an event of the carrier': (far, id) => far.emit(id, 'bye', 'revoked', 'you are out'),
  'a sensor that it has not named': far => far.open('a7', '1/door'),
  'a part of no audience': far => far.open('a7', '9/air'),
  'a stream of its own': far => far.open('a7', 'door'),
  'sensors without end': far =>
    far.emit(far.audience(1), 'rights', {
      sensors: Array.from({ length: 33 }, (_, index) => ({ name: `s${index}`, kind: 'door' })),
    }),
  'a sensor twice': far =>
    far.emit(far.audience(1), 'rights', {
      sensors: [
        { name: 'air', kind: 'door' },
        { name: 'air', kind: 'temperature' },
      ],
    }),
  'a bye that is none': far => far.emit(far.audience(1), 'bye', { reason: 'x' }),
  'an ask': far => far.emit(far.audience(1), 'ask', {}),
  'an alarm that is none': far => {
    far.open('a8', '1/alarms')
    far.emit('a8', 'raised', { id: 'x' })
  },
  'alarms without end': far => {
    far.open('a8', '1/alarms')
    far.emit('a8', 'standing', Array(2_000).fill('0123456789ab'))
  },
  'a second hello': far => far.emit('c0', 'hello', { protocol: 1 }),
}

for (const [name, lie] of Object.entries(LIES)) {
  test(`a far node that says ${name} is cut: its pages are told so, and nothing of it reaches them`, async t => {
    using far = new FarNode()
    const page = new KeptPage()
    await far.meet(page)
    const id = far.admit(1)
    await far.settle()
    lie(far, id)
    await far.settle()
    t.false(far.isConnected)
    t.true(page.of('relayed').length <= 1)
    t.deepEqual(page.of('relayed-alarms'), [])
    t.deepEqual(page.of('relay').at(-1), [
      FAR,
      { is: 'lost', reason: 'broke the protocol', text: `${FAR} has sent what no node sends` },
    ])
    t.false(page.isCut)
  })
}

test('a far node that says it is another, or no run of its own, is not read', async t => {
  for (const over of [
    { node: 'node-3' },
    { run: 'node-3#fedcba9876543210' },
    { run: FAR_RUN.toUpperCase() },
    { version: 'x'.repeat(1_000) },
    { time: '0' },
    { protocol: 2 },
  ]) {
    using far = new FarNode()
    far.relays.watch(FAR, ANYBODY, new KeptPage())
    await far.settle()
    far.greet(over)
    await far.settle()
    t.false(far.isConnected, JSON.stringify(over))
    t.is(far.audience(1), 'none')
  }
})

test('a far node that floods is read more slowly, and its pages are told the newest', async t => {
  using far = new FarNode()
  const page = new KeptPage()
  await far.meet(page)
  const id = far.admit(1)
  await far.settle()
  for (let sequence = 1; sequence <= 20_000; sequence += 1) {
    far.emit(id, 'reading', 4, 'C', 0, sequence)
  }
  await far.settle()
  // Four seconds' worth at once, each with its bytes.
  t.true(page.of('relayed').length < 9_000, String(page.of('relayed').length))
  await far.settle(20_000)
  t.is(page.of('relayed').at(-1)?.at(-1), 20_000)
})
