import { isAuthor, type Name } from '../identity/names.ts'
import { isSignature } from '../identity/signature.ts'
import { encodeChange, type Change, type ChangeRequest } from '../whitelist/change.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { BATCH_LIMITS } from './batch-limits.ts'
import {
  asRequest,
  assertBelongs,
  commitInTurn,
  isDuration,
  reportAgain,
  reportCommitted,
  type CommitMethodsOptions,
  type CommitReport,
} from './commits.ts'
import { malformed } from './malformed.ts'
import { assertReadByAll } from './readers.ts'

/** What `proposeBatch` answers. */
export interface BatchProposal {
  /** Canonical texts of the first of the changes that were asked for, at places that follow each other. */
  readonly texts: readonly string[]
  /** The fingerprint of the node's certificate by which each text names the entry before it. */
  readonly nodeCertificate: string
}

/** What is kept of a batch until its signatures come. */
interface Proposed {
  readonly kind: Change['kind']
  readonly first: Change
  readonly texts: readonly string[]
}

/** The methods by which operators make many changes of one kind together (PROTOCOL.md, "Operators"). */
export function batchMethods(options: CommitMethodsOptions): [string, RpcMethod][] {
  const { replica, members, clock, operator, turns } = options
  const { name } = operator.identity
  // Of one connection: its operator has to sign before it asks for other changes.
  let proposed: Proposed | undefined
  return [
    [
      'proposeBatch',
      async ([values], _progress, signal): Promise<BatchProposal> => {
        const requests = readRequests(values, name)
        for (const request of requests) assertReadByAll(request, members)
        await turns.take(name, { removes: undefined, signal })
        const { changes, nodeCertificate } = replica.proposeBatch(requests, operator)
        const texts = fittingOf(changes.map(encodeChange))
        const [first] = changes
        if (first !== undefined) proposed = { kind: first.kind, first, texts }
        return { texts, nodeCertificate }
      },
    ],
    [
      'commitBatch',
      async ([signatures, waitMs], progress, signal): Promise<CommitReport> => {
        if (!isSignatures(signatures) || !isDuration(waitMs)) throw malformed('commitBatch')
        if (signatures.length !== proposed?.texts.length) throw malformed('commitBatch')
        assertBelongs(options)
        const committedAt = clock.monotonic()
        const { kind, first, texts } = proposed
        const signed = signatures.map((operatorSignature, index) => ({
          text: texts[index] ?? '',
          operatorSignature,
        }))
        const commit = await commitInTurn(options, {
          kind,
          cost: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
          first,
          commit: async () => replica.commitBatch(signed, operator),
        })
        if (commit.outcome === 'again') return reportAgain(commit, options)
        proposed = undefined
        const last = commit.entries.at(-1)?.change ?? first
        const wait = { timeoutMs: waitMs, committedAt, onConfirmed: progress, signal }
        return reportCommitted(options, last, wait)
      },
    ],
  ]
}

/**
 * What an operator asks for at once: changes of one kind, of clients or origins, each of another
 * subject, so that what one of them has seen does not hang on those before it.
 * @throws FridgeError `ERR_PROTOCOL` when it is none of that
 */
export function readRequests(values: unknown, operator: Name): readonly ChangeRequest[] {
  const isBatch =
    Array.isArray(values) && values.length > 0 && values.length <= BATCH_LIMITS.maxChanges
  if (!isBatch) throw malformed('proposeBatch')
  const requests = values.map(value => asRequest(value, operator))
  const isApart =
    new Set(requests.map(({ kind }) => kind)).size === 1 &&
    new Set(requests.map(({ subject }) => subject)).size === requests.length &&
    !requests.some(({ subject }) => isAuthor(subject))
  if (!isApart) throw malformed('proposeBatch')
  return requests
}

/** The first of some texts: as many as fit into an answer. */
function fittingOf(texts: readonly string[]): readonly string[] {
  let size = 0
  const end = texts.findIndex((text, index) => {
    size += text.length
    return index > 0 && size > BATCH_LIMITS.maxText
  })
  return end === -1 ? texts : texts.slice(0, end)
}

function isSignatures(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= BATCH_LIMITS.maxChanges && value.every(isSignature)
}
