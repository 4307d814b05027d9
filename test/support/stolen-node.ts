import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { parseName } from '../../node/identity/names.ts'
import { Signers } from '../../node/identity/signers.ts'
import type { NodeConnection } from '../../node/client/node-connection.ts'
import { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import {
  encodeChange,
  parseChange,
  readHeads,
  type Change,
  type ChangeRequest,
  type CheckpointRequest,
} from '../../node/whitelist/change.ts'
import { entryHash, type Entry } from '../../node/whitelist/entry.ts'
import { signText } from '../../node/identity/signature.ts'
import type { CommitReport } from '../../node/operators/commits.ts'
import type { ChangePage } from '../../node/operators/changes.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import type { TestCerts } from './certs.ts'
import { personOf } from './hostile-node.ts'
import type { TestReplica } from './replica-pair.ts'
import type { People, Person } from './replica-people.ts'

/** Those whose certificates lie in a folder, as replicas are told of them. */
export async function peopleOf(certs: TestCerts, names: readonly string[]): Promise<People> {
  const people = new Map<string, Person>()
  for (const subject of names) {
    const [role, name] = subject.split('/') as ['node' | 'operator', string]
    people.set(subject, personOf(await certs.load(role, name)))
  }
  const find = (subject: string): Person => {
    const person = people.get(subject)
    if (person === undefined) throw new Error(`no certificate of ${subject} was loaded`)
    return person
  }
  const trust = { authorities: parseCertificates(certs.ca, 'ca'), trustDomain: 'test.fridge' }
  return {
    trust,
    node: name => find(`node/${name}`),
    operator: (name = 'admin') => find(`operator/${name}`),
    signers: store => {
      const { authorities, trustDomain } = trust
      return new Signers({ store, authorities: () => authorities, trustDomain })
    },
    issue: async () => {
      throw new Error('nobody is made here')
    },
  }
}

/** A node that has been stolen: it answers operators as its thief likes, and keeps what they sign. */
export interface StolenNode {
  /** What operators have signed here, in their order, each linked as its text says. */
  readonly signed: readonly Entry[]
  /** How an operator reaches it. */
  readonly connection: NodeConnection
}

export interface StolenOptions {
  /** What it knows of the list, and draws its proposals from. */
  readonly replica: TestReplica
  readonly self: Person
  readonly operator: Person
  /** What it makes of a proposal. @param round 0, 1, 2…: how many it has made */
  readonly rewrite?: (change: Change, round: number) => Change
  /** What it answers to what was signed. Default: that it is committed. */
  readonly answer?: (entry: Entry, round: number) => CommitReport
}

export function stealNode(options: StolenOptions): StolenNode {
  const { replica, self, operator, rewrite = change => change, answer } = options
  const signed: Entry[] = []
  let round = 0
  const call = async (method: string, [value, signature]: readonly unknown[]): Promise<unknown> => {
    if (method === 'propose') {
      const name = operator.signer.identity.name
      const request = { ...(value as ChangeRequest | CheckpointRequest), operator: name }
      const proposed =
        request.kind === 'checkpoint'
          ? await replica.replica.proposeCheckpoint(request)
          : replica.replica.propose(request)
      return encodeChange(rewrite(proposed, round++))
    }
    const parsed = parseChange(value)
    if (!parsed.ok) throw new Error(parsed.why)
    const text = String(value)
    const certificates = {
      operatorCertificate: operator.signer.identity.fingerprint,
      nodeCertificate: self.signer.identity.fingerprint,
    }
    const hash = entryHash(text, certificates)
    const entry: Entry = {
      change: parsed.change,
      text,
      hash,
      signatures: {
        ...certificates,
        operatorSignature: String(signature),
        nodeSignature: signText(self.key, 'entry', hash),
      },
    }
    // What is shown a second time was signed once.
    const isKnown = signed.some(
      ({ signatures }) => signatures.operatorSignature === String(signature),
    )
    if (!isKnown) signed.push(entry)
    const { source, sequence } = parsed.change
    const committed = { outcome: 'committed', source, sequence } as const
    const proof = { confirmed: [], silent: [], unreachable: [] }
    return answer?.(entry, signed.length) ?? { ...committed, ...proof }
  }
  return { signed, connection: connectionOf(self, call) }
}

/** How an operator reaches an honest node, to ask what it says of a subject. */
export function honestConnection({ replica }: TestReplica, self: Person): NodeConnection {
  return connectionOf(self, async (method, [subject]) => {
    const list = replica.whitelist
    if (method === 'clock') return Object.fromEntries(list.clock())
    if (method === 'stateAt') {
      const heads = readHeads(subject)
      return heads && ((await replica.checks.stateAt(heads)) ?? null)
    }
    const upTo = Array.from(list.upTo(subject as never), ([source, { sequence, hash }]) => [
      source,
      [sequence, hash],
    ])
    const seen = list.frontier(subject as never)
    const isClient = String(subject).startsWith('client/')
    return isClient ? { seen } : { seen, upTo: Object.fromEntries(upTo) as object }
  })
}

function connectionOf(
  { signer }: Person,
  call: (method: string, values: readonly unknown[]) => Promise<unknown>,
): NodeConnection {
  return {
    node: parseName(signer.identity.name),
    address: '127.0.0.1:1',
    methods: new Set(['propose', 'commit', 'frontier']),
    call,
    [Symbol.asyncDispose]: async () => {},
  } as unknown as NodeConnection
}

/** An operator that asks a node, and has a second one to compare with or not. */
export function operatorAt(
  connection: NodeConnection,
  credentials: Credentials,
  second?: NodeConnection,
): OperatorConnection {
  return new OperatorConnection(connection, credentials, {
    // Nothing of it rests on how long it waits.
    clock: { ...systemClock, sleep: async () => {} },
    ...(second && { second: async () => second }),
  })
}

/** The page of the log that shows an entry, as a node sends it. */
export function shownPage(entry: Entry, signers: readonly Person[]): ChangePage {
  return {
    entries: [{ text: entry.text, ...entry.signatures, isStray: false, effect: 'in effect' }],
    certificates: Object.fromEntries(
      signers.map(({ signer }) => [signer.identity.fingerprint, signer.chain]),
    ),
  }
}
