import type { Whitelist } from './whitelist.ts'

/** The list for those that may not merge anything into it. */
export type ReadableWhitelist = Pick<
  Whitelist,
  | 'changes'
  | 'size'
  | 'state'
  | 'subjects'
  | 'clock'
  | 'heads'
  | 'heard'
  | 'forkOf'
  | 'hasEquivocated'
  | 'hasRemoved'
  | 'isVoid'
  | 'cutOf'
  | 'subjectsBehind'
  | 'changesOf'
  | 'checkpointEffect'
  | 'standingCheckpoints'
  | 'draft'
  | 'frontier'
  | 'upTo'
>
