import { signal } from '@preact/signals'
import { clockOffset } from './connection.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** The time of this machine, so that ages grow on the page. */
const now = signal(Date.now())
setInterval(() => {
  now.value = Date.now()
}, SECOND_MS)

/** How long ago something was, by the clock of the node: `12 s`. */
export function ageOf(at: number): string {
  const ms = Math.max(0, now.value + clockOffset.value - at)
  if (ms < MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`
  return `${Math.floor(ms / DAY_MS)} d`
}

/** A moment with its age. */
export function Age({ at }: { readonly at: number }) {
  return (
    <time class="age" dateTime={new Date(at).toISOString()}>
      {ageOf(at)} ago
    </time>
  )
}
