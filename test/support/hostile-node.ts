import type { DocumentLink } from '../../node/gossip/document.ts'
import type { Source } from '../../node/names.ts'
import {
  encodeChange,
  entryHash,
  strayPlace,
  type Change,
  type Entry,
  type Stray,
} from '../../node/whitelist/change.ts'
import type { Replica } from '../../node/whitelist/replica.ts'
import { signText } from '../../node/whitelist/signature.ts'
import type { Signer } from '../../node/whitelist/signers.ts'
import { asUpdate } from '../../node/whitelist/update.ts'
import type { Person } from './replica-people.ts'

/** Whose keys an attacker signs with. Genuine ones, or not. */
export interface Keys {
  readonly operator: Person
  readonly node: Person
}

/** Sign a change as if an operator had wanted it and a node had accepted it. */
export function signEntry(change: Change, previous: string, { operator, node }: Keys): Entry {
  const text = encodeChange(change)
  const hash = entryHash(previous, text)
  return {
    change,
    text,
    previous,
    hash,
    operatorCertificate: operator.signer.identity.fingerprint,
    operatorSignature: signText(operator.key, 'change', text),
    nodeCertificate: node.signer.identity.fingerprint,
    nodeSignature: signText(node.key, 'entry', hash),
  }
}

/** The same words of the operator, linked by the node to another past. */
export function relink(entry: Entry, previous: string, { key }: Person): Entry {
  const hash = entryHash(previous, entry.text)
  return { ...entry, previous, hash, nodeSignature: signText(key, 'entry', hash) }
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

/** The place of a stray, as text. */
export function strayText(entry: Entry): string {
  const { source, sequence } = strayPlace(entry)
  return `${source}:${sequence}`
}
