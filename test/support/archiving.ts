import { Archiving } from '../../node/gossip/archiving.ts'
import type { Replica } from '../../node/gossip/replica.ts'
import type { NodeStore } from '../../node/storage/node-store.ts'

export interface ArchivedReplica {
  readonly replica: Replica
  readonly store: NodeStore
}

/** What moves the older part of a replica's log into archives, as a node has it. */
export function archivingOf({ replica, store }: ArchivedReplica): Archiving {
  return new Archiving({
    list: () => replica.whitelist,
    store,
    onBegun: base => replica.moveBase(base),
  })
}
