import { setImmediate as nextTurn } from 'node:timers/promises'
import { nodeOf, type Source } from '../identity/names.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Member } from './member.ts'
import {
  emptyTag,
  encodeTally,
  joinTallies,
  markOf,
  parseTally,
  sumOf,
  TallyKey,
  type Tally,
} from './tally.ts'

/** What is known of the nodes whose words are tallied. */
export interface TalliedMembers {
  /** How many runs are alive. */
  readonly liveCount: number
  readonly list: () => Iterable<Pick<Member, 'source' | 'tallyKey'>>
  readonly live: () => ReadonlyMap<Source, Pick<Member, 'tallyKey'>>
}

export interface TalliesOptions {
  /** This run of this node. */
  readonly source: Source
  /** A run has applied changes of a source of this node. */
  readonly onConfirmed: (run: Source, to: Source, applied: number) => void
  /** A tally for a source of this node does not hold: somebody on its way lies, or knows other nodes. */
  readonly onFalse: (to: Source) => void
}

/** Up to so many nodes each is shown with what it did. */
const SINGLY = 64

/** Tallies in one frame, and that wait to leave; more are dropped, and asked for later. */
const MAX_TALLIES = 128

/** Secrets that are worked out in one turn of the loop: 50 µs each. */
const SECRETS_A_TURN = 16

/**
 * Confirmations in large clusters: each node joins its word to those that have come to it, so that
 * one frame of a link stands for all behind it, and nobody on the way can add one. A relay can spoil a
 * tally; then the nodes are asked, and each answers with a signature of its own.
 */
export class Tallies {
  readonly key = new TallyKey()
  readonly #options: TalliesOptions
  #members: TalliedMembers | undefined
  #singly = SINGLY
  readonly #waiting: Tally[] = []
  /** Runs by their marks, as far as they were looked up. */
  #runs: ReadonlyMap<string, Pick<Member, 'source' | 'tallyKey'>> = new Map()
  readonly #marks = new Map<Source, string>()

  constructor(options: TalliesOptions) {
    this.#options = options
  }

  /**
   * Tally the words of these members from now on.
   * @param singly up to how many nodes each confirms by itself. Default 64
   */
  follow(members: TalliedMembers, singly = SINGLY): void {
    this.#members = members
    this.#singly = singly
  }

  /**
   * This node has applied the changes of a source.
   * @returns whether that is tallied; else it is to be said in another way
   */
  add(to: Source, applied: number): boolean {
    const { source } = this.#options
    const members = this.#members
    if (members === undefined || members.liveCount <= this.#singly) return false
    const name = nodeOf(to)
    for (const [run, { tallyKey }] of members.live()) {
      if (nodeOf(run) !== name || tallyKey === undefined) continue
      const tag = this.key.tag(tallyKey, source, to, applied)
      if (tag === undefined) return false
      this.#join({ to, applied, marks: new Set([this.#markOf(source)]), tag })
      return true
    }
    return false
  }

  /** Take tallies of a neighbour. @returns them, or why they are refused */
  read(frame: object): readonly Tally[] | string {
    const { tallied, ...rest } = frame as Record<string, unknown>
    if (!Array.isArray(tallied) || tallied.length > MAX_TALLIES || Object.keys(rest).length > 0) {
      return 'tallies are malformed'
    }
    const tallies: Tally[] = []
    for (const value of tallied as unknown[]) {
      const tally = parseTally(value)
      if (typeof tally === 'string') return tally
      tallies.push(tally)
    }
    return tallies
  }

  /** Pass a tally on, together with what else goes to its source. */
  passOn(tally: Tally): void {
    this.#join(tally)
  }

  /** Believe a tally for a source of this node, if it holds. */
  async check(tally: Tally): Promise<void> {
    const { onConfirmed, onFalse } = this.#options
    const { to, applied, marks } = tally
    const runs = this.#runsOf(marks)
    if (runs === undefined) return onFalse(to)
    let sum = emptyTag()
    let secrets = 0
    for (const { source: run, tallyKey } of runs) {
      if (tallyKey === undefined) return onFalse(to)
      if (!this.key.knows(tallyKey) && (secrets += 1) % SECRETS_A_TURN === 0) await nextTurn()
      const tag = this.key.tag(tallyKey, run, to, applied)
      if (tag === undefined) return onFalse(to)
      sum = sumOf(sum, tag)
    }
    if (!sum.equals(tally.tag)) return onFalse(to)
    for (const { source: run } of runs) onConfirmed(run, to, applied)
  }

  /** What waits to leave, by the way to each source; where there is none it is dropped, and asked for later. */
  flush(wayTo: (to: Source) => DocumentStream | undefined): void {
    const byWay = Map.groupBy(this.#waiting.splice(0), ({ to }) => wayTo(to))
    for (const [way, tallies] of byWay) way?.send({ tallied: tallies.map(encodeTally) })
  }

  #join(tally: Tally): void {
    for (const [index, other] of this.#waiting.entries()) {
      const joined = joinTallies(other, tally)
      if (joined === undefined) continue
      this.#waiting[index] = joined
      return
    }
    if (this.#waiting.length < MAX_TALLIES) this.#waiting.push(tally)
  }

  /** @returns the runs of some marks, or undefined where one is not known */
  #runsOf(marks: ReadonlySet<string>): Pick<Member, 'source' | 'tallyKey'>[] | undefined {
    if (marks.values().some(mark => !this.#runs.has(mark))) this.#lookUp()
    const runs = Array.from(marks, mark => this.#runs.get(mark)).filter(run => run !== undefined)
    return runs.length === marks.size ? runs : undefined
  }

  #lookUp(): void {
    const members = [...(this.#members?.list() ?? [])]
    this.#runs = new Map(members.map(member => [this.#markOf(member.source), member]))
    const known = new Set(members.map(({ source }) => source))
    for (const source of this.#marks.keys()) if (!known.has(source)) this.#marks.delete(source)
  }

  #markOf(source: Source): string {
    const known = this.#marks.get(source)
    if (known !== undefined) return known
    const mark = markOf(source)
    this.#marks.set(source, mark)
    return mark
  }
}
