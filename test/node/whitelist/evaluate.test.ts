import test from 'ava'
import * as fc from 'fast-check'
import {
  isRun,
  nodeOf,
  parseName,
  parseSubject,
  subjectOf,
  WHOLE_LIST,
} from '../../../node/identity/names.ts'
import {
  idOf,
  type Change,
  type ChangeId,
  type Head,
  type UpTo,
} from '../../../node/whitelist/change.ts'
import { isStray, type Entry } from '../../../node/whitelist/entry.ts'
import { evaluateLog } from '../../../node/whitelist/evaluate.ts'
import { entryBehind, headsOf, ListReplica, statedAt, syncAll } from '../../support/list-replica.ts'
import {
  client,
  grantAt,
  NOON,
  revocationAt,
  SIGNATURES,
  testSource,
  wishOf,
} from '../../support/replica-changes.ts'
import {
  AT_FORMER,
  AUTHORITY,
  FORMER,
  FROM_ENDED,
  FROM_FORMER,
  SOME_FORMER,
} from '../../support/vouchers.ts'

const NODES = ['alpha', 'beta', 'gamma'].map(name => parseName(name))
const CLIENTS = ['c1', 'c2'].map(parseSubject)
const OPERATORS = ['olga', 'berta'].map(parseName)
const AUTHORS = ['operator/olga', 'operator/berta', 'node/alpha', 'node/beta'].map(parseSubject)

/** Most changes come by certificates that count. */
const SIGNED = [SIGNATURES, SIGNATURES, SIGNATURES, FROM_FORMER, FROM_ENDED, AT_FORMER]

/** What checkpoints call former: those who are, nobody, or others whom everyone trusts. */
const CALLED_FORMER = [[FORMER], [FORMER], [], [AUTHORITY]]

/**
 * One thing that happens: an honest change, one of those that thieves make with genuine keys, or a
 * link between two nodes. `dice` decide what else there is to decide.
 */
interface Step {
  readonly kind:
    | 'grant'
    | 'remove'
    | 'withdraw'
    | 'old view'
    | 'fork'
    | 'fork withdrawal'
    | 'false withdrawal'
    | 'same wish'
    | 'checkpoint'
    | 'earlier checkpoint'
    | 'unclosed checkpoint'
    | 'untrue checkpoint'
    | 'archive'
    | 'link'
  readonly at: number
  readonly dice: readonly number[]
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...(['grant', 'grant', 'grant', 'grant', 'remove', 'withdraw', 'old view'] as const),
    ...(['fork', 'fork withdrawal', 'false withdrawal', 'same wish', 'link', 'link'] as const),
    ...(['checkpoint', 'checkpoint', 'earlier checkpoint', 'earlier checkpoint'] as const),
    ...(['unclosed checkpoint', 'untrue checkpoint', 'archive', 'archive', 'archive'] as const),
  ),
  at: fc.nat(NODES.length - 1),
  dice: fc.array(fc.nat(1_000), { minLength: 6, maxLength: 6 }),
})

/** What was made, in the order of the real time that nobody knows. */
interface Made {
  readonly entry: Entry
  readonly step: number
}

class Run {
  readonly replicas = NODES.map(() => new ListReplica())
  readonly made: Made[] = []
  readonly refused: string[] = []
  archived = 0
  #step = 0

  take({ kind, at, dice }: Step): void {
    this.#step += 1
    const replica = this.replicas[at] ?? new ListReplica()
    const roll = rollOf(dice)
    const source = testSource(NODES[at] ?? 'alpha')
    const subject = roll(CLIENTS)
    const by = {
      operator: roll(OPERATORS),
      wish: wishOf(`step ${this.#step}`),
      at: NOON + this.#step,
    }
    const { list } = replica
    if (kind === 'link') {
      const other = roll(this.replicas)
      if (other !== replica) {
        const ended = replica.sendTo(other) ?? other.sendTo(replica)
        if (ended !== undefined) this.refused.push(ended)
      }
    } else if (kind === 'archive') {
      if (replica.archive()) this.archived += 1
    } else if (kind === 'grant' || kind === 'remove') {
      // A node accepts nothing in a source of its own that is known to have forked.
      if (list.forkOf(source) < Infinity) return
      const request = { subject, ...by }
      const change =
        kind === 'grant'
          ? list.draft({ kind: 'grant', ...request, terms: {} }, source, by.at)
          : list.draft({ kind: 'revocation', ...request }, source, by.at)
      this.#note(replica.accept(change, roll(SIGNED)))
    } else if (
      kind === 'checkpoint' ||
      kind === 'earlier checkpoint' ||
      kind === 'unclosed checkpoint' ||
      kind === 'untrue checkpoint'
    ) {
      if (list.forkOf(source) < Infinity) return
      const heads =
        kind === 'unclosed checkpoint'
          ? this.#unclosed(replica, roll)
          : kind === 'earlier checkpoint'
            ? this.#earlier(replica, roll)
            : headsOf(replica)
      const change: Change = {
        kind: 'checkpoint',
        subject: WHOLE_LIST,
        seen: [],
        ...by,
        source,
        sequence: 1,
        previous: '',
        heads,
        former: roll(CALLED_FORMER),
        state: wishOf('untrue').padEnd(43, 'A'),
        subjects: 1,
      }
      // Of a branch that forked it may hold less than all that a head ends.
      if (!list.holdsSeen(change)) return
      const stated = kind === 'untrue checkpoint' ? {} : statedAt(heads, list)
      const entry = replica.accept({ ...change, ...stated }, roll(SIGNED))
      this.#note(entry)
      if (kind === 'checkpoint' && replica.list.checkpointEffect(entry) === 'untrue') {
        throw new Error('a node has stated what is untrue')
      }
    } else if (kind === 'withdraw' || kind === 'false withdrawal') {
      if (list.forkOf(source) < Infinity) return
      const author = roll(AUTHORS)
      const drafted = list.draft({ kind: 'revocation', subject: author, ...by }, source, by.at)
      const upTo =
        kind === 'withdraw' ? (drafted as { upTo: UpTo }).upTo : this.#anyPart(replica, roll)
      this.#note(replica.accept({ ...drafted, upTo } as Change))
    } else if (kind === 'old view') {
      if (list.forkOf(source) < Infinity) return
      this.#note(replica.accept(this.#ofOldView(replica, roll, source, by), roll(SIGNED)))
    } else if (kind === 'same wish') {
      const again = roll(this.made.filter(({ entry }) => entry.change.kind === 'revocation'))
      if (again === undefined || list.forkOf(source) < Infinity) return
      if (!list.holdsSeen(again.entry.change)) return
      this.#note(replica.accept({ ...again.entry.change, source, at: NOON + this.#step }))
    } else {
      // Behind any entry of any branch, of its own or of another one that it has made.
      const behind = roll([undefined, ...this.made])?.entry
      const first = { source, sequence: 1, previous: '' }
      const change =
        behind === undefined
          ? first
          : {
              source: behind.change.source,
              sequence: behind.change.sequence + 1,
              previous: behind.hash,
            }
      const author = roll(AUTHORS)
      const draft: Change =
        kind === 'fork'
          ? this.#ofOldView(replica, roll, change.source, by)
          : {
              ...revocationAt(change.source, change.sequence, author),
              ...by,
              upTo: this.#anyPart(replica, roll),
            }
      const twin = entryBehind(draft, change)
      if (replica.take(twin) === undefined) this.#note(twin)
    }
  }

