import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { catchUp, type Cluster, type JoinOptions } from './join.ts'
import type { OwnRemoval } from './own-removal.ts'
import type { Replica } from './replica.ts'

export interface OpeningOptions {
  readonly config: Pick<JoinOptions['config'], 'gossip' | 'whenIsolated'>
  readonly list: {
    readonly replica: Pick<Replica, 'wholeness'>
    readonly ownRemoval: Pick<OwnRemoval, 'subscribe'>
  }
  readonly cluster: Pick<Cluster, 'hasPeers'> & {
    readonly overlay: Pick<Cluster['overlay'], 'links'>
  }
  /** Hears whether clients may be let in by the list: as soon as that is known, and when it changes. */
  readonly show: (isComplete: boolean) => void
  readonly clock: Clock
  readonly log: Log
  /** Aborts when the node is to stop: then it waits for no exchange. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Let clients in once the list is whole, as far as anybody can know.
 * @throws the reason of the signal when it aborts
 */
export async function openByList(options: OpeningOptions): Promise<void> {
  const { config, list, cluster, show, clock, log, signal } = options
  // A removed node is brought nothing any more, so there is nothing to wait for.
  const removed = new Promise<void>(resolve => void list.ownRemoval.subscribe(resolve))
  const stopped = new Promise<void>(resolve => {
    if (signal?.aborted === true) resolve()
    else signal?.addEventListener('abort', () => resolve(), { once: true })
  })
  const exchanged = Promise.withResolvers<void>()
  let isStarted = false
  const { wholeness } = list.replica
  wholeness.subscribe(hasExchanged => {
    if (hasExchanged) exchanged.resolve()
    // Before anything of it takes effect: what was taken for the whole list is the beginning of one.
    if (isStarted) show(hasExchanged)
  })
  const overlay = {
    firstSync: Promise.race([exchanged.promise, removed, stopped]),
    links: () => cluster.overlay.links(),
  }
  const { hasPeers } = cluster
  const isComplete = await catchUp({ hasPeers, overlay }, list, config, clock, log)
  signal?.throwIfAborted()
  isStarted = true
  show((isComplete || wholeness.hasExchanged) && !wholeness.isBeginning)
}
