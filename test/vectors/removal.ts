import {
  makeRemovalProof,
  openRemovalProof,
  type Removal,
} from '../../node/gossip/removal-proof.ts'
import { makeForkProof, openForkProof } from '../../node/gossip/fork-proof.ts'
import { nodeOf, parseName, subjectOf } from '../../node/identity/names.ts'
import { signText } from '../../node/identity/signature.ts'
import { encodeChange, type Revocation } from '../../node/whitelist/change.ts'
import { entryHash } from '../../node/whitelist/entry.ts'
import { signEntry } from '../support/hostile-node.ts'
import { revocationAt } from '../support/replica-changes.ts'
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
  return printedCertificates(said, printed)
}

/** The farewell of node-1 to a node that has signed two removals at one place. */
export function farewellToForked(printed: PrintedSignatures, at: number): string {
  const signers = signersOf(printed, new MemoryStore())
  const keys = {
    operator: signerOf(printed.operator, signers),
    node: signerOf(printed.node, signers),
  }
  const { name } = keys.operator.signer.identity
  const [one, other] = ['CQIDBAUGBwgJCgsMDQ4PEA', 'DQIDBAUGBwgJCgsMDQ4PEA'].map(wish =>
    signEntry({ ...revocationAt(NODE_1, 1), operator: name, at, wish }, '', keys),
  )
  const proof = one && other && makeForkProof([one, other], signers)
  const text = `node/${nodeOf(NODE_1)} has signed two changes at one place`
  return printedCertificates(JSON.stringify(['bye', 'revoked', text, proof]), printed)
}

/** What node-1 makes of the farewell of the page to a node that has forked. @returns why it proves nothing */
export async function hearForked(
  printed: PrintedSignatures,
  said: string,
): Promise<string | undefined> {
  const [, , , proof] = JSON.parse(genuineCertificates(said, printed)) as [...unknown[], object]
  return openForkProof(proof as object, nodeOf(NODE_1), signersOf(printed, new MemoryStore()))
}

/** With the names of the page in the place of its certificates. */
function printedCertificates(said: string, { operator, node }: PrintedSignatures): string {
  return said
    .replace(operator.certificate, 'certificate operator')
    .replace(node.certificate, 'certificate node')
}

function genuineCertificates(said: string, { operator, node }: PrintedSignatures): string {
  return said
    .replace('certificate operator', operator.certificate)
    .replace('certificate node', node.certificate)
}

/** What node-2 makes of a farewell of the page. */
export async function hearFarewell(
  printed: PrintedSignatures,
  said: string,
): Promise<Removal | string> {
  const [, , , proof] = JSON.parse(genuineCertificates(said, printed)) as unknown[]
  return openRemovalProof(proof, NODE, signersOf(printed, new MemoryStore()))
}
