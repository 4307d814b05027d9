import { unpacked } from './packed-frames.ts'
import { createPrivateKey } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import type { Address } from '../../node/lib/address.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import type { DocumentLink } from '../../node/gossip/document-stream.ts'
import { isSource, type Source } from '../../node/identity/names.ts'
import { encodeChange, type Change } from '../../node/whitelist/change.ts'
import { entryHash, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { MemoryStore } from './memory-store.ts'
import type { Replica } from '../../node/gossip/replica.ts'
import { signText } from '../../node/identity/signature.ts'
import { chainOf, Signers, type Signer } from '../../node/identity/signers.ts'
import { asUpdate } from '../../node/gossip/update.ts'
import { carrying, connectRaw, opening, type RawPeer } from './raw-peer.ts'
import type { Person } from './replica-people.ts'

/** Whose keys an attacker signs with. Genuine ones, or not. */
export interface Keys {
  readonly operator: Person
  readonly node: Person
}

/** Sign a change, behind an entry of its source, as if an operator had wanted it and a node had accepted it. */
export function signEntry(unlinked: Change, previous: string, { operator, node }: Keys): Entry {
  const change = { ...unlinked, previous }
  const text = encodeChange(change)
  const certificates = {
    operatorCertificate: operator.signer.identity.fingerprint,
    nodeCertificate: node.signer.identity.fingerprint,
  }
  const hash = entryHash(text, certificates)
  const operatorSignature = signText(operator.key, 'change', text)
  const nodeSignature = signText(node.key, 'entry', hash)
  return { change, text, hash, signatures: { ...certificates, operatorSignature, nodeSignature } }
}

/** The wish of an operator under its old signature, linked by the node to another past. */
export function relink(entry: Entry, previous: string, { key }: Person): Entry {
  const change = { ...entry.change, previous }
  const text = encodeChange(change)
  const hash = entryHash(text, entry.signatures)
  const signatures = { ...entry.signatures, nodeSignature: signText(key, 'entry', hash) }
  return { change, text, hash, signatures }
}

/** A branch of one source: each change linked to the one before. */
export function signChain(changes: readonly Change[], keys: Keys, previous = ''): Entry[] {
  let last = previous
  return changes.map(change => {
    const entry = signEntry(change, last, keys)
    last = entry.hash
    return entry
  })
}

/** What a peer must have been sent before it can take an entry. */
export function certificateOf({ chain }: Signer): object {
  return { certificate: chain }
}

/** A link of an attacker to one replica, without a network between. */
export interface HostileLink {
  /** What the replica has sent. */
  readonly heard: readonly unknown[]
  /** Why the replica has ended the link; undefined while it has not. */
  readonly refused: string | undefined
  /** Send a frame, or an entry or stray as the update that carries it, as text on a line would be. */
  send(...frames: readonly unknown[]): void
  /** Send what carries entries, and wait until the replica has judged them. */
  tell(...entries: readonly (Entry | Stray)[]): Promise<void>
  end(): void
}

/** Link an attacker to a replica, and show the certificates of those in whose name it signs. */
export function attackReplica(
  replica: Replica,
  source: Source,
  signers: readonly Signer[] = [],
): HostileLink {
  const heard: unknown[] = []
  let refused: string | undefined
  const attached: DocumentLink = replica.attach(
    {
      send: frame => heard.push(frame),
      drained: async () => {},
      leave: () => {},
      refuse: reason => {
        refused ??= reason
      },
      onSynced: () => {},
    },
    () => true,
  )
  const send = (...frames: readonly unknown[]): void => {
    for (const frame of frames) attached.receive(JSON.parse(JSON.stringify(frame)))
  }
  send({ id: source, clock: {} }, ...signers.map(certificateOf), 'SYNC')
  return {
    heard,
    get refused() {
      return refused
    },
    send,
    tell: async (...entries) => {
      send(...entries.map(asUpdate))
      await replica.settled()
    },
    end: () => attached[Symbol.dispose](),
  }
}

/** A person out of the files of a certificate folder. */
export function personOf({ certificate, key, ca, files, identity }: Credentials): Person {
  const signers = new Signers({
    store: new MemoryStore(),
    authorities: () => parseCertificates(ca, files.caFile),
    trustDomain: identity.trustDomain,
  })
  const signer = signers.learn(chainOf(parseCertificates(certificate, files.certificateFile)))
  if (typeof signer === 'string') throw new Error(signer)
  return { signer, key: createPrivateKey(key) }
}

export type DocumentName = 'whitelist' | 'members'

/** A link over TLS that an attacker with the certificate of a node has to a node. */
export interface HostileNode extends RawPeer {
  /** The run of the node at the other end. */
  readonly victim: Source
  /** What the node has sent in a document, certificates and digests included. */
  heard(document: DocumentName): unknown[]
  /** Send frames of a document; entries and strays as the updates that carry them. */
  tell(document: DocumentName, ...frames: readonly unknown[]): void
  /** Send lines of a document as they are. */
  say(document: DocumentName, ...lines: readonly string[]): void
}

const STREAMS = { whitelist: 'a1', members: 'a2' } as const

export interface HostileOptions {
  /** The run that it says to be. */
  readonly source: Source
  /** What it says to hold. Default nothing. */
  readonly clock?: Readonly<Record<string, number>>
}

/** Link to a node with a stolen certificate, and exchange both documents as far as `SYNC`. */
export async function connectHostile(
  t: Pick<ExecutionContext, 'teardown'>,
  address: Address,
  stolen: Credentials,
  { source, clock = {} }: HostileOptions,
): Promise<HostileNode> {
  const peer = await connectRaw(t, address, stolen, { alpn: true })
  const control = await peer.stream('control')
  const hello = await peer.lines.find(/\\"hello\\"/)
  const victim = /"source\\":\\"([^"\\]*)/.exec(hello)?.[1]
  if (!isSource(victim)) throw new Error(`no source in ${hello}`)
  const say: HostileNode['say'] = (document, ...lines) =>
    peer.frames(...lines.map(line => carrying(STREAMS[document], line)))
  const names = Object.keys(STREAMS) as DocumentName[]
  peer.frames(
    carrying(control, JSON.stringify(['hello', { protocol: 1, source }])),
    ...names.map(name => opening(STREAMS[name], name)),
    ...names.flatMap(name => [
      carrying(STREAMS[name], JSON.stringify({ id: source, clock })),
      carrying(STREAMS[name], '"SYNC"'),
    ]),
  )
  const synced = names.map(async name =>
    peer.lines.find(new RegExp(`^\\["${STREAMS[name]}","data","\\\\"SYNC`)),
  )
  await Promise.all(synced)
  return {
    ...peer,
    victim,
    say,
    tell: (document, ...frames) => say(document, ...frames.map(frame => JSON.stringify(frame))),
    heard: document =>
      peer.lines.all
        .map(line => JSON.parse(line) as [string, string, string])
        .filter(([id, event]) => id === STREAMS[document] && event === 'data')
        .flatMap(([, , text]) => unpacked(JSON.parse(text))),
  }
}
