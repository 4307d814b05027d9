import test from 'ava'
import * as fc from 'fast-check'
import { isRun, nodeOf, subjectOf, WHOLE_LIST } from '../../../node/identity/names.ts'
import { idOf, type Change, type ChangeId, type UpTo } from '../../../node/whitelist/change.ts'
import { evaluateLog } from '../../../node/whitelist/evaluate.ts'
import { entryBehind, ListReplica, statedAt, syncAll } from '../../support/list-replica.ts'
import { client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import { SOME_FORMER } from '../../support/vouchers.ts'
import { CLIENTS, ListSchedule, NODES, step, type Step } from './list-schedule.ts'

/** A true checkpoint of an earlier time comes to a log that begins at a later one, and states less. */
const BESIDE_THE_BASE: readonly Step[] = [
  { kind: 'grant', at: 0, dice: [0, 0, 0, 0, 0, 0] },
  { kind: 'unclosed checkpoint', at: 0, dice: [0, 0, 0, 695, 0, 0] },
  { kind: 'unclosed checkpoint', at: 0, dice: [0, 0, 0, 363, 0, 0] },
  { kind: 'link', at: 0, dice: [0, 0, 793, 0, 0, 0] },
  { kind: 'checkpoint', at: 1, dice: [0, 0, 0, 0, 0, 0] },
  { kind: 'grant', at: 0, dice: [57, 0, 0, 0, 0, 0] },
  { kind: 'grant', at: 0, dice: [105, 0, 0, 0, 0, 0] },
  { kind: 'grant', at: 0, dice: [163, 0, 0, 0, 0, 0] },
  { kind: 'earlier checkpoint', at: 0, dice: [0, 0, 877, 0, 0, 0] },
  { kind: 'link', at: 0, dice: [0, 0, 0, 0, 0, 0] },
  { kind: 'archive', at: 1, dice: [0, 0, 0, 0, 0, 0] },
  { kind: 'grant', at: 2, dice: [0, 0, 0, 0, 0, 0] },
  { kind: 'link', at: 0, dice: [0, 0, 379, 0, 0, 0] },
]

/** Of each property: with 150, one of the planted bugs was found by the simulation alone. */
const RUNS = Number(process.env['RUNS'] ?? 400)

const options = { ...(process.env['SEED'] && { seed: Number(process.env['SEED']) }) }

test('what nodes merge change by change is what the log says, on all of them alike, and a start builds the same', t => {
  let standing = 0
  let forks = 0
  let refused = 0
  let checkpointed = 0
  let archived = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 8, maxLength: 30 }), steps => {
      const schedule = new ListSchedule()
      const turns = new Map<ListReplica, number>()
      for (const step of steps) {
        schedule.take(step)
        for (const replica of schedule.replicas) {
          if (turns.get(replica) === replica.turns) continue
          turns.set(replica, replica.turns)
          t.deepEqual(replica.faults(), [])
        }
      }
      syncAll(schedule.replicas)
      const [first, ...others] = schedule.replicas
      for (const replica of schedule.replicas) t.deepEqual(replica.faults(), [])
      for (const other of others) t.is(other.text(), first?.text() ?? '')
      refused += schedule.refused.length
      archived += schedule.archived
      const log = first?.store.entries ?? []
      forks += log.filter(one => 'entry' in one).length
      const { subjects, checkpoints } = evaluateLog(log, SOME_FORMER)
      for (const { grants } of subjects.values()) standing += grants.size
      checkpointed += checkpoints.size
    }),
    { numRuns: RUNS, examples: [[[...BESIDE_THE_BASE]]], ...options },
  )
  t.true(standing > 100)
  t.true(forks > 100)
  t.true(checkpointed > 100)
  t.true(archived > 100)
  t.log(
    `${standing} grants stood, ${checkpointed} checkpoints, ${archived} archives, ${forks} strays were taken, ${refused} links ended`,
  )
})

