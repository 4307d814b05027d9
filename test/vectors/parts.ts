import { Vectors } from './vectors.ts'

/** Which file of `test/protocol/` tries which vectors of PROTOCOL.md; the others may read them as well. */
export const PARTS = {
  sessions: [
    'identities',
    'plain-session',
    'farewell',
    'alarms',
    'client-hellos',
    'node-hellos',
    'fridge-session',
    'refused-lines',
    'limits',
  ],
  list: ['changes', 'refused-changes', 'merging', 'state', 'admission', 'signatures'],
  batches: ['batch'],
  gossip: [
    'link',
    'whitelist',
    'refused-frames',
    'buckets',
    'packed',
    'packing-dictionary',
    'tree',
    'vitals',
    'member',
    'forgetting',
    'tally',
    'removal',
    'fork',
  ],
  history: ['hours'],
  seal: ['seal-channel', 'seal-boxes'],
  pages: ['invitation'],
  relays: ['relay', 'relay-asks'],
} as const satisfies Record<string, readonly string[]>

/** The vectors of PROTOCOL.md. Each file reads them anew: it runs in a process of its own. */
export function readProtocol(): Vectors {
  return Vectors.read(new URL('../../PROTOCOL.md', import.meta.url))
}

/** The vectors of a part that nobody has asked for. */
export function untriedOf(part: keyof typeof PARTS, { unused }: Vectors): string[] {
  return PARTS[part].filter(name => unused.includes(name))
}
