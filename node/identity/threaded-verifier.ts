import type { KeyObject } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import { silentLog, type Log } from '../lib/log.ts'
import { subscribeTo } from '../lib/listeners.ts'
import {
  checkHere,
  CheckThread,
  startCheckWorker,
  type Check,
  type CheckWorker,
} from './check-thread.ts'
import type { SignatureContext } from './signature.ts'
import type { Verifier } from './verifier.ts'

export interface ThreadedVerifierOptions {
  readonly clock: Clock
  /**
   * How many threads it may start, each when those before have enough to do. Default 2, or 1 on a
   * machine with one processor: two check as fast as the main thread can take in what they check.
   */
  readonly maxThreads?: number
  /** Told of threads that do not answer, and of those that are lost. Default: nobody is. */
  readonly log?: Log
  /** Default: a worker thread of Node.js. */
  readonly startWorker?: () => CheckWorker
}

/** Checks in one message, and UTF-16 units of text: a thread answers each within some milliseconds. */
const BATCH = { maxChecks: 64, maxText: 2 ** 20 }

/** Messages that a thread has at once: it never waits for the main thread between two. */
const MAX_LOAD = 2

/**
 * What the main thread checks itself: so many signatures at once, and a second in the long run.
 * A change that comes alone needs two, and is through sooner than a thread could answer.
 */
const HERE = { burst: 16, perSecond: 100 }

/** How often threads at work are looked at, in milliseconds. */
const LOOK_MS = 1_000

/**
 * So many looks without an answer are a stall. Looks are counted, not milliseconds: a machine that
 * sleeps for an hour wakes up to one.
 */
const STALLED_LOOKS = 5

/**
 * Checks signatures without the threads that the runtime reads files and asks for addresses with:
 * four reads that hang there would keep every removal from being checked. The few that come alone
 * are checked at once, on the main thread; what comes in crowds, as in a first exchange, goes to
 * threads of its own, which are started when they are first needed.
 */
export class ThreadedVerifier implements Verifier {
  readonly #options: ThreadedVerifierOptions
  readonly #maxThreads: number
  readonly #log: GatheredLog
  readonly #listeners = new Set<(isStalled: boolean) => void>()
  readonly #threads: CheckThread[] = []
  /** What has been asked for in this turn. */
  #asked: Check[] = []
  /** What waits for a thread, in the order in which it was asked for. */
  #waiting: Check[] = []
  #tokens = HERE.burst
  #tokensAt: number
  #looking: Disposable | undefined
  #isStalled = false
  #isEnded = false

  constructor(options: ThreadedVerifierOptions) {
    this.#options = options
    this.#maxThreads = options.maxThreads ?? Math.min(2, availableParallelism())
    this.#log = new GatheredLog(options.log ?? silentLog, options.clock)
    this.#tokensAt = options.clock.monotonic()
  }

  /** Whether a thread has not answered for some seconds. */
  get isStalled(): boolean {
    return this.#isStalled
  }

  /** Hear of each stall, and of its end. */
  subscribe(listener: (isStalled: boolean) => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** Whether a signature holds; false for all that is not checked when this is disposed. */
  async verify(
    key: KeyObject,
    context: SignatureContext,
    text: string,
    signature: string,
  ): Promise<boolean> {
    if (this.#isEnded) return false
    return new Promise(answer => {
      this.#asked.push({ key, context, text, signature, answer })
      if (this.#asked.length === 1) queueMicrotask(() => this.#takeAsked())
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true
    this.#looking?.[Symbol.dispose]()
    this.#log[Symbol.dispose]()
    const threads = this.#threads.splice(0)
    const unanswered = threads.flatMap(thread => thread.takeBack())
    for (const { answer } of [...unanswered, ...this.#waiting.splice(0)]) answer(false)
    await Promise.all(threads.map(async thread => thread.end()))
  }

  #takeAsked(): void {
    const asked = this.#asked
    this.#asked = []
    if (this.#isEnded) for (const { answer } of asked) answer(false)
    else if (this.#mayCheckHere(asked.length)) asked.forEach(checkHere)
    else {
      this.#waiting.push(...asked)
      this.#feed()
    }
  }

  /** A token bucket: nobody makes the main thread check signatures all the time. */
  #mayCheckHere(count: number): boolean {
    const now = this.#options.clock.monotonic()
    const earned = ((now - this.#tokensAt) / 1_000) * HERE.perSecond
    this.#tokens = Math.min(HERE.burst, this.#tokens + earned)
    this.#tokensAt = now
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }

  /** Give the threads what they can take. */
  #feed(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#leastLoaded() ?? this.#start()
      if (thread === undefined) break
      thread.post(this.#nextBatch())
    }
    this.#watch()
  }

  /** @returns a thread with room; undefined where another one is to be started first, or all are full */
  #leastLoaded(): CheckThread | undefined {
    const [least] = this.#threads.toSorted((one, other) => one.load - other.load)
    return least !== undefined && least.load < MAX_LOAD ? least : undefined
  }

  /** @returns one more thread; undefined where there are enough, or none can be had now */
  #start(): CheckThread | undefined {
    if (this.#threads.length >= this.#maxThreads) return undefined
    const { startWorker = startCheckWorker } = this.#options
    try {
      const thread = new CheckThread(startWorker(), {
        onAnswer: () => this.#proceed(),
        onEnd: (lost, error) => this.#replace(lost, error),
      })
      this.#threads.push(thread)
      return thread
    } catch (error) {
      this.#log.error({ reason: errorMessage(error) }, 'no thread to check signatures on')
      // Those that there are go on; without any, one batch a turn is checked here.
      if (this.#threads.length === 0) {
        this.#nextBatch().forEach(checkHere)
        setImmediate(() => this.#feed())
      }
      return undefined
    }
  }

  #nextBatch(): Check[] {
    let size = 0
    let text = 0
    for (const check of this.#waiting) {
      text += check.text.length
      if (size === BATCH.maxChecks || (size > 0 && text > BATCH.maxText)) break
      size += 1
    }
    return this.#waiting.splice(0, size)
  }

  /** What a thread leaves behind is checked here: it may be what has ended it. */
  #replace(lost: CheckThread, error: Error): void {
    this.#threads.splice(this.#threads.indexOf(lost), 1)
    this.#log.error({ reason: errorMessage(error) }, 'a thread that checks signatures has ended')
    lost.takeBack().forEach(checkHere)
    this.#proceed()
  }

  #proceed(): void {
    if (this.#isEnded) return
    this.#judge()
    this.#feed()
  }

  #watch(): void {
    if (this.#looking !== undefined || this.#threads.every(({ load }) => load === 0)) return
    this.#looking = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = undefined
      for (const thread of this.#threads) thread.look()
      this.#judge()
      this.#watch()
    })
  }

  #judge(): void {
    const isStalled = this.#threads.some(({ looks }) => looks >= STALLED_LOOKS)
    if (isStalled === this.#isStalled) return
    this.#isStalled = isStalled
    if (isStalled) {
      const fix = 'restart the node, if it does not say soon that they are checked again'
      this.#log.error({ fix }, 'signatures are not being checked: no further client is let in')
    } else this.#log.warn({}, 'signatures are being checked again')
    for (const listener of this.#listeners) listener(isStalled)
  }
}
