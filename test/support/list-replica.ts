import { WHOLE_LIST, type Source } from '../../node/identity/names.ts'
import type { EntrySignatures } from '../../node/identity/signature.ts'
import { baseOf, spentBehind } from '../../node/whitelist/archive-plan.ts'
import { buildWhitelist } from '../../node/whitelist/build.ts'
import type { Change, Place, UpTo } from '../../node/whitelist/change.ts'
import { isStray, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { mergeStrays, straysShownBy } from '../../node/whitelist/equivocation.ts'
import { headsOfNow } from '../../node/whitelist/checkpoint-heads.ts'
import { differences, evaluateLog, type EvaluatedLog } from '../../node/whitelist/evaluate.ts'
import { judgeCheckpoints, listAt, type StatedList } from '../../node/whitelist/stated-list.ts'
import { Whitelist } from '../../node/whitelist/whitelist.ts'
import { MemoryStore } from './memory-store.ts'
import { chain } from './replica-changes.ts'
import { statesOf } from './replica-model.ts'
import { SOME_FORMER } from './vouchers.ts'

/** A list with its log, merged as a node merges what peers bring; without signatures or links. */
export class ListReplica {
  readonly store = new MemoryStore()
  list = new Whitelist(this.store, SOME_FORMER)
  /** How often it was brought something, or archived: in between nothing of it changes. */
  turns = 0

  /** Take what a peer or an operator brings. @returns why its link would end, if it would */
  take(one: Entry | Stray): string | undefined {
    this.turns += 1
    if (!isStray(one) && this.list.fit(one) === 'next') {
      this.list.merge(one)
      this.#keep([one])
      return undefined
    }
    const strays = straysShownBy(one, this)
    if (typeof strays === 'string') return strays
    this.#keep(mergeStrays(strays, this).map(({ stray }) => stray))
    return undefined
  }

  /** Make a change at the next place of a source. */
  accept(change: Change, signatures?: EntrySignatures): Entry {
    const place = {
      sequence: this.list.heard(change.source) + 1,
      previous: this.list.headHash(change.source),
    }
    const entry = entryBehind(change, place, signatures)
    const refused = this.take(entry)
    if (refused !== undefined) throw new Error(refused)
    return entry
  }

  /** Send another one all that it lacks, as far as it takes it. @returns why it ended the link */
  sendTo(other: ListReplica): string | undefined {
    for (const [source, head] of other.list.heads()) {
      if (this.list.forkOf(source) <= head.sequence) continue
      const [own] = this.store.ofSource(source, head.sequence)
      if (own?.change.sequence === head.sequence && own.hash !== head.hash) other.take(own)
    }
    for (const one of this.store.after(other.list.clock())) {
      const refused = other.take(one)
      if (refused !== undefined) return refused
    }
    return undefined
  }

  /** Let all leave the log that may behind a checkpoint, if there is one, and start again. */
  archive(): boolean {
    this.turns += 1
    const base = baseOf(this.list, this.store)
    const cut = base && this.list.cutOf(base.checkpoint)
    if (base === undefined || cut === undefined) return false
    const spent = [...spentBehind(cut, this.list)]
    this.store.archive(
      spent.flatMap(({ moved }) => moved),
      {
        ...base,
        spent: new Set(spent.flatMap(({ left }) => left)),
        strays: new Set(spent.flatMap(({ strays }) => strays)),
      },
    )
    this.list = buildWhitelist(this.store, SOME_FORMER)
    judgeAll(this.list)
    return true
  }

  /** What is wrong with the list: where it is not what its log says, or a start would make another. */
  faults(): string[] {
    const evaluated = evaluateLog(this.store.entries, SOME_FORMER)
    const built = buildWhitelist(this.store, SOME_FORMER)
    judgeAll(built)
    return [
      ...differences(this.list, evaluated).map(subject => `merged ${subject}`),
      ...differences(built, evaluated).map(subject => `built ${subject}`),
      ...[this.list, built].flatMap(list => this.#misjudged(list, evaluated)),
      ...(built.changes === this.list.changes ? [] : ['the changes are counted otherwise']),
    ]
  }

  /** All that the list decides, in a form in which equal lists are equal texts. */
  text(): string {
    return statesOf(this.list).join('\n')
  }

  /** The checkpoints that stand in a list and should not, or the other way round. */
  #misjudged(list: Whitelist, { checkpoints }: EvaluatedLog): string[] {
    return [...this.store.ofSubject(WHOLE_LIST)]
      .filter(one => (list.checkpointEffect(one) === 'in effect') !== checkpoints.has(one.hash))
      .map(({ change }) => `checkpoint ${change.sequence} of ${change.source}`)
  }

  #keep(all: readonly (Entry | Stray)[]): void {
    this.store.append(all)
    this.list.saved()
    this.list.settle(all.map(one => (isStray(one) ? one.entry : one).change.subject))
    this.list.settleSome(Infinity)
    judgeAll(this.list)
  }
}

/** Find out of all checkpoints whether they are true, and what follows from it. */
function judgeAll(list: Whitelist): void {
  for (const step of judgeCheckpoints(list)) if (step !== undefined) list.settleSome(Infinity)
}

/** What a checkpoint says of the list at heads that are held. */
export function statedAt(heads: UpTo, list: Whitelist): StatedList {
  return resultOf(listAt(heads, list))
}

/** The heads of a checkpoint that a node makes now. @throws when there are too many sources */
export function headsOf({ list }: ListReplica): UpTo {
  const heads = resultOf(headsOfNow(list))
  if (heads === undefined) throw new Error('there are too many sources')
  return heads
}

function resultOf<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** An entry at a place, linked to the entry before it. */
export function entryBehind(
  change: Change,
  { sequence, previous }: { readonly sequence: number; readonly previous: string },
  signatures?: EntrySignatures,
): Entry {
  const [entry] = chain([{ ...change, sequence }], previous, signatures)
  if (entry === undefined) throw new Error('there is one change')
  return entry
}

/** Send everything between all of them until nothing is sent any more. */
export function syncAll(replicas: readonly ListReplica[]): void {
  for (let round = 0; round < 12; round += 1) {
    for (const from of replicas) for (const to of replicas) if (from !== to) from.sendTo(to)
  }
}

/** The places that a replica has heard, to see that two hold the same. */
export function heardBy({ list }: ListReplica): Map<Source, Place['sequence']> {
  return list.clock()
}
