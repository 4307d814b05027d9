import { entryHash } from '../../../node/whitelist/entry.ts'
import { signText } from '../../../node/identity/signature.ts'
import type { EntryCertificates } from '../../../node/whitelist/vouchers.ts'
import type { Person } from '../../support/replica-people.ts'

/** The text of a change, and who signs it. */
export interface Signed {
  readonly text: string
  readonly operator: Person
  readonly node: Person
}

/** The value of an update, signed by whom one likes. */
export function signedValue({ text, operator, node }: Signed): object {
  const operatorSignature = signText(operator.key, 'change', text)
  const nodeSignature = signText(node.key, 'entry', hashOf({ text, operator, node }))
  return { change: text, ...certificatesUnder(operator, node), operatorSignature, nodeSignature }
}

/** The hash of such an entry. */
export function hashOf({ text, operator, node }: Signed): string {
  return entryHash(text, certificatesUnder(operator, node))
}

function certificatesUnder(operator: Person, node: Person): EntryCertificates {
  return {
    operatorCertificate: operator.signer.identity.fingerprint,
    nodeCertificate: node.signer.identity.fingerprint,
  }
}
