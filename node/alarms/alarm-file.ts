import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { errorCode, errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { isRecord } from '../lib/record.ts'
import { isSensorName } from '../sensors/sensor.ts'
import type { AlarmChange, AlarmKind } from './alarm.ts'
import type { KeptAlarms, KeptRule } from './alarms.ts'
import type { DayTotal, Span } from './day-total.ts'
import type { Excursion } from './engine.ts'
import { RECEIVERS, type Receiver } from './outbox.ts'
import {
  isAlarmId,
  isAlarmKind,
  isFinite,
  isRuleType,
  isText,
  MAX_NODE_NAME,
  parseAcknowledgement,
  parseAlarm,
} from './parse.ts'
import type { Rule } from './rule.ts'

/** What the file holds. */
export interface KeptFile {
  readonly alarms: KeptAlarms
  /** What each receiver has not been told yet, oldest first. */
  readonly unsent: Unsent
}

export type Unsent = Readonly<Record<Receiver, readonly AlarmChange[]>>

/** Another version of fridge may write another one. */
const VERSION = 2

/** The shortest time between two writes, ms: each is flushed to the disk. */
const PACE_MS = 1_000

/** How long until what could not be written is tried again, ms. */
const RETRY_MS = 10_000

export interface AlarmFileOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
}

/**
 * Read what the run before has kept. What cannot be read is kept beside it under another name, and
 * said: alarms begin anew, and nothing else of the node is touched.
 */
export function readAlarmFile({ path, log }: AlarmFileOptions): KeptFile | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') {
      const why = errorCode(error) ?? errorMessage(error)
      log.error({ path, why }, 'what is known of alarms cannot be read: they begin anew')
    }
    return undefined
  }
  const kept = parseAlarmFile(text)
  if (typeof kept !== 'string') return kept
  const aside = `${path}.unread`
  try {
    renameSync(path, aside)
  } catch {
    // Then it is written over: the alarms of now come before those of a file that nobody can read.
  }
  log.error({ path: aside, why: kept }, 'what is known of alarms cannot be read: they begin anew')
  return undefined
}

/** Writes what is to be kept, whole, flushed, and never more often than once a second. */
export class AlarmFile implements AsyncDisposable {
  readonly #options: AlarmFileOptions
  readonly #read: () => KeptFile
  #writing: Promise<void> | undefined
  #timer: Disposable | undefined
  #isDue = false
  #hasFailed = false
  #isClosed = false
  #settled = Promise.withResolvers<void>()

  /** @param read what is to be kept, at the moment when it is written */
  constructor(options: AlarmFileOptions, read: () => KeptFile) {
    this.#options = options
    this.#read = read
  }

  /** What is to be kept has changed: write it, at once or as soon as it may be. */
  touch(): void {
    this.#isDue = true
    if (this.#writing === undefined && this.#timer === undefined) this.#start()
  }

  /** Resolves when all that has changed is on the disk, or cannot be written. */
  async settled(): Promise<void> {
    while (!this.#hasFailed && (this.#isDue || this.#writing !== undefined)) {
      await this.#settled.promise
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#timer?.[Symbol.dispose]()
    await this.#writing
    if (this.#isDue) await this.#write()
  }

  #start(): void {
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
      this.#settled.resolve()
      this.#settled = Promise.withResolvers()
      if (this.#isClosed) return
      this.#timer = this.#options.clock.after(this.#hasFailed ? RETRY_MS : PACE_MS, () => {
        this.#timer = undefined
        if (this.#isDue) this.#start()
      })
    })
  }

  async #write(): Promise<void> {
    const { path, log } = this.#options
    this.#isDue = false
    const part = `${path}.${randomUUID().slice(0, 8)}.part`
    try {
      const text = `${JSON.stringify({ version: VERSION, ...this.#read() })}\n`
      await using handle = await open(part, 'wx', 0o600)
      await handle.writeFile(text)
      await handle.sync()
      await rename(part, path)
      if (this.#hasFailed) log.info({}, 'what is known of alarms is written again')
      this.#hasFailed = false
    } catch (error) {
      this.#isDue = true
      await rm(part, { force: true }).catch(() => undefined)
      const why = errorCode(error) ?? errorMessage(error)
      if (!this.#hasFailed) {
        const text = 'what is known of alarms cannot be written: a restart would forget it'
        log.error({ path, why }, text)
      }
      this.#hasFailed = true
    }
  }
}

