/** How often each thing happened. */
export interface Counts {
  committed: number
  checkpoints: number
  /** Of the committed changes: those that a former authority vouches for, and removals of nodes. */
  former: number
  withdrawn: number
  /** How often a log was archived, and how often a node refused to. */
  archived: number
  unarchived: number
  emptied: number
  /** How many lists began at a checkpoint that a peer brought. */
  begun: number
  /** How often a node died in the middle of that, and how often while it archived. */
  interrupted: number
  killed: number
  hidden: number
  restored: number
  restarts: number
}

/** What a schedule did, to see that it did something. */
export type Report = Readonly<Counts>

export function noCounts(): Counts {
  return {
    committed: 0,
    checkpoints: 0,
    former: 0,
    withdrawn: 0,
    archived: 0,
    unarchived: 0,
    emptied: 0,
    begun: 0,
    interrupted: 0,
    killed: 0,
    hidden: 0,
    restored: 0,
    restarts: 0,
  }
}
