import test from 'ava'
import { asUpdate, Forgettings } from '../../../node/gossip/forgettings.ts'
import type { Update } from '../../../node/gossip/document.ts'
import { parseName } from '../../../node/identity/names.ts'
import { signText } from '../../../node/identity/signature.ts'
import { encodeForgetting } from '../../../node/whitelist/forgetting.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { NOON, OPERATOR, testSource } from '../../support/replica-changes.ts'
import { makePeople, type Person } from '../../support/replica-people.ts'

/** Nodes that operators have said will not come back. */

const people = await makePeople({ nodes: ['alpha'], operators: [OPERATOR, 'mallory'] })
const BETA = parseName('beta')
const RUN = testSource('beta')

interface Scene {
  readonly forgettings: Forgettings
  readonly files: string[]
  readonly log: LogLine[]
  readonly revoked: Set<string>
}

function setScene(kept?: string): Scene {
  const files: string[] = []
  const log: LogLine[] = []
  const revoked = new Set<string>()
  const signers = people.signers(new MemoryStore())
  for (const { signer } of [people.operator(), people.operator('mallory'), people.node('alpha')]) {
    if (kept === undefined) signers.learn(signer.chain)
  }
  const forgettings = new Forgettings({
    signers,
    isRevoked: name => revoked.has(name),
    file: { read: () => kept, replace: text => void files.push(text) },
    log: recordLog(log),
  })
  return { forgettings, files, log, revoked }
}

function forget(at = NOON, by: Person = people.operator(), operator = OPERATOR): Update {
  const text = encodeForgetting({ name: BETA, operator, at, runs: [RUN] })
  const update = asUpdate(text, by.signer, signText(by.key, 'forgetting', text))
  if (update === undefined) throw new Error('it is none')
  return update
}

test('a node is forgotten by the runs that were known: a later one is a node that came back', async t => {
  const { forgettings } = setScene()
  t.false(forgettings.covers(BETA, [RUN]))
  t.is(Forgettings.problemOf(forget()), undefined)
  t.is(await forgettings.check(forget()), undefined)
  t.true(forgettings.keep(forget()).taken)
  t.true(forgettings.covers(BETA, [RUN]))
  t.true(forgettings.covers(BETA, []))
  t.false(forgettings.covers(BETA, [RUN, testSource('beta', 2)]))
  t.false(forgettings.covers(parseName('alpha'), []))
})

test('a node that came back is not forgotten again when it is lost and nobody remembers its last run', async t => {
  const { forgettings, files } = setScene()
  forgettings.keep(forget())
  forgettings.heard(BETA, RUN)
  forgettings.heard(parseName('alpha'), testSource('alpha', 2))
  t.true(forgettings.covers(BETA, []))
  forgettings.heard(BETA, testSource('beta', 2))
  t.false(forgettings.covers(BETA, []))
  const { forgettings: later } = setScene(files.at(-1))
  await later.recall()
  t.false(later.covers(BETA, []))
  t.false(later.keep(forget()).taken, 'a peer that has not heard it may send the word once more')
  t.false(later.covers(BETA, []))
  t.true(later.keep(forget(NOON + 1)).taken)
  t.true(later.covers(BETA, []))
})

test('no node can make another be forgotten, and no operator in the name of another', async t => {
  const { forgettings } = setScene()
  t.regex(
    (await forgettings.check(forget(NOON, people.node('alpha')))) ?? '',
    /node\/alpha signs for/,
  )
  t.regex((await forgettings.check(forget(NOON, people.operator('mallory')))) ?? '', /signs for/)
  const [value, sequence, source] = forget()
  const [other] = forget(NOON + 1)
  const forged = { ...(value as object), signature: (other as { signature: string }).signature }
  t.regex((await forgettings.check([forged, sequence, source])) ?? '', /is not signed by/)
})

test('a forgetting that is malformed, or not at its place, is refused', t => {
  const [value, sequence, source] = forget()
  t.regex(Forgettings.problemOf([value, 2, source]) ?? '', /not at its place/)
  t.regex(Forgettings.problemOf([value, sequence, RUN]) ?? '', /not at its place/)
  const more = { ...(value as object), more: 1 }
  t.regex(Forgettings.problemOf([more, sequence, source]) ?? '', /unknown fields/)
  const unsigned = { ...(value as object), signature: 1 }
  t.regex(Forgettings.problemOf([unsigned, sequence, source]) ?? '', /not signed/)
})

test('what a removed operator has forgotten counts no more, and nothing new of it is kept', t => {
  const { forgettings, revoked } = setScene()
  forgettings.keep(forget())
  revoked.add(OPERATOR)
  t.false(forgettings.covers(BETA, [RUN]))
  t.false(forgettings.keep(forget(NOON + 1)).taken)
})

test('what was forgotten is known after a restart, and checked anew', async t => {
  const before = setScene()
  const update = forget()
  before.forgettings.keep(update)
  const after = setScene(before.files.at(-1))
  t.deepEqual(await after.forgettings.recall(), [update])
  t.true(after.forgettings.covers(BETA, [RUN]))
  const forged = (before.files.at(-1) ?? '').replace('beta', 'zeta')
  t.deepEqual(await setScene(forged).forgettings.recall(), [])
  const damaged = setScene('{')
  t.deepEqual(await damaged.forgettings.recall(), [])
  t.is(damaged.log.length, 1)
})

test('a flood of them takes no more room than the newest, and those of removed operators go first', t => {
  const { forgettings, revoked } = setScene()
  const own = forget(NOON - 1, people.operator('mallory'), parseName('mallory'))
  forgettings.keep(own)
  for (let index = 0; index < 300; index += 1) forgettings.keep(forget(NOON + index))
  t.is([...forgettings.updates()].length, 256)
  const late = forgettings.keep(forget(NOON - 2))
  t.deepEqual([late.taken, late.dropped], [false, forget(NOON - 2)[2]])
  revoked.add(OPERATOR)
  t.true(forgettings.keep(own).taken)
})
