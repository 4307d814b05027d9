import type { Signers } from '../identity/signers.ts'
import { baseOfState, type Begun } from '../whitelist/brought-state.ts'
import type { Entry } from '../whitelist/entry.ts'
import { openAt } from '../whitelist/open.ts'
import { isStray } from '../whitelist/entry.ts'
import type { DocumentStream } from './document-stream.ts'
import { inTurns } from './in-turns.ts'
import {
  MAX_SPENT,
  parseStateEnd,
  parseStateRows,
  type StateEnd,
  type UncheckedStateRow,
} from './state-frames.ts'

export interface StateIntakeOptions {
  readonly signers: Signers
  /** How many spent entries a state may hold. Default 65,536; each is kept for good. */
  readonly maxSpent?: number
  /** Whether nothing is held here. */
  readonly isEmpty: () => boolean
  /** A link begins to bring what a checkpoint states. */
  readonly onBrought: (from: DocumentStream) => void
  /** Let the list begin with what a link has brought, all of which holds. */
  readonly begin: (entries: readonly Entry[], begun: Begun, from: DocumentStream) => Promise<void>
}

/** What one link has brought so far. */
interface Brought {
  readonly entries: Entry[]
  readonly hashes: Set<string>
  readonly spent: Set<string>
  /** What is under way is done one after the other. */
  work: Promise<void>
  isOver: boolean
}

/**
 * Takes in what a checkpoint states, which a node that holds nothing is sent instead of all that led
 * there. Each link brings its own, so that one that never ends keeps no other from being the first.
 */
export class StateIntake {
  readonly #options: StateIntakeOptions
  readonly #brought = new Map<DocumentStream, Brought>()
  #waiting = 0
  /** The list is being stored. */
  #beginning: Promise<void> | undefined

  constructor(options: StateIntakeOptions) {
    this.#options = options
  }

  /** How many entries wait to be checked. */
  get backlog(): number {
    return this.#waiting
  }

  /** Resolves when all that has come in is checked, and taken in or refused. */
  async settled(): Promise<void> {
    await Promise.all(this.#brought.values().map(async ({ work }) => work))
    await this.#beginning
  }

  /** Resolves when the list is not being stored: until then nothing else may be. */
  async stored(): Promise<void> {
    await this.#beginning
  }

  /** Take a frame of a peer. @returns why it is refused, if it is; undefined if it is another */
  take(frame: object, from: DocumentStream): { readonly refused?: string } | undefined {
    if ('state' in frame) return this.#takeRows(parseStateRows(frame), from)
    return 'begins' in frame ? this.#takeEnd(parseStateEnd(frame), from) : undefined
  }

  /** A link has ended. */
  forget(from: DocumentStream): void {
    const brought = this.#brought.get(from)
    if (brought !== undefined) brought.isOver = true
    this.#brought.delete(from)
  }

  #takeRows(
    rows: readonly UncheckedStateRow[] | undefined,
    from: DocumentStream,
  ): { readonly refused?: string } {
    if (rows === undefined) return { refused: 'a state is malformed' }
    const brought = this.#broughtBy(from)
    if (brought === undefined) return {}
    if (typeof brought === 'string') return { refused: brought }
    this.#waiting += rows.length
    brought.work = brought.work.then(async () => {
      const opened = await Promise.all(rows.map(async row => this.#open(row)))
      this.#waiting -= rows.length
      for (const [index, entry] of opened.entries()) {
        if (brought.isOver) return
        const { maxSpent = MAX_SPENT } = this.#options
        const problem =
          typeof entry === 'string' ? entry : add(entry, rows[index], brought, maxSpent)
        if (problem !== undefined) this.#refuse(problem, from)
      }
    })
    return {}
  }

  async #open({ update, entry }: UncheckedStateRow): Promise<Entry | string> {
    const [, sequence, source] = update
    const opened = await openAt({ source, sequence }, entry, this.#options.signers)
    return typeof opened === 'string' || !isStray(opened) ? opened : 'a state holds a stray'
  }

  #takeEnd(end: StateEnd | undefined, from: DocumentStream): { readonly refused?: string } {
    if (end === undefined) return { refused: 'a state is malformed' }
    const brought = this.#broughtBy(from)
    if (brought === undefined) return {}
    if (typeof brought === 'string') return { refused: brought }
    brought.work = brought.work.then(async () => {
      if (!brought.isOver) await this.#begin(end, brought, from)
    })
    return {}
  }

  async #begin(
    { checkpoint, true: held }: StateEnd,
    brought: Brought,
    from: DocumentStream,
  ): Promise<void> {
    brought.isOver = true
    const { signers, begin } = this.#options
    const { entries, spent } = brought
    const state = { entries, spent, checkpoint, true: held }
    const begun = await inTurns(baseOfState(state, signers))
    if (typeof begun === 'string') return this.#refuse(begun, from)
    if (!this.#brought.has(from)) return undefined
    if (!this.#isOpen) return this.#leave(from)
    this.#beginning = begin(entries.splice(0), begun, from).finally(() => {
      this.#beginning = undefined
    })
    return this.#beginning
  }

  /** Whether there is no list yet, and none is being stored. */
  get #isOpen(): boolean {
    return this.#beginning === undefined && this.#options.isEmpty()
  }

  /** @returns what a link has brought, or why it may bring nothing more; undefined where that is not its fault */
  #broughtBy(from: DocumentStream): Brought | string | undefined {
    // Of a peer that does not say that its list is whole it would be taken for that of a newcomer.
    if (from.wasWhole?.there !== true) return 'a state comes without a whole list'
    // Nothing is gathered for a list that there is already: it may be years of changes.
    const known = this.#brought.get(from)
    if (known?.isOver === true) return 'a state comes behind its end'
    if (!this.#isOpen) return this.#leave(from)
    if (known !== undefined) return known
    const brought: Brought = {
      entries: [],
      hashes: new Set(),
      spent: new Set(),
      work: Promise.resolve(),
      isOver: false,
    }
    this.#brought.set(from, brought)
    this.#options.onBrought(from)
    return brought
  }

  #leave(from: DocumentStream): undefined {
    this.forget(from)
    from.leave('another peer has begun to bring the list meanwhile')
  }

  #refuse(reason: string, from: DocumentStream): void {
    this.forget(from)
    from.refuse(reason)
  }
}

/** @returns why an entry is refused, if it is */
function add(
  entry: Entry,
  row: UncheckedStateRow | undefined,
  { entries, hashes, spent }: Brought,
  maxSpent: number,
): string | undefined {
  if (hashes.has(entry.hash)) return 'a state holds an entry twice'
  hashes.add(entry.hash)
  entries.push(entry)
  if (row?.isSpent === true) spent.add(entry.hash)
  if (spent.size > maxSpent) return 'a state holds too many spent entries'
  return undefined
}
