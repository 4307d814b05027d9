import { isName, type Name, type Source } from '../identity/names.ts'
import { readAddress } from '../lib/address.ts'
import type { Member } from './member.ts'

/** Where a peer could be reached when this node ran last. */
export interface RememberedPeer {
  readonly name: Name
  /** `HOST:PORT`. */
  readonly address: string
}

/** Enough that some are still there, whatever part of the cluster is gone. */
export const MAX_REMEMBERED = 30

/** Read what `formatPeers` wrote. @returns the peers, or why the text holds none */
export function parsePeers(text: string): RememberedPeer[] | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is no JSON'
  }
  if (typeof value !== 'object' || value === null || !('peers' in value)) return 'it names no peers'
  const { peers } = value
  if (!Array.isArray(peers) || peers.length > MAX_REMEMBERED) return 'it names no list of peers'
  const read = (peers as unknown[]).map(readPeer)
  return read.every(peer => peer !== undefined) ? read : 'it names what is no peer'
}

export function formatPeers(peers: readonly RememberedPeer[]): string {
  return `${JSON.stringify({ peers }, undefined, 2)}\n`
}

function readPeer(value: unknown): RememberedPeer | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, address } = value as Record<string, unknown>
  if (!isName(name) || typeof address !== 'string') return undefined
  return (readAddress(address)?.port ?? 0) > 0 ? { name, address } : undefined
}

/** What is known of the others at a moment. */
export interface Acquaintance {
  /** This node's own name. */
  readonly self: Name
  /** Every run of every node that has been heard. */
  readonly members: Iterable<Member>
  /** The runs that this node is linked to. */
  readonly linked: ReadonlySet<Source>
  /** The runs that can be reached. */
  readonly live: ReadonlySet<Source>
  /** What was remembered until now. */
  readonly before: readonly RememberedPeer[]
  readonly isRemoved: (name: Name) => boolean
}

/**
 * Which peers to remember, best first: those that are linked, then those that can be reached, then
 * the others. Of each the first address before the second of any, so that no node, whatever it
 * says of itself, takes the places of others.
 */
export function choosePeers(known: Acquaintance): RememberedPeer[] {
  const { self, linked, live, before, isRemoved } = known
  const rank = ({ source }: Member): number => (linked.has(source) ? 0 : live.has(source) ? 1 : 2)
  const members = [...known.members].toSorted(
    (a, b) => rank(a) - rank(b) || b.startedAt - a.startedAt,
  )
  const addresses = new Map<Name, Set<string>>()
  const keep = (name: Name, all: readonly string[]): void => {
    if (name === self || isRemoved(name)) return
    addresses.set(name, new Set([...(addresses.get(name) ?? []), ...all]))
  }
  // Of each node its best run only: the addresses of earlier ones may be those of others by now.
  for (const { name, addresses: all } of members) if (!addresses.has(name)) keep(name, all)
  const heard = new Set(addresses.keys())
  for (const { name, address } of before) if (!heard.has(name)) keep(name, [address])
  return interleave(addresses).slice(0, MAX_REMEMBERED)
}

/** The first address of each, then the second of each, and so on. */
function interleave(addresses: ReadonlyMap<Name, ReadonlySet<string>>): RememberedPeer[] {
  const chosen: RememberedPeer[] = []
  const most = Math.max(0, ...Array.from(addresses.values(), ({ size }) => size))
  for (let index = 0; index < most; index += 1) {
    for (const [name, all] of addresses) {
      const address = [...all][index]
      if (address !== undefined) chosen.push({ name, address })
    }
  }
  return chosen
}
