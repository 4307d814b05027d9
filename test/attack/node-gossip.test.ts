import test from 'ava'
import { makeSharedCerts, SKIPPABLE, startCluster } from '../support/cluster.ts'
import { carrying, connectRaw, opening, type RawPeer } from '../support/raw-peer.ts'
import { unpacked } from '../support/packed-frames.ts'
import { SkipClock } from '../support/skip-clock.ts'
import { sharedNames } from '../support/wire-host.ts'

/**
 * What ends a process of the stock scuttlebutt, poisons its store or silences a writer, sent to a
 * whole node by one who holds a genuine node's certificate: it costs the sender its link, and
 * nothing of it stays. One node takes it all.
 */

const shared = await makeSharedCerts()
const { certs } = shared
const [stolen, bystander] = await Promise.all([
  certs.load('node', 'node-3'),
  certs.load('client', 'c2'),
])
const removals: (() => unknown)[] = []
const teardown = { teardown: (removal: () => unknown) => void removals.push(removal) }
const clock = new SkipClock()
const cluster = await startCluster(teardown, { nodes: 2, certs, clock, config: SKIPPABLE })
await cluster.grant(1, 'c1')
await cluster.grant(2, 'c2')
await cluster.revoke(2, 'c1')
const witness = await connectRaw(teardown, cluster.node(1).address, bystander)
const namesBefore = sharedNames()
const listBefore = await listed()
test.after.always(async () => {
  await cluster[Symbol.asyncDispose]()
  for (const removal of removals) await removal()
  await shared.remove()
})

const DEEP = '['.repeat(20_000) + ']'.repeat(20_000)
/** The hostile run that the sender says to be. */
const EVIL = 'node-3#00000000000000ee'
const LIST = 'a1'
const MEMBERS = 'a2'

/** A link to the first node, with all that the node has sent over it. */
interface HostileLink extends RawPeer {
  /** The source of the node itself. */
  readonly victim: string
  /** Genuine updates of the list, as the node sent them. */
  readonly updates: readonly Update[]
  /** A genuine entry of the node in *members*. */
  readonly member: Update
}

type Update = [value: Record<string, unknown>, sequence: number, source: string]

async function listed(): Promise<unknown> {
  await using operator = await cluster.operator(1)
  return await Array.fromAsync(operator.subjects())
}

/** Connect with the stolen certificate, and say hello. */
async function connect(): Promise<RawPeer & { control: string; victim: string }> {
  const peer = await connectRaw(teardown, cluster.node(1).address, stolen, { alpn: true })
  const control = await peer.stream('control')
  const hello = await peer.lines.find(/\\"hello\\"/)
  const victim = /node-1#[0-9a-f]{16}/.exec(hello)?.[0] ?? ''
  return { ...peer, control, victim }
}

/** Connect, and exchange the documents as a node would that holds nothing. */
async function link(): Promise<HostileLink> {
  const peer = await connect()
  peer.frames(
    carrying(peer.control, JSON.stringify(['hello', { protocol: 1, source: EVIL }])),
    opening(LIST, 'whitelist'),
    opening(MEMBERS, 'members'),
    carrying(LIST, JSON.stringify({ id: EVIL, clock: {} })),
    carrying(MEMBERS, JSON.stringify({ id: EVIL, clock: {} })),
  )
  await Promise.all([LIST, MEMBERS].map(async id => peer.lines.find(syncOf(id))))
  const heard = (id: string): Update[] =>
    peer.lines.all
      .map(line => JSON.parse(line) as [string, string, string])
      .filter(([on, event]) => on === id && event === 'data')
      .flatMap(([, , text]) => unpacked(JSON.parse(text)))
      .filter(frame => Array.isArray(frame)) as Update[]
  const member = heard(MEMBERS).find(([, , source]) => source === peer.victim)
  if (member === undefined) throw new Error('the node said nothing of itself')
  return { ...peer, updates: heard(LIST), member }
}

function syncOf(id: string): RegExp {
  return new RegExp(`^\\["${id}","data","\\\\"SYNC\\\\"`)
}

/** Others hear the door move, the list is as it was, and no object got a new property. */
async function isUnharmed(): Promise<boolean> {
  const from = witness.lines.all.length
  cluster.node(1).fridge?.openDoor()
  cluster.node(1).fridge?.closeDoor()
  await witness.lines.find(/\\"close\\"/, from)
  const list = JSON.stringify(await listed())
  return (
    list === JSON.stringify(listBefore) &&
    !('paused' in {}) &&
    sharedNames().join() === namesBefore.join()
  )
}

