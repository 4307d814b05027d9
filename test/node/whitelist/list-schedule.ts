import * as fc from 'fast-check'
import {
  parseName,
  parseSubject,
  WHOLE_LIST,
  type Source,
  type Subject,
} from '../../../node/identity/names.ts'
import { idOf, type Change, type ChangeId, type UpTo } from '../../../node/whitelist/change.ts'
import { isStray, type Entry } from '../../../node/whitelist/entry.ts'
import { entryBehind, headsOf, ListReplica, statedAt } from '../../support/list-replica.ts'
import {
  grantAt,
  NOON,
  revocationAt,
  SIGNATURES,
  testSource,
  wishOf,
} from '../../support/replica-changes.ts'
import { AT_FORMER, AUTHORITY, FORMER, FROM_ENDED, FROM_FORMER } from '../../support/vouchers.ts'

export const NODES = ['alpha', 'beta', 'gamma'].map(name => parseName(name))
export const CLIENTS = ['c1', 'c2'].map(parseSubject)
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
export interface Step {
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

/** Honest changes and links more often than each of the rest. */
export const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...(['grant', 'grant', 'grant', 'grant', 'remove', 'withdraw', 'old view'] as const),
    ...(['fork', 'fork withdrawal', 'false withdrawal', 'same wish', 'link', 'link'] as const),
    ...(['checkpoint', 'checkpoint', 'earlier checkpoint', 'earlier checkpoint'] as const),
    ...(['unclosed checkpoint', 'untrue checkpoint', 'archive', 'archive', 'archive'] as const),
  ),
  at: fc.nat(NODES.length - 1),
  dice: fc.array(fc.nat(1_000), { minLength: 6, maxLength: 6 }),
})

type CheckpointKind = Extract<Step['kind'], `${string}checkpoint`>

/** What was made, in the order of the real time that nobody knows. */
interface Made {
  readonly entry: Entry
  readonly step: number
}

/** What a step has to do with. */
interface Turn {
  readonly replica: ListReplica
  readonly roll: Roll
  readonly source: Source
  readonly subject: Subject
  readonly by: Pick<Change, 'operator' | 'wish' | 'at'>
}

/** A few replicas, and all that has happened to them. */
export class ListSchedule {
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
    const turn: Turn = { replica, roll, source, subject, by }
    if (kind === 'link') return this.#link(turn)
    if (kind === 'archive') {
      if (replica.archive()) this.archived += 1
      return undefined
    }
    if (kind === 'fork' || kind === 'fork withdrawal') return this.#fork(kind, turn)
    // A node accepts nothing in a source of its own that is known to have forked.
    if (replica.list.forkOf(source) < Infinity) return undefined
    switch (kind) {
      case 'grant':
      case 'remove':
        return this.#request(kind, turn)
      case 'withdraw':
      case 'false withdrawal':
        return this.#withdraw(kind, turn)
      case 'old view':
        return this.#note(replica.accept(ofOldView(turn, source), roll(SIGNED)))
      case 'same wish':
        return this.#repeat(turn)
      case 'checkpoint':
      case 'earlier checkpoint':
      case 'unclosed checkpoint':
      case 'untrue checkpoint':
        return this.#checkpoint(kind, turn)
    }
  }

  #link({ replica, roll }: Turn): void {
    const other = roll(this.replicas)
    if (other === replica) return
    const ended = replica.sendTo(other) ?? other.sendTo(replica)
    if (ended !== undefined) this.refused.push(ended)
  }

  #request(kind: 'grant' | 'remove', { replica, roll, source, subject, by }: Turn): void {
    const request = { subject, ...by }
    const change =
      kind === 'grant'
        ? replica.list.draft({ kind: 'grant', ...request, terms: {} }, source, by.at)
        : replica.list.draft({ kind: 'revocation', ...request }, source, by.at)
    this.#note(replica.accept(change, roll(SIGNED)))
  }

  #withdraw(kind: 'withdraw' | 'false withdrawal', { replica, roll, source, by }: Turn): void {
    const author = roll(AUTHORS)
    const request = { kind: 'revocation', subject: author, ...by } as const
    const drafted = replica.list.draft(request, source, by.at)
    const upTo = kind === 'withdraw' ? (drafted as { upTo: UpTo }).upTo : anyPart(replica, roll)
    this.#note(replica.accept({ ...drafted, upTo } as Change))
  }

  #repeat({ replica, roll, source }: Turn): void {
    const again = roll(this.made.filter(({ entry }) => entry.change.kind === 'revocation'))
    if (again === undefined || !replica.list.holdsSeen(again.entry.change)) return
    this.#note(replica.accept({ ...again.entry.change, source, at: NOON + this.#step }))
  }

  #checkpoint(kind: CheckpointKind, { replica, roll, source, by }: Turn): void {
    const heads = headsFor(kind, replica, roll)
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
    if (!replica.list.holdsSeen(change)) return
    const stated = kind === 'untrue checkpoint' ? {} : statedAt(heads, replica.list)
    const entry = replica.accept({ ...change, ...stated }, roll(SIGNED))
    this.#note(entry)
    if (kind === 'checkpoint' && replica.list.checkpointEffect(entry) === 'untrue') {
      throw new Error('a node has stated what is untrue')
    }
  }

  /** Behind any entry of any branch, of its own or of another one that it has made. */
  #fork(kind: 'fork' | 'fork withdrawal', turn: Turn): void {
    const { replica, roll, source, by } = turn
    const behind = roll([undefined, ...this.made])?.entry
    const place =
      behind === undefined
        ? { source, sequence: 1, previous: '' }
        : {
            source: behind.change.source,
            sequence: behind.change.sequence + 1,
            previous: behind.hash,
          }
    const author = roll(AUTHORS)
    const draft: Change =
      kind === 'fork'
        ? ofOldView(turn, place.source)
        : {
            ...revocationAt(place.source, place.sequence, author),
            ...by,
            upTo: anyPart(replica, roll),
          }
    const twin = entryBehind(draft, place)
    if (replica.take(twin) === undefined) this.#note(twin)
  }

  #note(entry: Entry): void {
    this.made.push({ entry, step: this.#step })
  }
}

