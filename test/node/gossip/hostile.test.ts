import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { GossipCluster } from '../../support/gossip-cluster.ts'
import { client, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const MALLORY = testSource('mallory')
const ALPHA = testSource('alpha')
const AMBER = client('amber')
const LIST = 'a1'
const OPTS = { writable: true, readable: true }
const DEEP = '['.repeat(20_000) + ']'.repeat(20_000)
const people = await makePeople({ nodes: ['alpha', 'beta', 'mallory'] })

/** A peer with a genuine node's certificate that says what it likes. */
class Hostile {
  readonly #socket: Duplex
  #heard = ''
  isCut = false

  constructor(socket: Duplex) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#heard += chunk.toString()
    })
    socket.on('close', () => {
      this.isCut = true
    })
  }

  /** All that it was told. */
  get heard(): string {
    return this.#heard
  }

  /** Say hello on the stream that the node has opened, and open the list. */
  greet(): void {
    const [control] = JSON.parse(this.#heard.split('\n')[0] ?? '') as [string]
    this.#data(control, JSON.stringify(['hello', { protocol: 1, source: MALLORY }]))
    this.#line([LIST, 'new', { meta: 'whitelist', opts: OPTS }])
  }

  /** Say farewell on the stream that the node has opened. */
  bye(): void {
    const [control] = JSON.parse(this.#heard.split('\n')[0] ?? '') as [string]
    this.#data(control, JSON.stringify(['bye', 'leaving', 'the node stops']))
  }

  /** Send lines in the stream of the list. */
  say(...lines: string[]): void {
    for (const line of lines) this.#data(LIST, line)
  }

  #data(id: string, line: string): void {
    this.#line([id, 'data', `${line}\n`])
  }

  #line(frame: unknown): void {
    if (!this.isCut) this.#socket.write(`${JSON.stringify(frame)}\n`)
  }
}

interface Scene {
  readonly cluster: GossipCluster
  readonly mallory: Hostile
}

/** Two honest nodes in step, and a third that is about to show what it is. */
async function setScene(t: ExecutionContext): Promise<Scene> {
  const cluster = new GossipCluster(t, people)
  const alpha = cluster.start('alpha')
  const beta = cluster.start('beta', { seeds: ['alpha:1'] })
  await alpha.grant(AMBER)
  await cluster.until('they are in step', () => beta.linked().length === 1)
  const mallory = new Hostile(cluster.join('alpha', people.node('mallory')))
  await cluster.pass(25)
  mallory.greet()
  await cluster.pass(25)
  return { cluster, mallory }
}

const digest = JSON.stringify({ id: MALLORY, clock: {} })

/** The rows of scuttlebutt among the attacks on the stock packages, and their like. */
const ROWS: [what: string, lines: string[]][] = [
  ['bad JSON', ['{bad']],
  ['an empty object', ['{}']],
  ['an update of null', [digest, '[null,1,"x"]']],
  ['a key that is no text', [digest, `[[{},1],1,"${MALLORY}"]`]],
  ['a prototype as a key', [digest, '[[["__proto__"],1],5,"x"]']],
  ['a prototype as a key from itself', [digest, `[[["__proto__"],1],1,"${MALLORY}"]`]],
  ['nesting × 20,000 as a value', [digest, `[${DEEP},1,"${MALLORY}"]`]],
  ['a thousand digests', Array.from({ length: 1_000 }, () => digest)],
  ['a thousand empty clocks', Array.from({ length: 1_000 }, () => '{"clock":{}}')],
  ['a word in the name of its victim', [digest, `[["alice","HACKED"],9e15,"${ALPHA}"]`]],
  ['a place of 1e308', [digest, `[["alice",1],1e308,"${MALLORY}"]`]],
  ['a place of 1e999', [digest, `[["alice",1],1e999,"${MALLORY}"]`]],
  ['the source toString', [digest, '[["alice",1],5,"toString"]']],
  ['the source constructor', [digest, '[["alice",1],5,"constructor"]']],
  ['the source __proto__', [digest, '[["alice",1],5,"__proto__"]']],
  ['a digest in another name', [JSON.stringify({ id: testSource('beta'), clock: {} })]],
  ['a digest of an older run', [JSON.stringify({ id: testSource('mallory', 2), clock: {} })]],
  ['news of no source', [digest, '{"have":{"__proto__":1}}']],
  ['a wish for no source', [digest, '{"want":["__proto__"]}']],
  ['a tree of no node', [digest, '{"lazy":"__proto__#"}']],
  ['heads that are none', [digest, '{"heads":{"__proto__":[1,"x"]}}']],
]

