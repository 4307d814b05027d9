import type { Random } from '../../node/lib/clock.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'

/** What the seed of a schedule decides. */
export class Draws {
  /** From 0 to below 1. */
  readonly random: Random

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.random() < probability
  }

  /** From 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.random() * limit)
  }

  /** From -`limit` to `limit`. */
  within(limit: number): number {
    return Math.round((this.random() * 2 - 1) * limit)
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }
}
