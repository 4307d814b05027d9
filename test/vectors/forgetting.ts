import { asUpdate } from '../../node/gossip/forgettings.ts'
import { nodeOf, type Name } from '../../node/identity/names.ts'
import { signText } from '../../node/identity/signature.ts'
import { encodeForgetting } from '../../node/whitelist/forgetting.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { NODE_2 } from './gossip.ts'
import { signerOf, signersOf, type PrintedSignatures } from './list.ts'

/** The update by which the operator of the page forgets node-2. */
export function forgettingOf(printed: PrintedSignatures, at: number): string {
  const { signer, key } = signerOf(printed.operator, signersOf(printed, new MemoryStore()))
  const name: Name = nodeOf(NODE_2)
  const text = encodeForgetting({ name, operator: signer.identity.name, at, runs: [NODE_2] })
  return JSON.stringify(asUpdate(text, signer, signText(key, 'forgetting', text)))
}