test('what an author signs after its removal lets nobody in, and no removal is ever taken away but by who has seen it', t => {
  let later = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 8, maxLength: 30 }), steps => {
      const schedule = new ListSchedule()
      for (const step of steps) schedule.take(step)
      syncAll(schedule.replicas)
      for (const { list, store } of schedule.replicas) {
        for (const [subject, { grants }] of list.subjects()) {
          for (const { change } of grants) {
            const made = schedule.made.find(({ entry }) => entry.change.wish === change.wish)
            const authors = [
              subjectOf('operator', change.operator),
              subjectOf('node', nodeOf(change.source)),
            ]
            const removed = schedule.made.filter(({ entry }) =>
              authors.includes(entry.change.subject),
            )
            t.true(removed.every(({ step }) => step > (made?.step ?? 0)))
            later += removed.length
          }
          const [grant] = grants
          if (grant === undefined) continue
          // Whoever made them, and whatever became of their authors.
          const revocations = [...store.ofSubject(subject)].filter(
            ({ change }) => change.kind === 'revocation',
          )
          const seen = seenBy(grant.change, store)
          t.true(revocations.every(entry => seen.has(idOf(entry))))
        }
      }
    }),
    { numRuns: RUNS, ...options },
  )
  t.true(later > 20)
})

test('a checkpoint that leaves out what a change has seen is untrue, though that stands behind a fork: it can name a stray', t => {
  const replica = new ListReplica()
  const [alpha, beta, gamma] = NODES.map(name => testSource(name))
  if (alpha === undefined || beta === undefined || gamma === undefined) return t.fail()
  replica.accept(revocationAt(alpha, 1, CLIENTS[1]))
  const stray = entryBehind(grantAt(alpha, 1), { sequence: 1, previous: '' })
  t.is(replica.take(stray), undefined)
  const later = replica.accept(grantAt(beta, 1, { seen: [idOf(stray)] }))
  const all = replica.list.everything()
  const chains: UpTo = new Map(all.entries().filter(([source]) => isRun(source)))
  const effects = [chains, all].map(heads => {
    const draft = {
      ...grantAt(gamma, 1),
      kind: 'checkpoint',
      subject: WHOLE_LIST,
      seen: [],
    } as const
    const stated = { ...statedAt(heads, replica.list), heads, former: [] }
    const checkpoint = replica.accept({ ...draft, ...stated })
    t.deepEqual(replica.faults(), [])
    return replica.list.checkpointEffect(checkpoint)
  })
  t.deepEqual(effects, ['untrue', 'in effect'])
  t.deepEqual(
    replica.list.state(client('amber')).grants.map(({ id }) => id),
    [idOf(later)],
  )
})

test('of one removal that was signed twice a checkpoint can have spent one alone', t => {
  const replica = new ListReplica()
  const [alpha, beta, gamma] = NODES.map(name => testSource(name))
  if (alpha === undefined || beta === undefined || gamma === undefined) return t.fail()
  const first = revocationAt(alpha, 1)
  replica.accept(first)
  replica.accept({ ...first, source: beta })
  replica.accept(grantAt(beta, 2, { seen: replica.list.frontier(client('amber')) }))
  const seen = replica.list.frontier(client('amber'))
  const last = replica.accept(revocationAt(beta, 3, client('amber'), seen))
  const heads: UpTo = new Map([[beta, { sequence: 3, hash: last.hash }]])
  const base = { kind: 'checkpoint', subject: WHOLE_LIST, seen: [], heads, former: [] } as const
  replica.accept({ ...grantAt(gamma, 1), ...base, ...statedAt(heads, replica.list) })
  t.deepEqual(replica.faults(), [])
  t.is(replica.list.state(client('amber')).revocations.size, 2)
})

function seenBy(change: Change, store: ListReplica['store']): Set<ChangeId> {
  const byId = new Map(Array.from(store.ofSubject(change.subject), one => [idOf(one), one.change]))
  const seen = new Set<ChangeId>()
  const look = (one: Change | undefined): void => {
    for (const id of one?.seen ?? []) {
      if (seen.has(id)) continue
      seen.add(id)
      look(byId.get(id))
    }
  }
  look(change)
  return seen
}
