import { createPrivateKey, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { sourceOf, subjectOf, type Name, type Source } from '../../node/identity/names.ts'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { encodeChange, type Change } from '../../node/whitelist/change.ts'
import { entryHash, type Entry } from '../../node/whitelist/entry.ts'
import { signText } from '../../node/identity/signature.ts'
import { sealKeyOf } from '../../node/storage/log-seal.ts'
import { chainOf, Signers, type Signer } from '../../node/identity/signers.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'
import { CLIENT } from './site.ts'

/** How many entries go into one transaction. */
const BATCH = 10_000

/** The name at an index of a filled list: the client of the benches is the first. */
export function nameAt(index: number): Name {
  return (index === 0 ? CLIENT : `fridge-client-${String(index).padStart(6, '0')}`) as Name
}

export interface FillOptions {
  /** The data folder of a node. */
  readonly data: string
  readonly names: number
  readonly operator: Credentials
  readonly node: Credentials
}

/**
 * Write the database of a node that has granted `names` clients, one after the other, as an
 * operator would have done it: linked and signed, only without one disk flush each.
 */
export function fillList({ data, names, operator, node }: FillOptions): void {
  const sealKey = sealKeyOf(createPrivateKey(node.key))
  using store = openSqliteStore(join(data, DATABASE_FILE), sealKey)
  const source = sourceOf(node.identity.name, '00000000000000ff')
  const [operatorSigner, nodeSigner] = [signerOf(store, operator), signerOf(store, node)]
  for (const { signer } of [operatorSigner, nodeSigner]) {
    store.keepCertificate(signer.identity.fingerprint, signer.chain)
  }
  const write = entryWriter(source, operatorSigner, nodeSigner)
  for (let done = 0; done < names; done += BATCH) {
    const count = Math.min(BATCH, names - done)
    store.append(Array.from({ length: count }, (_, index) => write(done + index)))
  }
}

export interface SignerWithKey {
  readonly signer: Signer
  readonly credentials: Credentials
}

export function signerOf(store: ChangeStore, credentials: Credentials): SignerWithKey {
  const { ca, certificate, files, identity } = credentials
  const signers = new Signers({
    store,
    trustDomain: identity.trustDomain,
    authorities: () => parseCertificates(ca, files.caFile),
  })
  const signer = signers.learn(chainOf(parseCertificates(certificate, files.certificateFile)))
  if (typeof signer === 'string') throw new Error(signer)
  return { signer, credentials }
}

function entryWriter(
  source: Source,
  operator: SignerWithKey,
  node: SignerWithKey,
): (index: number) => Entry {
  const operatorKey = createPrivateKey(operator.credentials.key)
  const nodeKey = createPrivateKey(node.credentials.key)
  const at = Date.now()
  const certificates = {
    operatorCertificate: operator.signer.identity.fingerprint,
    nodeCertificate: node.signer.identity.fingerprint,
  }
  let previous = ''
  return index => {
    const change: Change = {
      kind: 'grant',
      subject: subjectOf('client', nameAt(index)),
      source,
      sequence: index + 1,
      previous,
      operator: operator.credentials.identity.name,
      at,
      wish: randomBytes(16).toString('base64url'),
      seen: [],
      terms: {},
    }
    const text = encodeChange(change)
    const hash = entryHash(text, certificates)
    const entry: Entry = {
      change,
      text,
      hash,
      signatures: {
        ...certificates,
        operatorSignature: signText(operatorKey, 'change', text),
        nodeSignature: signText(nodeKey, 'entry', hash),
      },
    }
    previous = hash
    return entry
  }
}
