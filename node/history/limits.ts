import type { Bucket } from './bucket.ts'

/** The lowest and highest that was read from a moment on: in a minute, in an hour, or once. */
export type Sample = Pick<Bucket, 'start' | 'low' | 'high'>

/** A limit that readings may not pass for long. */
export interface Limit {
  readonly side: 'high' | 'low'
  /** The highest, or lowest, that is well; in the unit of the sensor. */
  readonly value: number
  /** How long it may be passed, in milliseconds. */
  readonly forMs: number
}

/** A time for which a limit was passed, and for longer than it may be. */
export interface Excursion {
  readonly limit: Limit
  readonly since: number
  /** Undefined where it goes on. */
  readonly until: number | undefined
  /** The highest, or lowest, of it. */
  readonly extreme: number
}

/**
 * The excursions in readings, minutes or hours, in order. A time of which nothing is known does not end one:
 * unknown is not well.
 * @param end of what is looked at, in milliseconds since 1970
 */
export function excursionsOf(
  samples: readonly Sample[],
  limits: readonly Limit[],
  end: number,
): Excursion[] {
  const found = limits.flatMap(limit => excursionsPast(limit, samples, end))
  return found.sort((a, b) => a.since - b.since)
}

function excursionsPast(limit: Limit, samples: readonly Sample[], end: number): Excursion[] {
  const found: Excursion[] = []
  let under: { since: number; extreme: number } | undefined
  const finish = (until: number | undefined): void => {
    if (under !== undefined && (until ?? end) - under.since >= limit.forMs) {
      found.push({ limit, since: under.since, until, extreme: under.extreme })
    }
    under = undefined
  }
  for (const sample of samples) {
    const { start } = sample
    const worst = limit.side === 'high' ? sample.high : sample.low
    if (worst === undefined) continue
    if (isPast(limit, sample)) {
      under ??= { since: start, extreme: worst }
      under.extreme =
        limit.side === 'high' ? Math.max(under.extreme, worst) : Math.min(under.extreme, worst)
    } else finish(start)
  }
  finish(undefined)
  return found
}

/** Whether a limit was passed at any time of a sample. */
export function isPast({ side, value }: Limit, { low, high }: Sample): boolean {
  if (low === undefined || high === undefined) return false
  return side === 'high' ? high > value : low < value
}