/** @returns why it cannot be read */
export function parseAlarmFile(text: string): KeptFile | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is damaged'
  }
  if (!isRecord(value)) return 'it is damaged'
  const { version, alarms, unsent } = value
  if (version !== VERSION)
    return `it is of another version, ${JSON.stringify(version)?.slice(0, 20)}`
  if (!isRecord(alarms) || !isRecord(unsent)) return 'it is damaged'
  const { savedAt, rules, past } = alarms
  if (!isFinite(savedAt) || !Array.isArray(rules) || !Array.isArray(past)) return 'it is damaged'
  const kept = {
    savedAt,
    rules: rules.map(parseRule),
    past: past.map(parseAlarm),
    unsent: parseUnsent(unsent),
  }
  if (!isWhole(kept.rules) || !isWhole(kept.past) || kept.unsent === undefined) {
    return 'it is damaged'
  }
  return { alarms: { savedAt, rules: kept.rules, past: kept.past }, unsent: kept.unsent }
}

function parseUnsent(value: Record<string, unknown>): Unsent | undefined {
  const unsent = { webhook: [], program: [], broker: [] } as Record<Receiver, AlarmChange[]>
  for (const receiver of RECEIVERS) {
    const changes = value[receiver]
    if (!Array.isArray(changes)) return undefined
    const parsed = changes.map(parseChange)
    if (!isWhole(parsed)) return undefined
    unsent[receiver].push(...parsed)
  }
  return unsent
}

function isWhole<Item>(items: readonly (Item | undefined)[]): items is readonly Item[] {
  return items.every(item => item !== undefined)
}

function parseChange(value: unknown): AlarmChange | undefined {
  if (!isRecord(value)) return undefined
  const { state } = value
  const alarm = parseAlarm(value['alarm'])
  if (state !== 'raised' && state !== 'over' && state !== 'acknowledged') return undefined
  return alarm && { state, alarm }
}

function parseRule(value: unknown): KeptRule | undefined {
  if (!isRecord(value) || !isRecord(value['sensor']) || !isRecord(value['state'])) return undefined
  const { name, kind, lastSaidAt } = value['sensor']
  const { id } = value
  if (!isAlarmKind(kind) || !isWatchedName(name, kind)) return undefined
  if (lastSaidAt !== undefined && !isFinite(lastSaidAt)) return undefined
  if (id !== undefined && !isAlarmId(id)) return undefined
  const rule = parseRuleText(value['rule'])
  const excursion = parseExcursion(value['state']['excursion'])
  const total = parseTotal(value['state']['total'])
  if (rule === undefined || excursion === 'malformed' || total === 'malformed') return undefined
  return {
    sensor: { name, kind, ...(lastSaidAt !== undefined && { lastSaidAt }) },
    rule,
    state: { excursion, total },
    id,
    acknowledged: parseAcknowledgement(value['acknowledged']),
  }
}

function isWatchedName(name: unknown, kind: AlarmKind): name is string {
  if (kind !== 'node') return isSensorName(name)
  return isText(name, MAX_NODE_NAME) && name.length > 0
}

function parseRuleText(value: unknown): Rule | undefined {
  if (!isRecord(value)) return undefined
  const { type, forMs, limit, hysteresis } = value
  if (!isRuleType(type) || !isFinite(forMs)) return undefined
  if (type === 'open' || type === 'unavailable' || type === 'unreachable') return { type, forMs }
  if (!isFinite(limit)) return undefined
  if (type === 'high-per-day' || type === 'low-per-day') return { type, forMs, limit }
  return isFinite(hysteresis) ? { type, forMs, limit, hysteresis } : undefined
}

function parseExcursion(value: unknown): Excursion | undefined | 'malformed' {
  if (value === undefined) return undefined
  if (!isRecord(value) || !isFinite(value['since'])) return 'malformed'
  const { since, reason } = value
  const { extreme, value: reading, wellSince, keptMs, raisedAt } = value
  const numbers = { extreme, value: reading, wellSince, keptMs, raisedAt }
  const known = Object.entries(numbers).filter(([, number]) => number !== undefined)
  if (!known.every(([, number]) => isFinite(number))) return 'malformed'
  if (reason !== undefined && typeof reason !== 'string') return 'malformed'
  return { since, ...(Object.fromEntries(known) as Partial<Excursion>), reason }
}

function parseTotal(value: unknown): DayTotal | undefined | 'malformed' {
  if (value === undefined) return undefined
  if (!isRecord(value)) return 'malformed'
  const { spans, countedTo } = value
  if (!Array.isArray(spans) || !spans.every(isSpan)) return 'malformed'
  if (countedTo !== undefined && !isFinite(countedTo)) return 'malformed'
  return { spans, countedTo }
}

function isSpan(value: unknown): value is Span {
  return isRecord(value) && isFinite(value['start']) && isFinite(value['ms'])
}