for (const [what, lines] of ROWS) {
  test(`a node that sends ${what} is cut, no clock moves, and the others stay in step`, async t => {
    const { cluster, mallory } = await setScene(t)
    const nodes = ['alpha', 'beta'].map(name => cluster.node(name))
    const clocks = nodes.map(({ replica }) => ({ ...replica.sources }))
    t.false(mallory.isCut)
    mallory.say(...lines)
    await cluster.until('it is cut', () => mallory.isCut, 1_000)
    for (const [index, { replica, log }] of nodes.entries()) {
      t.deepEqual({ ...replica.sources }, clocks[index])
      t.is(Object.getPrototypeOf(replica.sources), null)
      t.false(
        log.some(({ fields }) => fields['reason'] === 'refused' && fields['peer'] !== 'mallory'),
      )
    }
    // Its victim can still write, and all others hear it.
    const [alpha, beta] = nodes
    await alpha?.revoke(AMBER)
    await cluster.until('it is heard', () => beta?.replica.whitelist.changes === 2, 1_000)
    t.deepEqual({ ...alpha?.replica.sources }, { ...beta?.replica.sources })
    t.is(alpha?.replica.listenerCount('_update'), 1, 'nothing is left of the link')
  })
}

test('a farewell excuses nothing that comes behind it: the log names who broke the protocol', async t => {
  const { cluster, mallory } = await setScene(t)
  mallory.bye()
  mallory.say('{bad')
  await cluster.until('it is cut', () => mallory.isCut, 1_000)
  const [line] = cluster.node('alpha').log.filter(({ level }) => level === 'warn')
  t.is(line?.fields['peer'], 'mallory')
  t.is(line?.fields['reason'], 'refused')
})

test('a node that is lazy for all, announces what it does not hold, answers nothing and floods keeps no change from others', async t => {
  const { cluster, mallory } = await setScene(t)
  const [alpha, beta] = ['alpha', 'beta'].map(name => cluster.node(name))
  mallory.say(digest, '"SYNC"')
  for (const name of ['alpha', 'beta', 'mallory']) mallory.say(`{"lazy":"${name}"}`)
  const heard = mallory.heard.length
  for (let round = 1; round <= 40; round += 1) {
    mallory.say(
      JSON.stringify({ have: { [beta?.source ?? '']: 1_000 + round, [ALPHA]: 9_000 + round } }),
      JSON.stringify({ want: [ALPHA, beta?.source, MALLORY] }),
      '{"lazy":"beta"}',
    )
    await cluster.pass(25)
  }
  await beta?.revoke(AMBER)
  await cluster.until('alpha holds it', () => alpha?.replica.whitelist.changes === 2, 300)
  await alpha?.grant(AMBER)
  await cluster.until('beta holds it', () => beta?.replica.whitelist.changes === 3, 300)
  t.deepEqual(beta?.linked(), ['alpha'])
  t.deepEqual(alpha?.linked(), ['beta'])
  // One wish that it did not answer, its heartbeats, and what it wanted to be told.
  t.true(mallory.heard.length - heard < 3_000, `it was told ${mallory.heard.length - heard} bytes`)
})

test('a node that links and breaks the protocol again and again is a few lines in the log, and others are told of', async t => {
  const cluster = new GossipCluster(t, people)
  const { log } = cluster.start('alpha')
  for (let count = 0; count < 50; count += 1) {
    const mallory = new Hostile(cluster.join('alpha', people.node('mallory')))
    await cluster.pass(25)
    mallory.greet()
    mallory.say('nonsense')
    await cluster.pass(25)
  }
  cluster.start('beta', { seeds: ['alpha:1'] })
  await cluster.pass(1_000)
  t.true(log.some(({ fields, text }) => fields['peer'] === 'beta' && text === 'linked'))
  t.is(log.filter(({ text }) => text === 'link cut: the peer broke the protocol').length, 10)
  await cluster.pass(10_000)
  t.like(
    log.filter(({ fields }) => fields['repeated'] !== undefined).map(({ fields }) => fields),
    [{ peer: 'mallory' }, { peer: 'mallory', repeated: 40 }],
  )
})
