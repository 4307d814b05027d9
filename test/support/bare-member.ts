import type { Member } from '../../node/gossip/member.ts'
import { nodeOf, type Source } from '../../node/identity/names.ts'
import { NOON } from './replica-changes.ts'

/** What *members* tell of a node, as far as it matters to who waits for it. */
export function memberOf(source: Source): Member {
  return {
    name: nodeOf(source),
    source,
    addresses: [],
    version: '0.0.0',
    startedAt: NOON,
    saidAt: NOON,
    links: [],
    certificateRenewFrom: 0,
    certificateEndsAt: 0,
  }
}