  #note(entry: Entry): void {
    this.made.push({ entry, step: this.#step })
  }

  /** A change whose author has seen any part of what there is of its subject. */
  #ofOldView(
    { store }: ListReplica,
    roll: Roll,
    source: Entry['change']['source'],
    by: Pick<Change, 'operator' | 'wish' | 'at'>,
  ): Change {
    const subject = roll(CLIENTS)
    const ids: ChangeId[] = Array.from(store.ofSubject(subject), idOf)
    const seen = [...new Set([roll(ids), roll(ids)])].filter(id => id !== undefined)
    return roll([true, false])
      ? { ...grantAt(source, 1, { subject, seen }), ...by }
      : { ...revocationAt(source, 1, subject, seen), ...by }
  }

  /** What a replica held at some time: a checkpoint of it is true, and made out of sight of the rest. */
  #earlier({ store }: ListReplica, roll: Roll): UpTo {
    const entries = store.entries.filter((one): one is Entry => !isStray(one))
    const count = roll(entries.map((_, index) => index + 1)) ?? 0
    return new Map(
      entries
        .slice(0, count)
        .map(({ change, hash }) => [change.source, { sequence: change.sequence, hash }]),
    )
  }

  /** One source alone, up to a change that has seen others: a checkpoint of that takes away nothing. */
  #unclosed({ store }: ListReplica, roll: Roll): UpTo {
    const entries = store.entries.filter((one): one is Entry => !isStray(one))
    const last = roll(entries.filter(({ change }) => change.seen.length > 0))
    if (last === undefined) return new Map()
    const { change, hash } = last
    return new Map([[change.source, { sequence: change.sequence, hash }]])
  }

  #anyPart({ store }: ListReplica, roll: Roll): UpTo {
    const entries = [...store.logged()].map(one => ('entry' in one ? one.entry : one))
    const some = [roll(entries), roll(entries)].filter(entry => entry !== undefined)
    return new Map(
      some.map(({ change, hash }): [typeof change.source, Head] => [
        change.source,
        { sequence: change.sequence, hash },
      ]),
    )
  }
}

type Roll = <Item>(items: readonly Item[]) => Item

function rollOf(dice: readonly number[]): Roll {
  let next = 0
  return items => items[(dice[next++ % dice.length] ?? 0) % items.length] as never
}

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

const options = { ...(process.env['SEED'] && { seed: Number(process.env['SEED']) }) }

test('what nodes merge change by change is what the log says, on all of them alike, and a start builds the same', t => {
  let standing = 0
  let forks = 0
  let refused = 0
  let checkpointed = 0
  let archived = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 8, maxLength: 30 }), steps => {
      const run = new Run()
      for (const step of steps) {
        run.take(step)
        for (const replica of run.replicas) t.deepEqual(replica.faults(), [])
      }
      syncAll(run.replicas)
      const [first, ...others] = run.replicas
      for (const replica of run.replicas) t.deepEqual(replica.faults(), [])
      for (const other of others) t.is(other.text(), first?.text() ?? '')
      refused += run.refused.length
      archived += run.archived
      const log = first?.store.entries ?? []
      forks += log.filter(one => 'entry' in one).length
      const { subjects, checkpoints } = evaluateLog(log, SOME_FORMER)
      for (const { grants } of subjects.values()) standing += grants.size
      checkpointed += checkpoints.size
    }),
    { numRuns: 400, examples: [[[...BESIDE_THE_BASE]]], ...options },
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
      const run = new Run()
      for (const step of steps) run.take(step)
      syncAll(run.replicas)
      for (const { list, store } of run.replicas) {
        for (const [subject, { grants }] of list.subjects()) {
          for (const { change } of grants) {
            const made = run.made.find(({ entry }) => entry.change.wish === change.wish)
            const authors = [
              subjectOf('operator', change.operator),
              subjectOf('node', nodeOf(change.source)),
            ]
            const removed = run.made.filter(({ entry }) => authors.includes(entry.change.subject))
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
    { numRuns: 400, ...options },
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