/** Resolves when what is done ends the link as hostile, and not for another reason. */
async function isCut(peer: RawPeer, action: () => void): Promise<void> {
  clock.skipGathering()
  const from = cluster.log.lines.length
  action()
  await peer.closed
  await cluster.log.find(({ text }) => text === 'link cut: the peer broke the protocol', from)
}

/** End a link without harm, and wait until the node has seen it. */
async function leave(peer: RawPeer): Promise<void> {
  const from = cluster.log.lines.length
  peer.socket.destroy()
  await cluster.log.find(
    ({ text, fields }) => text === 'link ended' && fields['peer'] === 'node-3',
    from,
  )
}

/** One line in a document, or several; `genuine` is what the node itself has sent. */
type Payload = string | ((genuine: HostileLink) => unknown)

const ANYWHERE: [title: string, payload: Payload][] = [
  ['bad JSON', '{bad'],
  ['an empty object', '{}'],
  ['null', 'null'],
  ['a number', '7'],
  ['an empty array', '[]'],
  ['another text than SYNC', '"SYNK"'],
  ['a second SYNC', '"SYNC"\n"SYNC"'],
  ['an update of null', '[null,1,"x"]'],
  ['an update of nobody', ({ updates: [first] }) => first?.slice(0, 2)],
  ['a prototype as a key', '[[["__proto__"],1],5,"x"]'],
  ['nesting × 20,000', `[${DEEP},1,"${EVIL}"]`],
  ['a second digest', JSON.stringify({ id: EVIL, clock: {} })],
  ['a digest without a clock', JSON.stringify({ id: EVIL })],
  ['a timestamp of 9e15', `[["alice","HACKED"],9e15,"${EVIL}"]`],
  ['a timestamp of 1e308', `[["alice","HACKED"],1e308,"${EVIL}"]`],
  ['a timestamp of 1e999', `[["alice","HACKED"],1e999,"${EVIL}"]`],
  ['a timestamp of 1.5', `[["alice","HACKED"],1.5,"${EVIL}"]`],
  ['the source toString', '[["alice",1],5,"toString"]'],
  ['the source constructor', '[["alice",1],5,"constructor"]'],
  ['the source __proto__', '[["alice",1],5,"__proto__"]'],
  ['an update in the name of the node', ({ victim }) => [['alice', 'HACKED'], 9e15, victim]],
  ['an update that carries five things', ({ updates: [first] }) => [...(first ?? []), 1, 2]],
  ['a certificate that is none', '{"certificate":["x"]}'],
  ['a certificate that is an object', '{"certificate":{"0":"x"}}'],
]

const IN_LIST: [title: string, payload: Payload][] = [
  ['a genuine change at another place', ({ updates: [first] }) => replaced(first, { sequence: 9 })],
  ['a genuine change far out', ({ updates: [first] }) => replaced(first, { sequence: 9e15 })],
  [
    'a genuine change of another source',
    ({ updates: [first] }) => replaced(first, { source: EVIL }),
  ],
  [
    'a genuine change with another subject',
    ({ updates: [first] }) =>
      altered(first, 'change', text => text.replace('client/c1', 'client/c9')),
  ],
  [
    'a genuine change of another link',
    ({ updates: [first] }) =>
      altered(first, 'change', text =>
        text.replace(/"previous":"[^"]*"/, `"previous":"${'A'.repeat(43)}"`),
      ),
  ],
  [
    'a change that is no text',
    ({ updates: [first] }) => [{ ...first?.[0], change: { toString: 1 } }, 9, first?.[2]],
  ],
  [
    'a change with more to it',
    ({ updates: [first] }) => [{ ...first?.[0], more: 1 }, 9, first?.[2]],
  ],
]

const IN_MEMBERS: [title: string, payload: Payload][] = [
  [
    'the words of the node with a later number',
    ({ member }) => replaced(member, { sequence: 9e15 }),
  ],
  ['the words of the node as those of another', ({ member }) => replaced(member, { source: EVIL })],
  [
    'words in the name of a third node',
    ({ member }) => replaced(member, { source: 'node-2#00000000000000aa', sequence: 9e15 }),
  ],
]

function replaced(
  update: Update | undefined,
  { sequence, source }: { sequence?: number; source?: string },
): unknown {
  if (update === undefined) throw new Error('the node sent no update')
  return [update[0], sequence ?? update[1], source ?? update[2]]
}

