import type { Source } from '../identity/names.ts'
import type { Head, UpTo } from './change.ts'

/** The chain of each source: without a hole but at or below where the log begins. */
export class Chains {
  readonly #begins: UpTo
  readonly #heads = new Map<Source, Head>()

  constructor(begins: UpTo) {
    this.#begins = begins
  }

  /** Take the next entry of a source. @returns whether it is that */
  add(source: Source, { sequence, hash }: Head, previous: string): boolean {
    const last = this.#heads.get(source)
    const begin = this.#begins.get(source)
    this.#heads.set(source, { sequence, hash })
    const [lastSequence, beginSequence] = [last?.sequence ?? 0, begin?.sequence ?? 0]
    // Of what is at or below where the log begins some has left it.
    if (sequence <= beginSequence && sequence > lastSequence + 1) return true
    if (sequence <= beginSequence) return sequence > lastSequence && previous === (last?.hash ?? '')
    const head = lastSequence >= beginSequence ? last : begin
    return sequence === (head?.sequence ?? 0) + 1 && previous === (head?.hash ?? '')
  }
}
