import type { Clock, Random } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import { backoffMs } from '../lib/backoff.ts'
import { mayGive, SENSOR_KINDS, type SensorEvent } from './kinds.ts'
import type { Sensor, SensorLog } from './sensor.ts'

/** Told about every event, in order. Must not block: all other listeners wait for it. */
export type FeedListener = (sensor: Sensor, event: SensorEvent) => void

export interface FeedOptions {
  readonly clock: Clock
  /** For the jitter of restarts. */
  readonly random: Random
  readonly log?: SensorLog | undefined
}

/** The sensors of one node, running. Stopping it ends them all. */
export interface Feeds extends AsyncDisposable {
  readonly sensors: readonly Sensor[]
  /** The last event of a sensor; undefined before its first, and for names that do not exist. */
  last(name: string): SensorEvent | undefined
  /** Be told of every event from now on; `last` says what was before. */
  subscribe(listener: FeedListener): Disposable
}

const RESTART = { firstMs: 1_000, maxMs: 60_000 }

/** After a run of this length the next failure counts as the first. */
const STEADY_MS = 60_000

/** Reasons go to every client, so a driver cannot make them long. */
const MAX_REASON_LENGTH = 200

/**
 * Run `sensors` and remember the last event of each. A sensor that ends or throws is unavailable
 * until it has been restarted; so is a sensor that is silent for too long. A state that is only repeated (the
 * same `unavailable`, an open door reported as open) is not sent again: its first `at` stands, as it does
 * where only the reason is another one.
 * @throws TypeError when two sensors share a name
 */
export function startFeeds(sensors: readonly Sensor[], { clock, random, log }: FeedOptions): Feeds {
  const abort = new AbortController()
  const { signal } = abort
  const listeners = new Set<{ listener: FeedListener }>()
  const last = new Map<string, SensorEvent>()

  if (new Set(sensors.map(sensor => sensor.name)).size < sensors.length) {
    throw new TypeError('two sensors have the same name')
  }

  const publish = (sensor: Sensor, told: SensorEvent): void => {
    const before = last.get(sensor.name)
    if (signal.aborted || isRepeated(before, told)) return
    const event = sinceFirst(before, told)
    last.set(sensor.name, event)
    if (event.type === 'unavailable') {
      log?.warn({ sensor: sensor.name, reason: event.reason }, 'sensor unavailable')
    } else if (before?.type === 'unavailable') {
      log?.info({ sensor: sensor.name }, 'sensor available again')
    }
    // A copy: a listener that subscribes meanwhile is told of the next event, not of this one.
    for (const entry of Array.from(listeners)) {
      if (!listeners.has(entry)) continue
      try {
        entry.listener(sensor, event)
      } catch (error) {
        log?.error({ sensor: sensor.name, err: error }, 'a listener of the sensors failed')
      }
    }
  }
  const fail = (sensor: Sensor, reason: string, at = clock.now()): void =>
    publish(sensor, { type: 'unavailable', reason: shortReason(reason), at })

  const run = async (sensor: Sensor): Promise<void> => {
    // A listener that subscribes as soon as `startFeeds` has returned hears the first event too.
    await Promise.resolve()
    let failures = 0
    while (!signal.aborted) {
      const startedAt = clock.monotonic()
      const isKnown = (): boolean => last.get(sensor.name)?.type !== 'unavailable'
      const reason = await watchOnce(sensor, { clock, log, signal, publish, fail, isKnown })
      if (signal.aborted) return
      failures = clock.monotonic() - startedAt < STEADY_MS ? failures + 1 : 1
      fail(sensor, reason)
      const delayMs = backoffMs(failures, RESTART, random)
      log?.debug({ sensor: sensor.name, reason, delayMs }, 'sensor will be restarted')
      // It rejects only when the signal aborts, and the loop sees that itself.
      await clock.sleep(delayMs, signal).catch(() => undefined)
    }
  }

  const running = sensors.map(run)
  return {
    sensors,
    last: name => last.get(name),
    subscribe: listener => {
      const entry = { listener }
      listeners.add(entry)
      return { [Symbol.dispose]: () => void listeners.delete(entry) }
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort()
      await Promise.all(running)
    },
  }
}

