import type { KeyObject } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { CheckWorker } from '../../node/identity/check-thread.ts'
import { signatureHolds } from '../../node/identity/signature.ts'
import type { ThreadCheck } from '../../node/identity/verifier-thread.ts'

/** A thread that checks signatures as a test plays it: it answers when it is told to. */
export class PlayedWorker extends EventEmitter implements CheckWorker {
  readonly sent: (readonly ThreadCheck[])[] = []
  readonly #keys = new Map<number, KeyObject>()
  isTerminated = false

  postMessage(checks: readonly ThreadCheck[]): void {
    this.sent.push(checks)
    this.emit('sent')
  }

  async terminate(): Promise<void> {
    this.isTerminated = true
  }

  /** Answer the oldest batch. @returns whether there was one */
  answer(): boolean {
    const checks = this.sent.shift()
    if (checks === undefined) return false
    const holds = checks.map(([place, context, text, signature, key]) => {
      if (key !== undefined) this.#keys.set(place, key)
      const known = this.#keys.get(place)
      return known !== undefined && signatureHolds(known, context, text, signature)
    })
    this.emit('message', Uint8Array.from(holds, Number))
    return true
  }
}
