import test from 'ava'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import { signQuestion, type Answer, type Question } from '../../../node/gossip/question.ts'
import { Questions } from '../../../node/gossip/questions.ts'
import { callRoll } from '../../../node/gossip/roll-call.ts'
import type { Source } from '../../../node/identity/names.ts'
import { GossipWorld } from '../../simulation/gossip-world.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { client, NOON, requestOf, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = Array.from({ length: 12 }, (_, index) => `n${index + 1}`)
const [SEED = ''] = NAMES
const people = await makePeople({ nodes: [...NAMES, 'alpha', 'beta', 'mallory'] })
const BETA = testSource('beta')

test('every node in reach says what it holds when it is asked, at the cost of a few frames', async t => {
  const world = new GossipWorld({ people })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of NAMES) world.start(name, name === SEED ? [] : [SEED])
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === NAMES.length)
  await world.time.until('all see all', isWhole, { stepMs: 100 })
  await world.change('n3', requestOf('revocation', client('c1')))
  await world.time.pass(2_000)
  for (const [index, { replica }] of world.nodes.entries()) {
    replica.confirmations.questions.countClients(() => index)
  }
  world.traffic.reset()
  const { replica, members, clock } = world.node('n5')
  const { confirmations } = replica
  let held: Awaited<ReturnType<typeof callRoll>> | undefined
  void callRoll({ confirmations, members, clock, timeoutMs: 1_000 }).then(all => (held = all))
  await world.time.until('all have answered', () => held !== undefined, { maxMs: 500 })
  t.deepEqual(
    Array.from(held ?? [], ([, { changes }]) => changes),
    NAMES.map(() => 1),
  )
  const clients = Array.from(held?.values() ?? [], one => one.clients)
  t.deepEqual(
    clients.sort((a, b) => a - b),
    NAMES.map((_, index) => index),
  )
  await world.time.pass(100)
  const each = world.traffic.total / NAMES.length
  t.true(each < 10_000, `${each} bytes a node`)
  t.deepEqual(
    world.nodes.flatMap(({ refusals }) => refusals),
    [],
  )
})

test('whoever does not answer is left out when the time is up', async t => {
  const clock = new FakeClock(NOON)
  const questions = { ask: () => 1, held: () => ({ changes: 3, clients: 1 }) }
  const nobody = { [Symbol.dispose]: () => {} }
  const roll = callRoll({
    confirmations: { questions, subscribe: () => nobody },
    members: { id: testSource('alpha'), live: () => new Map([[BETA, {} as never]]) },
    clock,
    timeoutMs: 1_000,
  })
  await clock.advance(1_000)
  t.deepEqual([...(await roll)], [[testSource('alpha'), { changes: 3, clients: 1 }]])
})

interface TestQuestions {
  readonly questions: Questions
  readonly clock: FakeClock
  readonly answers: [to: Source, number: number][]
  /** What the neighbour that brings the frames is refused for, and another is sent. */
  readonly refusals: string[]
  readonly sent: unknown[]
  readonly take: (ask: unknown) => Promise<void>
}

function openQuestions(): TestQuestions {
  const clock = new FakeClock(NOON)
  const signers = people.signers(new MemoryStore())
  for (const name of ['alpha', 'beta', 'mallory']) signers.learn(people.node(name).signer.chain)
  const answers: [Source, number][] = []
  const refusals: string[] = []
  const sent: unknown[] = []
  const stream = (send: (frame: unknown) => void): DocumentStream => ({
    send,
    drained: async () => {},
    refuse: reason => refusals.push(reason),
    leave: () => {},
    onSynced: () => {},
  })
  const from = stream(failOnEcho)
  const other = stream(frame => sent.push(frame))
  const questions = new Questions({
    source: testSource('alpha'),
    signers,
    self: people.node('alpha'),
    clock,
    neighbours: () => [from, other],
    held: about => ({ changes: 4, ...(about !== undefined && { applied: 2 }) }),
    answer: (to, { number }: Answer) => answers.push([to, number]),
  })
  const take = async (ask: unknown): Promise<void> => {
    const { refused } = questions.take({ ask }, from)
    if (refused !== undefined) refusals.push(refused)
    await new Promise(resolve => setImmediate(resolve))
    await new Promise(resolve => setImmediate(resolve))
  }
  return { questions, clock, answers, refusals, sent, take }
}

/** Whoever asks is not asked. */
function failOnEcho(): never {
  throw new Error('a question went back the way that it came')
}

function asked(name: string, question: Question): unknown {
  return signQuestion(question, people.node(name))
}

test('a question is answered and passed on once, to all but who brought it', async t => {
  const { answers, sent, refusals, take } = openQuestions()
  const first = asked('beta', { by: BETA, number: 1 })
  await take(first)
  await take(first)
  t.deepEqual(answers, [[BETA, 1]])
  t.deepEqual(sent, [{ ask: first }])
  await take(asked('beta', { by: BETA, number: 3, about: BETA }))
  await take(asked('beta', { by: BETA, number: 2 }))
  t.deepEqual(answers, [
    [BETA, 1],
    [BETA, 3],
  ])
  t.deepEqual(refusals, [])
})

test('a node that asks without end is answered eight times, then twice a second', async t => {
  const { answers, clock, take } = openQuestions()
  for (let number = 1; number <= 20; number += 1) await take(asked('beta', { by: BETA, number }))
  t.is(answers.length, 8)
  await clock.advance(500)
  for (let number = 21; number <= 25; number += 1) await take(asked('beta', { by: BETA, number }))
  t.is(answers.length, 9)
})

const [text, certificate, signature] = signQuestion({ by: BETA, number: 1 }, people.node('beta'))
const HOSTILE: [what: string, ask: unknown][] = [
  ['in the name of another', asked('mallory', { by: BETA, number: 1 })],
  ['that its node has not signed', [text.replace('1', '2'), certificate, signature]],
  ['without a signature', [text, certificate]],
  ['that is no text', [{ by: BETA }, certificate, signature]],
  ['that is no JSON', ['{', certificate, signature]],
  ['of nobody', asked('beta', { by: 'beta' as Source, number: 1 })],
  ['without a number', asked('beta', { by: BETA, number: 0 })],
  ['about nothing', asked('beta', { by: BETA, number: 1, about: 'x' as Source })],
]

for (const [what, ask] of HOSTILE) {
  test(`a question ${what} is refused, and nobody is told of it`, async t => {
    const { answers, sent, refusals, take } = openQuestions()
    await take(ask)
    t.is(refusals.length, 1)
    t.deepEqual([answers, sent], [[], []])
  })
}
