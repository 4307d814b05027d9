import type { KeyObject } from 'node:crypto'
import type { Source } from '../identity/names.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import type { CheckpointEntry } from '../whitelist/cut.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import type { OwnSource } from './own-source.ts'
import type { WholenessRecord } from './wholeness.ts'

export interface ReplicaOptions {
  /** This run of this node: never used before. */
  readonly source: Source
  /** The source that numbers the changes accepted here. Default: one for this run, named like it. */
  readonly ownSource?: OwnSource
  readonly store: ChangeStore
  /** What remembers whether the log was whole. Default: only this run does. */
  readonly wholeness?: WholenessRecord
  readonly signers: Signers
  /** This node's own certificate, known to `signers`, and its private key. */
  readonly self: { readonly signer: Signer; readonly key: KeyObject }
  readonly clock: Clock
  /**
   * How many changes have to have left the log before a peer that holds nothing is sent what is left
   * of it. Default 1,000; fewer spare less than they cost.
   */
  readonly minArchived?: number
  /** Called for each checkpoint that states a list which was not. */
  readonly onUntrue?: (checkpoint: CheckpointEntry) => void
}
