import type { KeyObject } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { signatureHolds, type SignatureContext } from './signature.ts'
import type { ThreadAnswer, ThreadCheck } from './verifier-thread.ts'

/** One signature that is to be checked. */
export interface Check {
  readonly key: KeyObject
  readonly context: SignatureContext
  readonly text: string
  readonly signature: string
  readonly answer: (holds: boolean) => void
}

/** Check a signature in the thread that asks. */
export function checkHere({ key, context, text, signature, answer }: Check): void {
  answer(signatureHolds(key, context, text, signature))
}

/** The part of a worker thread that is used of it; a test stands in for it. */
export interface CheckWorker extends EventEmitter {
  postMessage(checks: readonly ThreadCheck[]): void
  terminate(): Promise<unknown>
}

export interface CheckThreadEvents {
  /** It has answered a batch. */
  readonly onAnswer: () => void
  /** It has ended by itself, and will not answer what it was sent last. */
  readonly onEnd: (thread: CheckThread, error: Error) => void
}

/** Keys that a thread holds at once, at a few KiB each; the one that was sent first gives way. */
const MAX_KEYS = 1_024

/**
 * A thread checks a batch within a few MiB. The bound keeps garbage that it has not collected yet
 * from growing to what a main thread may have.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 }

/** @throws when the system gives no thread */
export function startCheckWorker(): CheckWorker {
  // The sources run as they are, and as what tsc makes of them: it leaves the names in a URL alone.
  const file = new URL(`./verifier-thread${extname(import.meta.filename)}`, import.meta.url)
  return new Worker(file, { execArgv: [], resourceLimits: RESOURCE_LIMITS })
}

/** One thread that checks batches of signatures in the order in which it is sent them. */
export class CheckThread {
  readonly #worker: CheckWorker
  /** Where in the thread each key lies that it has been sent. */
  readonly #places = new Map<KeyObject, number>()
  readonly #keys: KeyObject[] = []
  #sent = 0
  #underWay: (readonly Check[])[] = []
  #isEnded = false
  /** How often it was found at work since it last answered. */
  #looks = 0

  constructor(worker: CheckWorker, { onAnswer, onEnd }: CheckThreadEvents) {
    this.#worker = worker
    const end = (error: Error): void => {
      if (this.#isEnded) return
      this.#isEnded = true
      onEnd(this, error)
    }
    worker.on('message', (answer: ThreadAnswer) => {
      if (this.#isEnded) return
      this.#looks = 0
      this.#underWay.shift()?.forEach((check, index) => check.answer(answer[index] === 1))
      onAnswer()
    })
    worker.on('error', end)
    worker.on('messageerror', end)
    worker.on('exit', (status: number) => end(new Error(`it ended with status ${status}`)))
  }

  /** How many batches it has been sent and has not answered. */
  get load(): number {
    return this.#underWay.length
  }

  get looks(): number {
    return this.#looks
  }

  post(batch: readonly Check[]): void {
    this.#underWay.push(batch)
    this.#worker.postMessage(
      batch.map(({ key, context, text, signature }): ThreadCheck => {
        const known = this.#places.get(key)
        if (known !== undefined) return [known, context, text, signature]
        return [this.#place(key), context, text, signature, key]
      }),
    )
  }

  /** Note whether it is at work. */
  look(): void {
    if (this.load > 0) this.#looks += 1
  }

  /** Take back what it was sent and has not answered. */
  takeBack(): readonly Check[] {
    const checks = this.#underWay.flat()
    this.#underWay = []
    return checks
  }

  /** End it, whatever it is doing. */
  async end(): Promise<void> {
    this.#isEnded = true
    await this.#worker.terminate()
  }

  #place(key: KeyObject): number {
    const place = this.#sent % MAX_KEYS
    this.#sent += 1
    const former = this.#keys[place]
    if (former !== undefined) this.#places.delete(former)
    this.#keys[place] = key
    this.#places.set(key, place)
    return place
  }
}