/** A change whose author has seen any part of what there is of its subject. */
function ofOldView({ replica: { store }, roll, by }: Turn, source: Source): Change {
  const subject = roll(CLIENTS)
  const ids: ChangeId[] = Array.from(store.ofSubject(subject), idOf)
  const seen = [...new Set([roll(ids), roll(ids)])].filter(id => id !== undefined)
  return roll([true, false])
    ? { ...grantAt(source, 1, { subject, seen }), ...by }
    : { ...revocationAt(source, 1, subject, seen), ...by }
}

function headsFor(kind: CheckpointKind, replica: ListReplica, roll: Roll): UpTo {
  if (kind === 'unclosed checkpoint') return unclosed(replica, roll)
  if (kind === 'earlier checkpoint') return earlier(replica, roll)
  return headsOf(replica)
}

/** What a replica held at some time: a checkpoint of it is true, and made out of sight of the rest. */
function earlier({ store }: ListReplica, roll: Roll): UpTo {
  const entries = store.entries.filter((one): one is Entry => !isStray(one))
  const count = roll(entries.map((_, index) => index + 1)) ?? 0
  return upToEach(entries.slice(0, count))
}

/** One source alone, up to a change that has seen others: a checkpoint of that takes away nothing. */
function unclosed({ store }: ListReplica, roll: Roll): UpTo {
  const entries = store.entries.filter((one): one is Entry => !isStray(one))
  const last = roll(entries.filter(({ change }) => change.seen.length > 0))
  return upToEach(last === undefined ? [] : [last])
}

function anyPart({ store }: ListReplica, roll: Roll): UpTo {
  const entries = [...store.logged()].map(one => ('entry' in one ? one.entry : one))
  return upToEach([roll(entries), roll(entries)].filter(entry => entry !== undefined))
}

/** Of each source up to the last of these. */
function upToEach(entries: readonly Pick<Entry, 'change' | 'hash'>[]): UpTo {
  return new Map(
    entries.map(({ change, hash }) => [change.source, { sequence: change.sequence, hash }]),
  )
}

type Roll = <Item>(items: readonly Item[]) => Item

function rollOf(dice: readonly number[]): Roll {
  let next = 0
  return items => items[(dice[next++ % dice.length] ?? 0) % items.length] as never
}