/** What the watch of a sensor is given. */
interface Watch extends Pick<FeedOptions, 'clock' | 'log'> {
  readonly signal: AbortSignal
  readonly publish: (sensor: Sensor, event: SensorEvent) => void
  /** Nothing is known of the sensor, since `at`. Default now. */
  readonly fail: (sensor: Sensor, reason: string, at?: number) => void
  /** Whether nothing has been said yet of why the sensor is unavailable. */
  readonly isKnown: () => boolean
}

/** Watch `sensor` once, to its end. @returns why it ended */
async function watchOnce(
  sensor: Sensor,
  { clock, log, signal, publish, fail, isKnown }: Watch,
): Promise<string> {
  const { silentAfterMs = SENSOR_KINDS[sensor.kind].silentAfterMs } = sensor
  const reason = `silent for ${silentAfterMs / 1_000} s`
  using silence = watchSilence(clock, silentAfterMs, () => {
    // Why it failed says more than that it has said nothing since: a hung thermometer is asked seldom.
    if (isKnown()) fail(sensor, reason)
  })
  const broken = new AbortController()
  const tell = (event: SensorEvent): void => {
    if (signal.aborted || broken.signal.aborted) return
    if (!mayGive(sensor.kind, event)) return broken.abort()
    // What a sensor says late, as a broker delivers late, has been silent since it was measured.
    silence.end(Math.max(0, clock.now() - event.at))
    if (event.type === 'unavailable') fail(sensor, event.reason, event.at)
    else publish(sensor, event)
  }
  let end = 'the sensor ended'
  try {
    await sensor.watch(tell, AbortSignal.any([signal, broken.signal]))
  } catch (error) {
    if (signal.aborted) log?.debug({ sensor: sensor.name, err: error }, 'sensor stopped')
    end = errorMessage(error)
  }
  return broken.signal.aborted ? `not an event of a ${sensor.kind}` : end
}

interface Silence extends Disposable {
  /** @param agoMs how long ago something was said, ms */
  end(agoMs: number): void
}

/**
 * Call `onSilence` when nothing has been said for `ms`, once in each silence. A sensor that speaks
 * often sets no timer each time: the timer that runs looks again when it is due.
 */
function watchSilence(clock: Clock, ms: number, onSilence: () => void): Silence {
  let since = clock.monotonic()
  let timer: Disposable | undefined
  const arm = (leftMs: number): void => {
    timer = clock.after(leftMs, () => {
      timer = undefined
      const left = since + ms - clock.monotonic()
      if (left > 0) arm(left)
      else onSilence()
    })
  }
  if (ms < Infinity) arm(ms)
  return {
    end: agoMs => {
      since = Math.max(since, clock.monotonic() - agoMs)
      if (timer === undefined && ms < Infinity) arm(Math.max(0, ms - agoMs))
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}

/**
 * Whether `event` only repeats the state that `before` has told. Battery-driven doors report their
 * state again with every battery level; sent on, each would look like a fresh opening.
 */
function isRepeated(before: SensorEvent | undefined, event: SensorEvent): boolean {
  if (before?.type !== event.type || event.type === 'reading') return false
  if (event.type !== 'unavailable') return true
  return before.type === 'unavailable' && before.reason === event.reason
}

/** The event, with nothing known since the first of the reasons that follow each other. */
function sinceFirst(before: SensorEvent | undefined, event: SensorEvent): SensorEvent {
  if (event.type !== 'unavailable' || before?.type !== 'unavailable') return event
  return { ...event, at: Math.min(before.at, event.at) }
}

/** One line of at most `MAX_REASON_LENGTH`, without control characters: it is shown on terminals. */
function shortReason(reason: string): string {
  const line = reason.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  if (line.length <= MAX_REASON_LENGTH) return line
  return `${line.slice(0, MAX_REASON_LENGTH - 1).toWellFormed()}…`
}
