import { errorMessage } from '../../node/lib/errors.ts'
import type { Clock } from '../../node/lib/clock.ts'
import type { Log } from '../../node/lib/log.ts'
import type { RunningNode } from '../../node/start.ts'

/** What a service manager wants to know of a node. */
export type ServiceHealth = Pick<RunningNode, 'whyNotReady' | 'isStalled'>

export interface NoticeOptions {
  readonly send: SendNotice
  /** How often it is told that the node lives, in milliseconds. */
  readonly everyMs: number
  readonly clock: Clock
  readonly log: Log
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

/** Tell the service manager variables, as `READY=1` (sd_notify(3)). Rejects when it cannot be told. */
export type SendNotice = (variables: readonly string[]) => Promise<void>

/** How often the node is looked at, in milliseconds: a change is told no later than that. */
const LOOK_MS = 1_000

/** How many notices may be lost before the service manager acts. */
const NOTICES_IN_TIME = 3

/**
 * What a service manager is told of a node now. Ready means that it serves. Until then the time to
 * start is extended from notice to notice. A node whose threads do not come back from checking
 * signatures is not said to live: a restart mends that. No other reason not to serve is mended so.
 */
export function noticeOf(
  { whyNotReady, isStalled }: ServiceHealth,
  everyMs: number,
): readonly string[] {
  const status = `STATUS=${(whyNotReady ?? 'serving').replaceAll(/\s+/g, ' ')}`
  if (isStalled) return [status]
  if (whyNotReady === undefined) return ['READY=1', status, 'WATCHDOG=1']
  return [status, 'WATCHDOG=1', `EXTEND_TIMEOUT_USEC=${everyMs * NOTICES_IN_TIME * 1_000}`]
}

/**
 * Keep the service manager told until the node stops, then say that it does. Never rejects: a
 * service manager that hears nothing ends the node by itself.
 */
export async function keepTold(health: ServiceHealth, options: NoticeOptions): Promise<void> {
  const { send, everyMs, clock, log, signal } = options
  let isUnheard = false
  const tell = async (variables: readonly string[]): Promise<void> => {
    try {
      await send(variables)
      isUnheard = false
    } catch (error) {
      if (!isUnheard) {
        log.warn(
          { why: errorMessage(error), fix: 'install systemd-notify, and set NotifyAccess=all' },
          'the service manager cannot be told how this node is, and will end it',
        )
      }
      isUnheard = true
    }
  }
  let told = ''
  let toldAt = -Infinity
  while (!signal.aborted) {
    const notice = noticeOf(health, everyMs)
    const isDue = clock.monotonic() - toldAt >= everyMs
    if (isDue || told !== notice.join('\n')) {
      told = notice.join('\n')
      toldAt = clock.monotonic()
      await tell(notice)
    }
    await clock.sleep(LOOK_MS, signal).catch(() => {})
  }
  await tell(['STOPPING=1', 'STATUS=stopping'])
}

/** How often to tell, in milliseconds, by the watchdog that the service manager has set. */
export function noticeIntervalMs(watchdogUsec: string | undefined): number {
  const ms = /^\d{1,15}$/.test(watchdogUsec ?? '') ? Number(watchdogUsec) / 1_000 : 0
  return ms === 0 ? DEFAULT_EVERY_MS : Math.max(LOOK_MS, Math.floor(ms / NOTICES_IN_TIME))
}

/** Without a watchdog, in milliseconds: the time to start is extended this often. */
const DEFAULT_EVERY_MS = 20_000