function altered(
  update: Update | undefined,
  field: string,
  alter: (text: string) => string,
): unknown {
  if (update === undefined) throw new Error('the node sent no update')
  const [value, sequence, source] = update
  // Its own source has it already; a run that nobody has heard of can be made to carry it.
  return [{ ...value, [field]: alter(String(value[field])) }, sequence, source]
}

const CASES = [
  ...ANYWHERE.flatMap(([title, payload]) => [
    ['whitelist', LIST, title, payload] as const,
    ['members', MEMBERS, title, payload] as const,
  ]),
  ...IN_LIST.map(([title, payload]) => ['whitelist', LIST, title, payload] as const),
  ...IN_MEMBERS.map(([title, payload]) => ['members', MEMBERS, title, payload] as const),
]

for (const [name, id, title, payload] of CASES) {
  // One after the other: of several links from one node all but one are refused.
  test.serial(`${name}: ${title} costs its sender the link, and nothing of it stays`, async t => {
    const hostile = await link()
    const line = typeof payload === 'string' ? payload : JSON.stringify(payload(hostile))
    await isCut(hostile, () => hostile.frames(carrying(id, line)))
    t.true(await isUnharmed())
  })
}

const HELLOS: [title: string, hello: (victim: string) => unknown][] = [
  ['no source', () => ({ protocol: 1 })],
  ['a source of another node', () => ({ protocol: 1, source: 'node-2#00000000000000ee' })],
  ['the source of the node itself', victim => ({ protocol: 1, source: victim })],
  ['a source that is none', () => ({ protocol: 1, source: '__proto__' })],
  ['another version', () => ({ protocol: 2, source: EVIL })],
]

for (const [title, hello] of HELLOS) {
  test.serial(`a hello with ${title} ends the link`, async t => {
    const peer = await connect()
    const said = JSON.stringify(['hello', hello(peer.victim)])
    await isCut(peer, () => peer.frames(carrying(peer.control, said)))
    t.true(await isUnharmed())
  })
}

test.serial(
  'a node may open neither sensors nor commands, and no document before its hello',
  async t => {
    for (const meta of ['door', 'rpc', 'control', 'whitelist', 'members', '__proto__']) {
      const peer = await connect()
      peer.frames(opening('a1', meta))
      await peer.closed
    }
    for (const meta of ['door', 'rpc', 'whitelist', 'passwords']) {
      const hostile = await link()
      hostile.frames(opening('b1', meta))
      await hostile.closed
    }
    t.true(await isUnharmed())
  },
)

test.serial('an update before the digest, and the digest of another run, end the link', async t => {
  const genuine = await link()
  await leave(genuine)
  for (const line of [
    JSON.stringify(genuine.updates[0]),
    JSON.stringify({ id: 'node-2#00000000000000aa', clock: {} }),
    JSON.stringify({ id: EVIL, clock: { constructor: 1 } }),
    JSON.stringify({ id: EVIL, clock: { [EVIL]: -1 } }),
    JSON.stringify({ id: EVIL, clock: { [EVIL]: 1.5 } }),
    JSON.stringify({ id: EVIL, clock: [] }),
    JSON.stringify({ id: EVIL, clock: {}, more: 1 }),
  ]) {
    const peer = await connect()
    await isCut(peer, () =>
      peer.frames(
        carrying(peer.control, JSON.stringify(['hello', { protocol: 1, source: EVIL }])),
        opening(LIST, 'whitelist'),
        carrying(LIST, line),
      ),
    )
  }
  t.true(await isUnharmed())
})

test.serial(
  'a digest that claims to hold what does not exist yet hides no later change',
  async t => {
    const { victim, closed: _, ...hostile } = await link()
    hostile.socket.destroy()
    const peer = await connect()
    const clock = { [victim]: 9e15 }
    peer.frames(
      carrying(peer.control, JSON.stringify(['hello', { protocol: 1, source: EVIL }])),
      opening(LIST, 'whitelist'),
      carrying(LIST, JSON.stringify({ id: EVIL, clock })),
    )
    await peer.lines.find(syncOf(LIST))
    await cluster.grant(1, 'c9')
    await cluster.revoke(2, 'c9')
    for (const index of [1, 2]) {
      await using operator = await cluster.operator(index)
      const reports = await Array.fromAsync(operator.subjects())
      t.is(reports.find(({ subject }) => subject === 'client/c9')?.standing, 'revoked')
    }
  },
)
