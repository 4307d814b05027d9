import type { Clock } from '../lib/clock.ts'
import type { Overlay } from './overlay.ts'

/** An exchange that has begun is given this many times the wait for one to begin. */
const PATIENCE = 20

/** The exchange that a node waits for when it starts. */
export interface FirstSyncs {
  /** Resolves when this node holds all that the others in reach hold. */
  readonly firstSync: Promise<void>
  readonly links: Overlay['links']
}

/**
 * Wait until this node and a peer hold all that the other held, so that a restored backup learns
 * of later revocations before anybody is admitted. Without any link the wait is `firstSyncMs`;
 * while a link stands, a long exchange is waited for, but no peer can hold a node up for ever.
 * @returns whether the exchange was completed
 */
export async function awaitFirstSync(
  overlay: FirstSyncs,
  firstSyncMs: number,
  clock: Clock,
): Promise<boolean> {
  const over = new AbortController()
  const synced = overlay.firstSync.then(() => true)
  const waited = async (): Promise<boolean> => {
    for (let round = 0; round < PATIENCE; round += 1) {
      await clock.sleep(firstSyncMs, over.signal)
      if (overlay.links().length === 0) break
    }
    return false
  }
  try {
    return await Promise.race([synced, waited()])
  } finally {
    over.abort()
  }
}
