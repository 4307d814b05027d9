/** Bounds of one batch. */
export const BATCH_LIMITS = {
  /** Changes: what a node stores and passes on in one turn of its loop, as of those that it hears. */
  maxChanges: 128,
  /** Characters of all texts, but that one text may be longer: an operator's connection may buffer 1 MiB. */
  maxText: 262_144,
} as const
