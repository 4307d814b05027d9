import type { Source } from '../../node/identity/names.ts'
import { buildWhitelist } from '../../node/whitelist/build.ts'
import type { Change, Place } from '../../node/whitelist/change.ts'
import { isStray, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { mergeStrays, straysShownBy } from '../../node/whitelist/equivocation.ts'
import { differences, evaluateLog } from '../../node/whitelist/evaluate.ts'
import { Whitelist } from '../../node/whitelist/whitelist.ts'
import { MemoryStore } from './memory-store.ts'
import { chain } from './replica-changes.ts'
import { stateText } from './replica-model.ts'

/** A list with its log, merged as a node merges what peers bring; without signatures or links. */
export class ListReplica {
  readonly store = new MemoryStore()
  readonly list = new Whitelist(this.store)

  /** Take what a peer or an operator brings. @returns why its link would end, if it would */
  take(one: Entry | Stray): string | undefined {
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
  accept(change: Change): Entry {
    const entry = entryBehind(change, {
      sequence: this.list.heard(change.source) + 1,
      previous: this.list.headHash(change.source),
    })
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

  /** What is wrong with the list: where it is not what its log says, or a start would make another. */
  faults(): string[] {
    const evaluated = evaluateLog([...this.store.logged()])
    const built = buildWhitelist(this.store)
    return [
      ...differences(this.list, evaluated).map(subject => `merged ${subject}`),
      ...differences(built, evaluated).map(subject => `built ${subject}`),
      ...(built.changes === this.list.changes ? [] : ['the changes are counted otherwise']),
    ]
  }

  /** All that the list decides, in a form in which equal lists are equal texts. */
  text(): string {
    return Array.from(this.list.subjects(), ([subject, state]) => `${subject} ${stateText(state)}`)
      .sort()
      .join('\n')
  }

  #keep(all: readonly (Entry | Stray)[]): void {
    this.store.append(all)
    this.list.saved()
    this.list.settle(all.map(one => (isStray(one) ? one.entry : one).change.subject))
    this.list.settleSome(Infinity)
  }
}

/** An entry at a place, linked to the entry before it. */
export function entryBehind(
  change: Change,
  { sequence, previous }: { readonly sequence: number; readonly previous: string },
): Entry {
  const [entry] = chain([{ ...change, sequence }], previous)
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
