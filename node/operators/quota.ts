import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Name } from '../identity/names.ts'
import type { Change } from '../whitelist/change.ts'

/** What one operator may add to the log at once, in bytes of text: some twenty thousand changes. */
const BURST_BYTES = 8 * 1_048_576

/** What it may add in the long run, in bytes a minute: some three thousand changes. */
const BYTES_PER_MINUTE = 1_048_576

const MINUTE_MS = 60_000

interface Bucket {
  bytes: number
  at: number
}

/**
 * How much each operator may add to the log through this node. The log is kept for ever on every
 * node, so that a stolen operator's key could fill all disks. Removals have a measure of their own:
 * whoever has let in too many can still shut out.
 */
export class Quota {
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Take what a change would add.
   * @returns gives it back, for a change that was not made
   * @throws FridgeError `ERR_LIMIT` when that is more than the operator has left
   */
  take(operator: Name, kind: Change['kind'], bytes: number): () => void {
    const key = `${kind} ${operator}`
    const now = this.#clock.monotonic()
    const bucket = this.#buckets.get(key) ?? { bytes: BURST_BYTES, at: now }
    const gained = ((now - bucket.at) / MINUTE_MS) * BYTES_PER_MINUTE
    bucket.bytes = Math.min(BURST_BYTES, bucket.bytes + gained)
    bucket.at = now
    this.#buckets.set(key, bucket)
    if (bucket.bytes >= bytes) {
      bucket.bytes -= bytes
      return () => {
        bucket.bytes += bytes
      }
    }
    const waitS = Math.ceil(((bytes - bucket.bytes) / BYTES_PER_MINUTE) * 60)
    throw new FridgeError(
      'ERR_LIMIT',
      `operator/${operator} has added as much to the log as it may through one node: wait ${waitS} s, or use another node with --node HOST:PORT`,
    )
  }
}
