import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'

/** What a seed decides. */
export class Dice {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = seededRandom(seed)
  }

  /** From 0 to `past` - 1. */
  below(past: number): number {
    return Math.floor(this.#next() * past)
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined && items.length === 0) throw new RangeError('nothing to pick from')
    return item as T
  }

  /** Small mostly, large at times. */
  size(past: number): number {
    return this.below(this.below(past) + 1)
  }
}
