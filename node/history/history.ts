import { existsSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { backoffMs } from '../lib/backoff.ts'
import { untilNextRound, type Clock, type Random } from '../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { subscribeTo } from '../lib/listeners.ts'
import type { Log } from '../lib/log.ts'
import type { Feeds } from '../sensors/feed.ts'
import {
  damagedFile,
  historyFailure,
  openHistoryDatabase,
  openHistoryForReading,
  readingFailure,
  dumpCommand,
} from './database.ts'
import { answerPage, type HistoryPage, type HistoryRequest } from './page.ts'
import { HistoryReader } from './reader.ts'
import type { RecordedCommand } from './seal.ts'
import type { SigningNode } from './signing.ts'
import { HistoryStore } from './store.ts'
import { HistoryWriter, type AlarmNote, type Retention } from './writer.ts'

export interface HistoryOptions {
  /** Of the node. */
  readonly node: string
  /** Path of the file, in the data folder. */
  readonly file: string
  readonly retention: Retention
  /** Free space of the disk below which nothing more is recorded, bytes: the list comes first. */
  readonly minFreeBytes: number
  /** What the node signs with at that time. */
  readonly signing: () => SigningNode
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Free space where the file is, bytes. Default: what the system says. */
  readonly freeBytes?: () => number
}

/** A call of a command, with what came of it. */
export type CommandCall = Omit<RecordedCommand, 'number' | 'at'>

/** How often what has come in is written. A node that is killed loses no more than that. */
const WRITE_MS = 1_000

/** How often free space is looked at, and how often the log is copied into the file. */
const LOOK_MS = 10_000
const CHECKPOINT_MS = 600_000

/** A clock that was set by less than this counts on: time servers correct by as much. */
const JUMP_MS = 5_000

/** Pauses before a history that failed is opened again, ms. */
const RETRY = { firstMs: 5_000, maxMs: 60_000 }

/** Space that must have come back, of what must be free, before recording begins again. */
const MARGIN = 1.1

/** What is recorded with now. */
interface Recording {
  readonly store: HistoryStore
  readonly writer: HistoryWriter
  readonly reader: HistoryReader
}

/**
 * The history of one node. Whatever becomes of its file, the node serves on: recording stops, says
 * so, and begins again by itself as soon as it can.
 */
export class History implements AsyncDisposable {
  readonly #options: HistoryOptions
  #feeds: Feeds | undefined
  #recording: Recording | undefined
  /** Reads what is there, where it is asked for while nothing is recorded. */
  #paused: HistoryReader | undefined
  readonly #listeners = new Set<() => void>()
  #whyNot: string | undefined = 'not started'
  #failures = 0
  /** When a history that failed is opened again, on the monotonic clock. */
  #retryAt = 0
  #timer: Disposable | undefined
  #ticks = 0
  /** Both clocks when they were last looked at. */
  #seen: { readonly wall: number; readonly monotonic: number }
  #checkpoint: Promise<void> = Promise.resolve()
  /** Answers wait for each other, so that other work of the node comes in between. */
  #answers: Promise<unknown> = Promise.resolve()

  constructor(options: HistoryOptions) {
    this.#options = options
    this.#seen = { wall: options.clock.now(), monotonic: options.clock.monotonic() }
  }

  /** Why nothing is recorded, in a line for a person; undefined while it is. */
  get whyNot(): string | undefined {
    return this.#whyNot
  }

  /** @param listener told when recording stops or goes on, `whyNot` then says why */
  subscribe(listener: () => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** Record what sensors say from now on, until the returned value is disposed. */
  follow(feeds: Feeds): Disposable {
    this.#feeds = feeds
    this.#begin('the node started')
    const subscription = feeds.subscribe((sensor, event) =>
      this.#attempt((writer, now) => writer.tell(sensor.name, event, now)),
    )
    this.#arm()
    return {
      [Symbol.dispose]: () => {
        subscription[Symbol.dispose]()
        this.#timer?.[Symbol.dispose]()
        this.#attempt((writer, now) => writer.end(now, 'the node stopped'))
        this.#stop('stopped')
        this.#feeds = undefined
      },
    }
  }

  /** Record a call of a command. */
  command(call: CommandCall): void {
    this.#attempt((writer, now) => writer.command(call, now))
  }

  /** Record what became of an alarm. */
  alarm(note: AlarmNote): void {
    this.#attempt((writer, now) => writer.alarm(note, now))
  }

  /**
   * One page. Of several that are asked for at once each is read in a turn of its own, and then as
   * much time is left to everything else as it took.
   * What is there can be read while nothing more is recorded.
   * @throws FridgeError `ERR_COMMAND` when there is no such sensor, or no history that can be read
   */
  async page(request: HistoryRequest): Promise<HistoryPage> {
    const { clock } = this.#options
    const answer = this.#answers.then(() => {
      const startedAt = clock.monotonic()
      const read = this.#read(request)
      return { read, tookMs: clock.monotonic() - startedAt }
    })
    this.#answers = answer.then(async ({ tookMs }) => clock.sleep(tookMs))
    const { read } = await answer
    if (read instanceof Error) throw read
    return read
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#stop('stopped')
    await this.#checkpoint
  }

  #read(request: HistoryRequest): HistoryPage | Error {
    const { file } = this.#options
    try {
      const reader = this.#recording?.reader ?? this.#openPaused()
      if (reader !== undefined) return answerPage(reader, request)
    } catch (error) {
      if (errorCode(error) === 'ERR_COMMAND') return error as FridgeError
      if (this.#recording !== undefined) return historyFailure(file, readingFailure(file, error))
      this.#closePaused()
    }
    return new FridgeError('ERR_COMMAND', `the history cannot be read now: ${this.#whyNot}`)
  }

  #openPaused(): HistoryReader | undefined {
    if (this.#feeds === undefined) return undefined
    return (this.#paused ??= new HistoryReader(openHistoryForReading(this.#options.file)))
  }

  #closePaused(): void {
    this.#paused?.[Symbol.dispose]()
    this.#paused = undefined
  }

  /** Say whether it is recorded, to whoever wants to know of each change. */
  #say(whyNot: string | undefined): void {
    if (whyNot === this.#whyNot) return
    this.#whyNot = whyNot
    for (const listener of this.#listeners) listener()
  }

  #arm(): void {
    const { clock } = this.#options
    this.#timer = clock.after(untilNextRound(clock, WRITE_MS), () => {
      this.#tick()
      this.#arm()
    })
  }

  #tick(): void {
    this.#ticks += 1
    const { clock, minFreeBytes } = this.#options
    if (this.#recording === undefined) {
      if (clock.monotonic() >= this.#retryAt) this.#begin('recording can go on')
      return
    }
    this.#attempt((writer, now) => {
      writer.advance(now)
      writer.flush()
    })
    if ((this.#ticks * WRITE_MS) % LOOK_MS === 0 && this.#freeBytes() < minFreeBytes) {
      const error = tooFull(minFreeBytes)
      this.#attempt((writer, now) => writer.end(now, error.message))
      this.#fail(error)
    }
    if ((this.#ticks * WRITE_MS) % CHECKPOINT_MS === 0) this.#checkpoint = this.#copyLog()
  }

  #begin(why: string): void {
    const { file, clock, minFreeBytes, log } = this.#options
    const wasFailing = this.#failures > 0
    // It may read the file as one that nobody changes.
    this.#closePaused()
    try {
      if (this.#freeBytes() < minFreeBytes * (wasFailing ? MARGIN : 1)) throw tooFull(minFreeBytes)
      this.#recording = this.#open(why)
    } catch (error) {
      return this.#fail(error)
    }
    this.#say(undefined)
    this.#failures = 0
    this.#seen = { wall: clock.now(), monotonic: clock.monotonic() }
    if (wasFailing) log.info({ file }, 'history is recorded again')
    // States were told once, before: of a thermometer the next reading comes by itself.
    for (const { name } of this.#feeds?.sensors ?? []) {
      const last = this.#feeds?.last(name)
      if (last === undefined || last.type === 'reading') continue
      this.#attempt((writer, now) => writer.tell(name, last, now))
    }
  }

  #open(why: string): Recording {
    const { file, node, retention, signing, clock } = this.#options
    using stack = new DisposableStack()
    const store = stack.use(new HistoryStore(openHistoryDatabase(file)))
    const writer = new HistoryWriter({
      store,
      node,
      sensors: this.#feeds?.sensors ?? [],
      retention,
      signing,
      now: clock.now(),
      why,
    })
    const reader = stack.use(
      new HistoryReader(openHistoryForReading(file), () => writer.writtenUntil),
    )
    stack.move()
    return { store, writer, reader }
  }

  /** Write, and stop recording where that fails. */
  #attempt(write: (writer: HistoryWriter, now: number) => void): void {
    const { writer } = this.#recording ?? {}
    if (writer === undefined) return
    try {
      write(writer, this.#moment(writer))
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What the wall clock says, once the writer knows whether somebody has set it. */
  #moment(writer: HistoryWriter): number {
    const { clock, log } = this.#options
    const [wall, monotonic] = [clock.now(), clock.monotonic()]
    const jumpedMs = wall - this.#seen.wall - (monotonic - this.#seen.monotonic)
    this.#seen = { wall, monotonic }
    if (Math.abs(jumpedMs) >= JUMP_MS) {
      log.warn({ jumpedMs: Math.round(jumpedMs) }, 'the clock was set, or the machine slept')
      writer.jump(wall)
    }
    return wall
  }

  #fail(cause: unknown): void {
    const { file, clock, random, log } = this.#options
    const error = historyFailure(file, cause)
    this.#stop(error.message)
    this.#failures += 1
    this.#retryAt = clock.monotonic() + backoffMs(this.#failures, RETRY, random)
    const aside = error.code === 'ERR_DATABASE_CORRUPT' ? this.#moveAside() : undefined
    const fix =
      aside === undefined ? error.fix : `keep what can be read of it: ${dumpCommand(aside)}`
    const fields = { file, reason: error.message, fix }
    if (this.#failures === 1) log.error(fields, 'history is not recorded')
    if (aside === undefined) return
    log.warn({ file, kept: aside }, 'the damaged history was moved aside, and another one begins')
    this.#retryAt = 0
  }

  /** Make room for another history. @returns where the damaged one is now; undefined where it stays */
  #moveAside(): string | undefined {
    const { file, log } = this.#options
    const aside = damagedFile(file)
    // One is enough to look at: a disk that damages every file would be filled with copies.
    if (existsSync(aside)) return undefined
    try {
      for (const ending of ['-wal', '-shm']) rmSync(`${file}${ending}`, { force: true })
      renameSync(file, aside)
      return aside
    } catch (failure) {
      log.error({ file, reason: errorMessage(failure) }, 'cannot move the history aside')
      return undefined
    }
  }

  #stop(why: string): void {
    this.#say(why)
    this.#closePaused()
    const recording = this.#recording
    this.#recording = undefined
    try {
      recording?.reader[Symbol.dispose]()
      recording?.store[Symbol.dispose]()
    } catch (error) {
      this.#options.log.warn({ reason: errorMessage(error) }, 'the history was not closed')
    }
  }

  #freeBytes(): number {
    const { file, freeBytes } = this.#options
    if (freeBytes !== undefined) return freeBytes()
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize
  }

  /** A checkpoint waits for the disk; what a thread of the pool has flushed before, it need not. */
  async #copyLog(): Promise<void> {
    const { file } = this.#options
    try {
      await using log = await open(`${file}-wal`, 'r')
      await log.datasync()
    } catch (error) {
      this.#options.log.debug({ reason: errorMessage(error) }, 'the history was not flushed')
    }
    try {
      this.#recording?.store.checkpoint()
    } catch (error) {
      this.#fail(error)
    }
  }
}

function tooFull(minFreeBytes: number): FridgeError {
  const mebibytes = Math.ceil(minFreeBytes / 1_048_576)
  return new FridgeError(
    'ERR_DATABASE',
    `less than ${mebibytes} MiB are free on the disk of the history (history.minFreeBytes)`,
    { fix: 'free some space; recording then begins again by itself' },
  )
}
