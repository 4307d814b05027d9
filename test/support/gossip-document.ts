import type { DocumentStream } from '../../node/gossip/document-stream.ts'
import { GossipDocument, type Update } from '../../node/gossip/document.ts'
import type { PeerClock } from '../../node/gossip/peer-clock.ts'
import type { Source } from '../../node/identity/names.ts'
import type { Spreading } from '../../node/gossip/spreading.ts'
import { FakeClock } from './fake-clock.ts'

const SPREADING: Spreading = {
  isShared: false,
  copies: 1,
  isCausal: true,
  hasBuckets: false,
  announceMs: 20,
  answerMs: 20,
  leastWaitMs: 50,
  stepMs: 10,
  askAtOnce: 1,
  askNextMs: 250,
}

/** The simplest document: texts, kept in the order in which they came. */
export class TextDocument extends GossipDocument {
  readonly updates: Update[] = []
  /** Every update that peers sent, new or not. */
  readonly taken: Update[] = []

  constructor(id: Source, clock: FakeClock = new FakeClock(), spreading: Partial<Spreading> = {}) {
    super(id, clock, { ...SPREADING, ...spreading })
  }

  add(text: string): void {
    this.#keep([text, (this.sources[this.id] ?? 0) + 1, this.id])
  }

  texts(): unknown[] {
    return this.updates.map(([text]) => text)
  }

  async settled(): Promise<void> {}

  protected override problemOf([text]: Update): string | undefined {
    return typeof text === 'string' ? undefined : 'it is no text'
  }

  protected override take(update: Update, from: DocumentStream): void {
    this.taken.push(update)
    const [text, sequence, source] = update
    const heard = this.sources[source] ?? 0
    if (text === 'poison' || sequence > heard + 1) from.refuse('it is not the next')
    else if (sequence > heard) this.#keep(update)
  }

  protected override updatesAfter(
    clock: PeerClock,
    limit: number,
    only?: ReadonlySet<Source>,
  ): Update[] {
    return this.updates
      .filter(([, sequence, source]) => sequence > clock.get(source) && only?.has(source) !== false)
      .slice(0, limit)
  }

  #keep(update: Update): void {
    this.updates.push(update)
    this.publish(update)
  }
}

/** One end of a document whose peer is the test itself. */
export interface TestEndpoint {
  readonly sent: unknown[]
  readonly refusals: string[]
  /** Why the link was ended through no fault of the peer's. */
  readonly leaves: string[]
  /** Hand it frames; resolves when it has done what they set going. */
  receive(...frames: unknown[]): Promise<void>
  /** How often the peer was said to be in step. */
  synced(): number
  /** How often it waited for the link. */
  waits(): number
  dispose(): void
}

/** @param wasWhole what the peer and the document have said of their lists. Default: nothing */
export function attachEndpoint(
  document: GossipDocument,
  peer: Source,
  wasWhole?: DocumentStream['wasWhole'],
): TestEndpoint {
  const sent: unknown[] = []
  const refusals: string[] = []
  const leaves: string[] = []
  let synced = 0
  let waits = 0
  const link = document.attach(
    {
      send: frame => sent.push(JSON.parse(JSON.stringify(frame))),
      drained: async () => {
        waits += 1
      },
      refuse: reason => refusals.push(reason),
      leave: text => leaves.push(text),
      ...(wasWhole && { wasWhole }),
      onSynced: () => {
        synced += 1
      },
    },
    source => source === peer,
  )
  return {
    sent,
    refusals,
    leaves,
    receive: async (...frames) => {
      for (const frame of frames) link.receive(frame)
      await new Promise(resolve => setImmediate(resolve))
    },
    synced: () => synced,
    waits: () => waits,
    dispose: () => link[Symbol.dispose](),
  }
}
