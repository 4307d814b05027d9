import { Link } from '../../node/gossip/link.ts'
import { Members } from '../../node/gossip/members.ts'
import { nodeOf, type Source } from '../../node/identity/names.ts'
import type { Identity } from '../../node/identity/identity.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { Replica } from '../../node/gossip/replica.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { makePipe } from '../support/gossip-pipe.ts'
import { NOON } from '../support/replica-changes.ts'
import { signerOf, signersOf, type PrintedSignatures, type VectorSigner } from './list.ts'
import { collect } from './session.ts'

/** The runs that speak in PROTOCOL.md. */
export const NODE_1 = 'node-1#0123456789abcdef' as Source
export const NODE_2 = 'node-2#fedcba9876543210' as Source

/** What the frames of the page are made of. */
interface PrintedGossip {
  readonly printed: PrintedSignatures
  /** The canonical texts, in the order of the entries. */
  readonly changes: readonly string[]
  /** The update of a member. */
  readonly member: string
}

/** Frames by the short names of the page; any other text is the frame itself. */
export function frameReader({
  printed,
  changes,
  member,
}: PrintedGossip): (words: string) => string {
  const { operator, node, entries } = printed
  const entry = (sequence: number): unknown => {
    const [operatorSignature, nodeSignature] = entries[sequence - 1]?.signatures ?? []
    const value = {
      change: changes[sequence - 1],
      operatorCertificate: operator.fingerprint,
      operatorSignature,
      nodeCertificate: node.fingerprint,
      nodeSignature,
    }
    return [value, sequence, NODE_1]
  }
  const named = new Map<string, string>([
    ['digest', JSON.stringify({ id: NODE_1, clock: {} })],
    ['member', member],
    ['certificate operator', JSON.stringify({ certificate: [operator.certificate] })],
    ['certificate node', JSON.stringify({ certificate: [node.certificate] })],
    ...entries.map((_, index) => [`entry ${index + 1}`, JSON.stringify(entry(index + 1))] as const),
  ])
  return words => named.get(words) ?? words
}

/** The documents of a node that has heard nothing yet. */
export function openDocuments(
  printed: PrintedSignatures,
  source: Source,
): {
  readonly whitelist: Replica
  readonly members: Members
  readonly self: VectorSigner
  readonly clock: FakeClock
} {
  const store = new MemoryStore()
  const signers = signersOf(printed, store)
  // Whom it signs as does not matter: nobody hears it.
  const self = signerOf(printed.node, signersOf(printed, new MemoryStore()))
  const clock = new FakeClock(NOON)
  const whitelist = new Replica({ source, store, signers, self, clock })
  const members = new Members({
    signers,
    ...self,
    clock,
    random: () => 0,
    self: {
      name: nodeOf(source),
      source,
      addresses: [],
      version: '1.0.0',
      startedAt: NOON,
      links: [],
    },
  })
  return { whitelist, members, self, clock }
}

/** One end of a link of PROTOCOL.md; the other end is the page. */
export class LinkEnd {
  /** What it has said, with the ids of the page: `c0`, and `d0`, `d1` for streams of the dialer. */
  readonly said: string[] = []
  readonly #ids = new Map<string, string>()
  readonly #pipe = makePipe()
  readonly #link: Link

  constructor(printed: PrintedSignatures, source: Source, dialed: boolean) {
    const { whitelist, members, self } = openDocuments(printed, source)
    collect(this.#pipe.ends[1], line => {
      const [, id = '', frame = ''] = /^\["([0-9a-f]+)",(.*)$/.exec(line) ?? []
      if (frame.startsWith('"new"') && !this.#ids.has(id)) {
        this.#ids.set(id, dialed ? `d${this.#ids.size}` : 'c0')
      }
      this.said.push(`["${this.#ids.get(id) ?? id}",${frame}`)
    })
    const clock = new FakeClock(NOON)
    this.#link = new Link({
      socket: this.#pipe.ends[0],
      peer: { name: nodeOf(dialed ? NODE_2 : NODE_1), notAfter: Infinity } as Identity,
      own: self.signer.identity,
      dialed,
      from: '',
      documents: { whitelist, members },
      times: { heartbeatMs: 1_000, deadAfterMs: 5_000 },
      clock,
      onHello: () => undefined,
      onSynced: () => {},
      onEnd: () => {},
    })
  }

  hear(line: string): void {
    const real = new Map(Array.from(this.#ids, ([id, name]) => [name, id]))
    const [, name = '', frame = ''] = /^\["([0-9a-f]+)",(.*)$/.exec(line) ?? []
    this.#pipe.ends[1].write(`["${real.get(name) ?? name}",${frame}\n`)
  }

  close(): void {
    this.#link.close('leaving', '')
    this.#pipe.destroy()
  }
}
