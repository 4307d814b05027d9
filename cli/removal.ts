import type { Removal } from '../node/gossip/removal-proof.ts'
import { atMoment } from './moment.ts'

/** What a person can do about a removed node. */
export const RENAME = 'give it a new name, and start it under that: fridge certs issue node NAME'

/** The rest of a sentence that begins with the name of a node. */
export function describeRemoval({ operator, at, reason }: Removal): string {
  const why = reason === undefined ? '' : ` (${reason})`
  return `was removed from the cluster by ${operator}${atMoment(at)}${why}: it serves nobody`
}

/** The rest of a sentence that begins with the name of a node that has forked. */
export const FORKED =
  'has signed two changes at one place and is cut by all others: it serves nobody. It was set back to an earlier state, or another machine has its key'
