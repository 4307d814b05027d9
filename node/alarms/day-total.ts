/** A quarter of an hour, or less, of which `ms` were past a limit. */
export interface Span {
  readonly start: number
  readonly ms: number
}

/** How long a limit was passed within the last 24 hours. */
export interface DayTotal {
  /** In order; each begins a quarter of an hour or more behind the one before. */
  readonly spans: readonly Span[]
  /** Up to where it is counted, while the limit is passed; undefined while it is kept. */
  readonly countedTo: number | undefined
}

export const NO_TOTAL: DayTotal = { spans: [], countedTo: undefined }

const DAY_MS = 86_400_000
const SPAN_MS = 900_000

/** Count what has passed up to `now`, and forget what is more than a day old. */
export function countTo({ spans, countedTo }: DayTotal, now: number): DayTotal {
  const oldest = now - DAY_MS - SPAN_MS
  const kept = spans.filter(({ start }) => start > oldest)
  if (countedTo === undefined) return { spans: kept, countedTo }
  for (let from = Math.max(countedTo, oldest); from < now;) {
    const last = kept.at(-1)
    const isNew = last === undefined || from >= last.start + SPAN_MS
    const { start, ms } = isNew ? { start: from, ms: 0 } : last
    const to = Math.min(now, start + SPAN_MS)
    const span = { start, ms: ms + to - from }
    if (isNew) kept.push(span)
    else kept[kept.length - 1] = span
    from = to
  }
  return { spans: kept, countedTo: Math.max(countedTo, now) }
}

export function totalMs({ spans }: DayTotal): number {
  return spans.reduce((sum, { ms }) => sum + ms, 0)
}

/** When the oldest time that counts is forgotten; undefined where none does. */
export function nextForgotten({ spans }: DayTotal): number | undefined {
  const [first] = spans
  return first === undefined ? undefined : first.start + DAY_MS + SPAN_MS
}

/** The same when the clock was set meanwhile. */
export function shiftTotal({ spans, countedTo }: DayTotal, byMs: number): DayTotal {
  return {
    spans: spans.map(({ start, ms }) => ({ start: start + byMs, ms })),
    countedTo: countedTo === undefined ? undefined : countedTo + byMs,
  }
}
