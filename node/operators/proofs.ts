import { inTurns } from '../gossip/in-turns.ts'
import { isSubject, type Subject } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { proofOf, type LeafProof } from '../whitelist/stated-list.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { pageOf, type ChangeMethodsOptions, type ChangePage } from './changes.ts'
import { malformed } from './malformed.ts'

/** What `proof` answers: what the newest checkpoint states of a subject, and what proves that. */
export interface StateProof extends LeafProof {
  /** The entry of the checkpoint, with the certificates under it. */
  readonly checkpoint: ChangePage
}

type ProofMethodsOptions = Pick<ChangeMethodsOptions, 'replica' | 'storedChanges'>

/** The method by which operators learn what a checkpoint states of a subject (PROTOCOL.md, "Operators"). */
export function proofMethods(options: ProofMethodsOptions): [string, RpcMethod][] {
  let before: Promise<unknown> = Promise.resolve()
  return [
    [
      'proof',
      async ([subject], _progress, signal): Promise<StateProof> => {
        if (!isSubject(subject)) throw malformed('proof')
        // Each looks through the whole list: one after the other.
        const proving = before.then(async () => prove(subject, options, signal))
        before = proving.catch(() => {})
        return proving
      },
    ],
  ]
}

async function prove(
  subject: Subject,
  { replica, storedChanges }: ProofMethodsOptions,
  signal: AbortSignal,
): Promise<StateProof> {
  const { whitelist } = replica
  const newest = whitelist.standingCheckpoints.toSorted((a, b) => b.at - a.at)[0]
  const entry = newest && storedChanges.at(newest)
  const cut = entry && whitelist.cutOf(entry.hash)
  if (entry === undefined || cut === undefined) {
    throw refused('no checkpoint stands: fridge whitelist checkpoint')
  }
  const proof = await inTurns(proofOf(subject, cut, whitelist), signal)
  if (proof === null) throw refused('the newest checkpoint states nothing of it')
  if (proof === undefined) {
    throw refused('this node lacks what led to the newest checkpoint: ask another one with --node')
  }
  return { checkpoint: pageOf(entry, { replica, storedChanges }), ...proof }
}

function refused(why: string): FridgeError {
  return new FridgeError('ERR_REFUSED', `cannot prove what was: ${why}`)
}
