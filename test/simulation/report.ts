/** How often each thing happened. */
export interface Counts {
  /** Changes that were acknowledged. */
  committed: number
  /** Commits that were told to try again. */
  again: number
  /** Commits that failed because they could not be stored. */
  failed: number
  /** Commits that were refused because their operator or their node had been removed, or had forked. */
  refused: number
  /** Wishes that were signed at a second node although the first had taken them. */
  repeated: number
  restarts: number
  restored: number
  resumed: number
  twins: number
  naps: number
  partitions: number
}

/** What a schedule did, to see that it did something. */
export interface Report extends Readonly<Counts> {
  readonly seed: number
  readonly nodes: number
  /** How many operators and nodes were removed, however often each. */
  readonly withdrawn: number
  /** How many changes the definition lets have no effect, because their authors were removed. */
  readonly voided: number
  /** How many checkpoints stood in the end. */
  readonly checkpoints: number
  /** How many subjects had a grant that stood in the end. */
  readonly standing: number
}
