import {
  signConfirmation,
  type Confirmation,
  type SignedConfirmation,
} from '../../node/gossip/confirmation.ts'
import { ConfirmationRelay } from '../../node/gossip/confirmation-relay.ts'
import type { DocumentStream } from '../../node/gossip/document-stream.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryStore } from './memory-store.ts'
import { NOON, testSource } from './replica-changes.ts'
import { makePeople } from './replica-people.ts'

export const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const
export type Name = (typeof NAMES)[number]

export const people = await makePeople({ nodes: NAMES })

/** Every relay of a test: what one sends, another checks. */
const OPEN = new Set<TestRelay>()

export interface TestRelay {
  readonly relay: ConfirmationRelay
  readonly heard: Confirmation[]
  readonly clock: FakeClock
}

/** The confirmations of one node, at noon. */
export function openRelay(name: Name, { run = 1, clock = new FakeClock(NOON) } = {}): TestRelay {
  const signers = people.signers(new MemoryStore())
  for (const other of NAMES) signers.learn(people.node(other).signer.chain)
  const relay = new ConfirmationRelay({
    source: testSource(name, run),
    signers,
    self: people.node(name),
    clock,
  })
  const heard: Confirmation[] = []
  relay.subscribe(confirmation => heard.push(confirmation))
  const open = { relay, heard, clock }
  OPEN.add(open)
  return open
}

/** The stream of one node to another; what is sent is taken there at once. */
export function streamTo(
  target: TestRelay | undefined,
  sent: object[] = [],
  refusals: string[] = [],
): DocumentStream {
  return {
    send: frame => {
      sent.push(frame as object)
      if (target !== undefined)
        target.relay.take(JSON.parse(JSON.stringify(frame)) as object, streamTo(undefined))
    },
    drained: async () => {},
    refuse: reason => refusals.push(reason),
    leave: () => {},
    onSynced: () => {},
  }
}

/** Let what is gathered leave, and what has come be checked. */
export async function settle(...relays: readonly TestRelay[]): Promise<void> {
  for (let hop = 0; hop < 4; hop += 1) {
    for (const { clock } of relays) await clock.advance(10)
    for (const { relay } of OPEN) await relay.settled()
  }
}

export function confirmationBy(name: Name, applied = 1): SignedConfirmation {
  const confirmation = { node: testSource(name), to: testSource('alpha'), applied, changes: [] }
  return signConfirmation(confirmation, people.node(name))
}
