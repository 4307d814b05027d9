import type { Member } from '../../node/gossip/member.ts'
import { placeOfPart, signedText, type Part } from '../../node/gossip/member-part.ts'
import { Members } from '../../node/gossip/members.ts'
import { parseName, type Name, type Source } from '../../node/identity/names.ts'
import { signText } from '../../node/identity/signature.ts'
import type { Signers } from '../../node/identity/signers.ts'
import { FakeClock } from './fake-clock.ts'
import { attachEndpoint, type TestEndpoint } from './gossip-document.ts'
import { MemoryStore } from './memory-store.ts'
import { NOON, testSource } from './replica-changes.ts'
import type { TestEnd } from './replica-pair.ts'
import type { People, Person } from './replica-people.ts'

/** What a node says of itself of which nothing matters. */
export const PROFILE = { addresses: ['mallory:1'], version: '0.0.0', startedAt: NOON }
export const STATE = { saidAt: NOON, links: [] }

export interface TestMembers extends TestEnd {
  readonly replica: Members
  readonly signers: Signers
  readonly clock: FakeClock
}

/** The *members* of a node; its address is `NAME:1`. */
export function openMembers(
  people: People,
  name: string,
  options: {
    readonly run?: number
    readonly startedAt?: number
    readonly clock?: FakeClock
    readonly alsoKnown?: () => Name[]
  } = {},
): TestMembers {
  const { run = 1, startedAt = NOON, clock = new FakeClock(NOON) } = options
  const { signer, key } = people.node(name)
  const signers = people.signers(new MemoryStore())
  const known = signers.learn(signer.chain)
  if (typeof known === 'string') throw new Error(known)
  const members = new Members({
    clock,
    random: () => 0.5,
    signers,
    signer: known,
    key,
    ...(options.alsoKnown && { alsoKnown: options.alsoKnown }),
    self: {
      name: parseName(name),
      source: testSource(name, run),
      addresses: [`${name}:1`],
      version: '0.0.0',
      startedAt,
      links: [],
    },
  })
  return { name, replica: members, signers, clock }
}

export interface SaidOptions {
  readonly part?: Part
  readonly sequence?: number
  readonly run?: Source
  /** What it signs as the place of its words, where that is another one. */
  readonly signed?: { readonly place?: Source; readonly sequence?: number }
}

/** An update of *members* that a node signs, of itself or of another one. */
export function memberUpdate(
  words: unknown,
  { signer, key }: Person,
  { part = 'state', sequence = 1, run = testSource('mallory'), signed = {} }: SaidOptions = {},
): unknown[] {
  const place = placeOfPart(run, part)
  const member = JSON.stringify(words)
  const text = signedText(signed.place ?? place, signed.sequence ?? sequence, member)
  const value = {
    member,
    certificate: signer.identity.fingerprint,
    signature: signText(key, 'member', text),
  }
  return [value, sequence, place]
}

/** The profile of a run of mallory. */
export function profileOf(run: Source, mallory: Person): unknown[] {
  return memberUpdate(PROFILE, mallory, { part: 'profile', run })
}

/** Link members to mallory, who has shown its own certificate and that of beta. */
export async function attachMallory(
  people: People,
  members: Members,
): Promise<{ end: TestEndpoint; send: (...frames: unknown[]) => Promise<void> }> {
  const end = attachEndpoint(members, testSource('mallory'))
  const certificates = ['mallory', 'beta'].map(name => ({
    certificate: people.node(name).signer.chain,
  }))
  await end.receive({ id: testSource('mallory'), clock: {} }, ...certificates)
  return {
    end,
    send: async (...frames) => {
      await end.receive(...frames)
      await members.settled()
    },
  }
}

/** The names of the nodes that were told of, sorted. */
export function namesOf(members: Iterable<Member>): string[] {
  return Array.from(members, ({ name }) => String(name)).sort()
}
