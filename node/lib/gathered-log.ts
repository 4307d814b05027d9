import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

/** Lines of one kind that are written at once in each interval. */
const AT_ONCE = 10

/** How often what was not written is summed up, in milliseconds. */
const INTERVAL_MS = 10_000

/** Kinds that are told apart in one interval: its memory stays bounded. */
const MAX_KINDS = 10_000

type Level = keyof Log

interface Kind {
  readonly level: Level
  readonly text: string
  written: number
  /** What the last line said that was not written. */
  last: object
  unwritten: number
}

/**
 * A log for what others can cause without end. Of each sentence about each `subject` or `peer`, the first
 * ten lines are written at once; of the lines that come within the same 10 s only the last, with how
 * many there were as `repeated`. Lines that name neither are one kind, whatever address they name.
 */
export class GatheredLog implements Log, Disposable {
  readonly #log: Log
  readonly #clock: Clock
  readonly #kinds = new Map<string, Kind>()
  #timer: Disposable | undefined

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  debug(fields: object, text: string): void {
    this.#write('debug', fields, text)
  }

  info(fields: object, text: string): void {
    this.#write('info', fields, text)
  }

  warn(fields: object, text: string): void {
    this.#write('warn', fields, text)
  }

  error(fields: object, text: string): void {
    this.#write('error', fields, text)
  }

  /** Sum up what is left, and stop. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#sumUp()
  }

  #write(level: Level, fields: object, text: string): void {
    const kind = this.#kindOf(level, fields, text)
    if (kind.written < AT_ONCE) {
      kind.written += 1
      this.#log[level](fields, text)
    } else {
      kind.unwritten += 1
      kind.last = fields
    }
  }

  #kindOf(level: Level, fields: object, text: string): Kind {
    const { subject = '', peer = subject } = fields as Readonly<Record<string, unknown>>
    const isFull = this.#kinds.size >= MAX_KINDS
    const own = `${text}\n${String(peer)}`
    const key = isFull && !this.#kinds.has(own) ? text : own
    let kind = this.#kinds.get(key)
    if (kind === undefined) {
      kind = { level, text, written: 0, last: fields, unwritten: 0 }
      this.#kinds.set(key, kind)
      this.#timer ??= this.#clock.after(INTERVAL_MS, () => this.#sumUp())
    }
    return kind
  }

  #sumUp(): void {
    this.#timer = undefined
    for (const { level, text, last, unwritten } of this.#kinds.values()) {
      if (unwritten > 0) this.#log[level]({ ...last, repeated: unwritten }, text)
    }
    this.#kinds.clear()
  }
}
