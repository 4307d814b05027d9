import { systemClock, type Clock } from '../../node/lib/clock.ts'

/**
 * A clock whose hands stand, while its timers run: no pace refills and no deadline that is read off it
 * passes, however long the machine takes for a test.
 */
export function standingClock(): Clock {
  const [now, monotonic] = [systemClock.now(), systemClock.monotonic()]
  return { ...systemClock, now: () => now, monotonic: () => monotonic }
}
