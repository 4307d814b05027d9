import type { AwaitOptions } from '../../node/gossip/confirmations.ts'
import type { Member } from '../../node/gossip/member.ts'
import type { Source } from '../../node/identity/names.ts'

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
