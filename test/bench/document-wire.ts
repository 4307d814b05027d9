import { CertificateExchange } from '../../node/gossip/certificate-exchange.ts'
import type { GossipDocument } from '../../node/gossip/document.ts'
import type { DocumentLink } from '../../node/gossip/document-stream.ts'
import { FramePacking } from '../../node/gossip/frame-packing.ts'
import type { Source } from '../../node/identity/names.ts'
import type { MachineClock, SimulatedTime } from '../simulation/simulated-time.ts'
import { kindOf, type TrafficKind } from '../simulation/traffic.ts'
import { unpacked } from '../support/packed-frames.ts'

/** One end of a wire: a document of a node. */
export interface DocumentEnd {
  readonly source: Source
  readonly document: GossipDocument
  /** What is brought to a node that is frozen waits. */
  readonly clock: MachineClock
}

export interface DocumentWireOptions<E extends DocumentEnd> {
  /** The one that dials, and the other. */
  readonly ends: readonly [E, E]
  readonly time: SimulatedTime
  /** How long what an end sends now is under way to the other, ms; not less than what it sent before. */
  readonly delayMs: (from: E, to: E) => number
  /** Whether both ends hold the certificates of nodes, as *members* would have told each. Default false. */
  readonly knowsNodes?: boolean
  /** A line has come to an end, before it is read. */
  readonly onArrival: (to: E, from: E, bytes: number, frames: readonly unknown[]) => void
}

/** Gossip one document between two nodes, packed and counted as over a link, without its connection. */
export function joinDocuments<E extends DocumentEnd>({
  ends: [one, other],
  time,
  delayMs,
  knowsNodes = false,
  onArrival,
}: DocumentWireOptions<E>): Disposable {
  const attached: DocumentLink[] = []
  let isOpen = true
  const attach = (from: E, to: E, dialed: boolean): DocumentLink => {
    const packing = new FramePacking<undefined>((_, json) => {
      time.touch()
      to.clock.after(delayMs(from, to), () => {
        const there = attached[dialed ? 1 : 0]
        if (!isOpen || there === undefined) return
        time.touch()
        const frames = unpacked(JSON.parse(json))
        // As it stands in a line of the connection.
        onArrival(to, from, JSON.stringify(['a1', 'data', `${json}\n`]).length + 1, frames)
        for (const frame of frames) there.receive(frame)
      })
    })
    const certificates = new CertificateExchange()
    certificates.infer(({ identity }) => knowsNodes && identity.role === 'node')
    const fail = (why: string): void => {
      throw new Error(`${from.source} ends its link to ${to.source}: ${why}`)
    }
    return from.document.attach(
      {
        dialed,
        peer: to.source,
        certificates,
        send: frame => packing.send(undefined, frame),
        drained: async () => packing.flush(),
        refuse: fail,
        leave: fail,
        onSynced: () => {},
      },
      source => source === to.source,
    )
  }
  attached.push(attach(one, other, true), attach(other, one, false))
  return {
    [Symbol.dispose]: () => {
      isOpen = false
      for (const end of attached) end[Symbol.dispose]()
    },
  }
}

/** How the bytes of a line are shared between what its frames are for; updates count as `document`. */
export function* sharesOf(
  bytes: number,
  frames: readonly unknown[],
  document: TrafficKind,
): Generator<readonly [kind: TrafficKind, bytes: number]> {
  const lengths = frames.map(frame => JSON.stringify(frame).length)
  const sum = lengths.reduce((all, length) => all + length, 0)
  for (const [index, frame] of frames.entries()) {
    const [field = ''] = typeof frame === 'object' && frame !== null ? Object.keys(frame) : []
    const kind = typeof frame === 'string' ? 'other' : kindOf(field)
    yield [kind ?? document, (bytes * (lengths[index] ?? 0)) / sum]
  }
}
