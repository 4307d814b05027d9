/** Readings tell the time modulo this, in milliseconds. */
const PERIOD_MS = 1_000_000

/** So many milliseconds are a degree: a period is 100 of them. */
const MS_PER_DEGREE = PERIOD_MS / 100

function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

/** How long ago a reading was taken, in milliseconds. */
export function millisecondsSince(celsius: number): number {
  const ms = ((nowMs() % PERIOD_MS) - celsius * MS_PER_DEGREE + PERIOD_MS) % PERIOD_MS
  // A reading is rounded, so that it may seem to come from the future.
  return ms > PERIOD_MS / 2 ? 0 : ms
}

// A thermometer whose readings say when they were taken: timed-thermometer.ts INTERVAL_MS
if (import.meta.main) {
  process.stdout.on('error', () => process.exit())
  setInterval(() => {
    process.stdout.write(`${((nowMs() % PERIOD_MS) / MS_PER_DEGREE).toFixed(6)}\n`)
  }, Number(process.argv[2]))
}
