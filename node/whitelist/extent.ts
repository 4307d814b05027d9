/**
 * How much of the list a log is: `new` where no peer has brought any of it, the `beginning` of a
 * longer one that was never complete, `whole` where it was complete and what came since came singly,
 * or `behind` where a part is missing of what came since.
 */
export type Extent = 'new' | 'beginning' | 'behind' | 'whole'
