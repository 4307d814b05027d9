import { setTimeout as delay } from 'node:timers/promises'

/** Time as the rest of the code sees it, so that a simulation can run it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. May jump. */
  now(): number
  /** Milliseconds since some fixed moment. Never goes back; for durations and deadlines. */
  monotonic(): number
  /** Resolve after `ms`. @throws the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Call `task` once, after `ms` or later. Does not keep the process alive. */
  after(ms: number, task: () => void): Disposable
}

/** The longest delay of a Node.js timer; with a longer delay it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  },
  after: (ms, task) =>
    // A connection has several: each is a timer, and nothing beside it.
    ms > MAX_TIMER_MS ? inSteps(ms, task) : setTimeout(task, Math.max(ms, 0)).unref(),
}

/** Reach a deadline beyond the longest timer. */
function inSteps(ms: number, task: () => void): Disposable {
  const dueAt = performance.now() + ms
  let timer: NodeJS.Timeout
  const arm = (): void => {
    const left = dueAt - performance.now()
    timer =
      left > MAX_TIMER_MS ? setTimeout(arm, MAX_TIMER_MS) : setTimeout(task, Math.max(left, 0))
    timer.unref()
  }
  arm()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

/** How late a moment is noticed when the wall clock was set forward meanwhile, in milliseconds. */
const LOOK_MS = 30_000

/**
 * Call `task` once, when the wall clock has reached a moment. A timer alone counts what has
 * passed: it knows neither of a clock that was set nor of a machine that slept.
 * @param moment milliseconds since 1970
 */
export function at(clock: Clock, moment: number, task: () => void): Disposable {
  let timer: Disposable
  const wait = (): void => {
    timer = clock.after(Math.min(moment - clock.now(), LOOK_MS), () => {
      if (clock.now() < moment) wait()
      else task()
    })
  }
  wait()
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

/**
 * How long until the wall clock is at the next multiple of `intervalMs`, in milliseconds. What a node
 * does at such moments it wakes once for, and waking is most of what a node at rest costs. Nodes whose
 * clocks agree wake in the same moments, once for what all of them say; nothing else rests on that.
 */
export function untilRound(clock: Pick<Clock, 'now'>, intervalMs: number): number {
  // A timer counts whole milliseconds, and may run a moment before it is due.
  return Math.ceil(intervalMs - (clock.now() % intervalMs))
}

/** The same for what is done again and again: a round that comes within half the time is left out. */
export function untilNextRound(clock: Pick<Clock, 'now'>, intervalMs: number): number {
  const leftMs = untilRound(clock, intervalMs)
  return leftMs < intervalMs / 2 ? leftMs + intervalMs : leftMs
}

/** Uniform in [0, 1). Handed in so that jitter and sampling can be replayed from a seed. */
export type Random = () => number
