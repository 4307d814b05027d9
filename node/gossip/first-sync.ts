import type { NodeConfig } from '../config/config.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Overlay } from './overlay.ts'

/** An exchange that has begun is given this many times the wait for one to begin. */
const PATIENCE = 20

/** Where this node is told of peers, wait for the first exchange with one, and say if there was none. */
export async function catchUp(
  overlay: Pick<Overlay, 'firstSync' | 'links'>,
  { peers, gossip }: Pick<NodeConfig, 'peers' | 'gossip'>,
  clock: Clock,
  log: Log,
): Promise<void> {
  if (peers.length === 0) return
  const isSynced = await awaitFirstSync(overlay, gossip.firstSyncMs, clock)
  if (!isSynced) log.warn({}, 'no exchange with a peer yet: the list may be stale')
}

/**
 * Wait until this node and a peer hold all that the other held, so that a restored backup learns
 * of later revocations before anybody is admitted. Without any link the wait is `firstSyncMs`;
 * while a link stands, a long history is waited for, but no peer can hold a node up for ever.
 * @returns whether the exchange was completed
 */
async function awaitFirstSync(
  overlay: Pick<Overlay, 'firstSync' | 'links'>,
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
