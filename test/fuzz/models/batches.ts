/** What an operator is to sign again only in its place: the first place of what it signed last. */
interface Signed {
  readonly start: number
  readonly root: string
  readonly count: number
  readonly isOtherRun: boolean
}

const MAX_CHANGES = 128

/** How many changes the operator of a script asks for. */
const ASKED = 3

/** What a node may rewrite without being told to. */
const FREE = ['minute', 'seen']

/** What is to become of each line of a script (PROTOCOL.md, "Operators"). */
export class BatchesModel {
  #last: Signed | undefined
  #isTaken = false

  /** A node is asked for changes: of one kind, each of another client. */
  asked(wishes: readonly (readonly [kind: string, name: string])[]): boolean {
    if (wishes.length === 0 || wishes.length > MAX_CHANGES) return false
    const [first] = wishes
    const names = wishes.map(([, name]) => name)
    for (const [at, [kind, name]] of wishes.entries()) {
      if (kind !== first?.[0] || name.includes('/')) return false
      if (names.indexOf(name) !== at) return false
    }
    return true
  }

  /** An operator is proposed so many texts from a place on, some of them rewritten. */
  answered(
    start: number,
    root: string,
    count: number,
    edits: readonly (readonly [index: number, flaw: string])[],
  ): boolean {
    if (count < 1 || count > ASKED) return false
    const others = new Set<number>()
    for (const [index, flaw] of edits) {
      if (index >= count || FREE.includes(flaw)) continue
      if (flaw === 'run') others.add(index)
      else if (!['sequence', 'previous'].includes(flaw) || index > 0) return false
    }
    if (others.size > 0 && others.size < count) return false
    const signed = { start, root: start === 1 ? '' : root, count, isOtherRun: others.size > 0 }
    if (!this.#isAllowed(signed)) return false
    this.#last = signed
    this.#isTaken = false
    return true
  }

  /** The first place of what was signed last is proven to hold another text. */
  taken(): void {
    this.#isTaken = true
  }

  #isAllowed({ start, root, count, isOtherRun }: Signed): boolean {
    const last = this.#last
    if (last === undefined) return true
    if (isOtherRun !== last.isOtherRun || count !== last.count) return false
    if (start === last.start && root === last.root) return true
    return this.#isTaken && start > last.start
  }
}
