import {
  makeRemovalProof,
  openRemovalProof,
  type Removal,
} from '../../node/gossip/removal-proof.ts'
import { parseName, subjectOf } from '../../node/identity/names.ts'
import { signText } from '../../node/identity/signature.ts'
import { encodeChange, type Revocation } from '../../node/whitelist/change.ts'
import { entryHash } from '../../node/whitelist/entry.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NODE_1, NODE_2 } from './gossip.ts'
import { certificatesOf, signerOf, signersOf, type PrintedSignatures } from './list.ts'

const NODE = parseName(NODE_2.split('#')[0] ?? '')

/** The farewell of node-1 to node-2, which the operator of the page has removed. */
export function farewellTo(printed: PrintedSignatures, at: number): string {
  const signers = signersOf(printed, new MemoryStore())
  const [operator, node] = [signerOf(printed.operator, signers), signerOf(printed.node, signers)]
  const place = { source: NODE_1, sequence: 1 }
  const change: Revocation = {
    kind: 'revocation',
    subject: subjectOf('node', NODE),
    ...place,
    operator: operator.signer.identity.name,
    previous: '',
    at,
    wish: 'CQIDBAUGBwgJCgsMDQ4PEA',
    seen: [],
    upTo: new Map(),
  }
  const text = encodeChange(change)
  const certificates = certificatesOf(printed)
  const hash = entryHash(text, certificates)
  const signatures = {
    ...certificates,
    operatorSignature: signText(operator.key, 'change', text),
    nodeSignature: signText(node.key, 'entry', hash),
  }
  const proof = makeRemovalProof({ change, text, hash, signatures }, signers)
  const said = JSON.stringify([
    'bye',
    'revoked',
    `node/${NODE} has been removed from the whitelist`,
    proof,
  ])
  return said
    .replace(printed.operator.certificate, 'certificate operator')
    .replace(printed.node.certificate, 'certificate node')
}

/** What node-2 makes of a farewell of the page. */
export async function hearFarewell(
  printed: PrintedSignatures,
  said: string,
): Promise<Removal | string> {
  const [, , , proof] = JSON.parse(
    said
      .replace('certificate operator', printed.operator.certificate)
      .replace('certificate node', printed.node.certificate),
  ) as unknown[]
  return openRemovalProof(proof, NODE, signersOf(printed, new MemoryStore()))
}
