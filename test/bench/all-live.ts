import type { AwaitOptions } from '../../node/gossip/confirmations.ts'
import type { Member } from '../../node/gossip/member.ts'
import { nodeOf, type Source } from '../../node/identity/names.ts'
import { NOON } from '../support/replica-changes.ts'

/** What *members* tell of a node, as far as it matters here. */
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

/** *Members* of whom all live. */
export function allLive(live: Map<Source, Member>): AwaitOptions['members'] {
  return {
    isLive: run => live.has(run),
    live: () => live,
    unreachable: () => new Map(),
    left: () => new Map(),
    subscribe: () => ({ [Symbol.dispose]: () => {} }),
  }
}
