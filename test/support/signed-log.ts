import { createPrivateKey, randomBytes, type X509Certificate } from 'node:crypto'
import { systemClock, type Clock } from '../../node/lib/clock.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import { loadCredentials } from '../../node/identity/credentials.ts'
import {
  parseName,
  parseSubject,
  sourceOf,
  type Role,
  type Source,
} from '../../node/identity/names.ts'
import { encodeChange, type ChangeRequest } from '../../node/whitelist/change.ts'
import { MemoryStore } from './memory-store.ts'
import { Replica } from '../../node/gossip/replica.ts'
import { signText } from '../../node/identity/signature.ts'
import { chainOf, Signers, type Signer } from '../../node/identity/signers.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import type { TestCerts } from './certs.ts'

/** Who may vouch for the signers of `writeLog`, as `verifyDatabase` is told it. */
export function trustOf({ ca }: TestCerts): {
  authorities: readonly X509Certificate[]
  trustDomain: string
} {
  return { authorities: parseCertificates(ca, 'ca'), trustDomain: 'test.fridge' }
}

export interface WrittenLog {
  /** The source of this run of the node. */
  readonly source: Source
}

/**
 * Write changes into a database as one run of `node-1` does that its operator `admin` asks.
 * @param source a new run, unless one is to go on
 * @param changes `+NAME` grants and `-NAME` revokes
 */
export async function writeLog(
  file: string,
  certs: TestCerts,
  changes: readonly string[],
  clock: Clock = systemClock,
  source: Source = sourceOf(parseName('node-1'), randomBytes(8).toString('hex')),
): Promise<WrittenLog> {
  using store = openSqliteStore(file)
  const signers = new Signers({
    store,
    authorities: () => trustOf(certs).authorities,
    trustDomain: 'test.fridge',
  })
  const person = async (role: Role, name: string): Promise<Person> => {
    const { certificate, key } = await loadCredentials(
      { dir: certs.dir, role, name: parseName(name) },
      { now: clock.now() },
    )
    const signer = signers.learn(chainOf(parseCertificates(certificate, name)))
    if (typeof signer === 'string') throw new Error(signer)
    return { signer, key: createPrivateKey(key) }
  }
  const node = await person('node', 'node-1')
  const admin = await person('operator', 'admin')
  // Replayed into memory and written in one transaction: a fsync a change would take seconds.
  const memory = new MemoryStore()
  const before = [...store.after(new Map())]
  memory.append(before)
  const replica = new Replica({ source, store: memory, signers, self: node, clock })
  const operator = admin.signer.identity.name
  for (const change of changes) {
    const subject = parseSubject(change.slice(1))
    const wish = randomBytes(16).toString('base64url')
    const request: ChangeRequest =
      change[0] === '+'
        ? { kind: 'grant', subject, operator, wish, terms: {} }
        : { kind: 'revocation', subject, operator, wish }
    const text = encodeChange(replica.propose(request))
    const { outcome } = await replica.commit(
      text,
      admin.signer,
      signText(admin.key, 'change', text),
    )
    if (outcome !== 'committed') throw new Error(`${change} was not committed`)
  }
  store.append([...memory.after(new Map())].slice(before.length))
  return { source }
}

interface Person {
  readonly signer: Signer
  readonly key: ReturnType<typeof createPrivateKey>
}
