import { WHOLE_LIST } from '../identity/names.ts'
import type { Signer } from '../identity/signers.ts'
import { FridgeError } from '../lib/errors.ts'
import {
  CHANGE_LIMITS,
  encodeChange,
  parseChange,
  type Change,
  type ChangeRequest,
  type Checkpoint,
  type CheckpointRequest,
} from '../whitelist/change.ts'
import { entryHash, type Entry } from '../whitelist/entry.ts'
import {
  assertProposable,
  assertSignable,
  assertStanding,
  notRecorded,
  signedEntry,
  whyAgain,
  whyNotHere,
  type Again,
  type Commit,
} from './commit.ts'
import { takeBackAll, type DurableList, type Merged } from './durable-list.ts'
import type { OwnPast } from './own-past.ts'
import type { OwnSource } from './own-source.ts'
import type { ReplicaOptions } from './replica-options.ts'
import type { StateExchange } from './state-exchange.ts'

/** The canonical text of a change, as its operator has signed it. */
export interface SignedText {
  readonly text: string
  readonly operatorSignature: string
}

/** What became of changes that were to be committed together. */
export type BatchCommit =
  | { readonly outcome: 'committed'; readonly entries: readonly Entry[] }
  | Again

/** Changes at places that follow each other. */
export interface ProposedBatch {
  readonly changes: readonly Change[]
  /** The fingerprint of the certificate that this node will sign them with: each names the entry before it. */
  readonly nodeCertificate: string
}

export interface AcceptanceOptions extends Pick<
  ReplicaOptions,
  'store' | 'signers' | 'self' | 'clock'
> {
  readonly ownSource: OwnSource
  readonly list: DurableList
  readonly past: Pick<OwnPast, 'isBehind'>
  readonly stateExchange: Pick<StateExchange, 'stored'>
}

/** How this node accepts changes of operators: it proposes them at its next places, and commits them there. */
export class Acceptance {
  readonly #options: AcceptanceOptions

  constructor(options: AcceptanceOptions) {
    this.#options = options
  }

  /**
   * The change that a request would be at this node's next place: to be signed and committed.
   * @throws FridgeError `ERR_CONFLICT` when no grant can have seen all revocations of its subject
   */
  propose(request: ChangeRequest): Change {
    const { list, ownSource, clock } = this.#options
    assertProposable(request, list.whitelist)
    return list.whitelist.draft(request, ownSource.take(), clock.now())
  }

  /**
   * The changes that requests would be at this node's next places. No two may be about one subject,
   * and none about an author: what one of them has seen must not hang on another.
   * @throws FridgeError as `propose`
   */
  proposeBatch(requests: readonly ChangeRequest[], operator: Signer): ProposedBatch {
    const nodeCertificate = this.#options.self.signer.identity.fingerprint
    const certificates = { operatorCertificate: operator.identity.fingerprint, nodeCertificate }
    const changes: Change[] = []
    for (const request of requests) {
      const alone = this.propose(request)
      const before = changes.at(-1)
      const place = before && {
        sequence: before.sequence + 1,
        previous: entryHash(encodeChange(before), certificates),
      }
      changes.push({ ...alone, ...place })
    }
    return { changes, nodeCertificate }
  }

  /**
   * The checkpoint of the list as it is now, at this node's next place.
   * @throws FridgeError `ERR_LIMIT` when the list has too many sources for one
   */
  async proposeCheckpoint(request: CheckpointRequest): Promise<Checkpoint> {
    const { list, ownSource, signers, clock } = this.#options
    const former = signers.formerAuthorities().slice(0, CHANGE_LIMITS.maxFormer)
    return {
      ...request,
      ...(await list.checks.state(former)),
      ...list.whitelist.placeAfter(ownSource.take()),
      subject: WHOLE_LIST,
      seen: [],
      at: clock.now(),
    }
  }

  /** Why a change that was proposed here must be proposed anew, if it must, with what proves it. */
  whyAgain(change: Change): ReturnType<typeof whyAgain> {
    const { list, store } = this.#options
    return whyAgain(change, { list: list.whitelist, store, stated: list.checks.stated })
  }

  /**
   * Commit the canonical text of a change proposed here, signed by its operator. `again` when
   * its place was taken or its subject changed since: propose anew.
   * @throws FridgeError `ERR_PROTOCOL` when it is none of ours, `ERR_REFUSED` when its signer may
   *   not make it, `ERR_DATABASE` when it cannot be made durable: then nothing of it is there
   */
  async commit(signed: SignedText, operator: Signer): Promise<Commit> {
    const commit = await this.commitBatch([signed], operator)
    if (commit.outcome === 'again') return commit
    const [entry] = commit.entries
    if (entry === undefined) throw new RangeError('one text is one entry')
    return { outcome: 'committed', entry }
  }

  /**
   * Commit all of some changes of one kind that were proposed here together, in one transaction, or
   * none of them. @throws FridgeError as `commit`
   */
  async commitBatch(signed: readonly SignedText[], operator: Signer): Promise<BatchCommit> {
    const { list, signers, self, clock, ownSource, past, stateExchange } = this.#options
    const read = signed.map(one => ({ ...one, change: readChange(one.text) }))
    const [first, ...rest] = read.map(({ change }) => change)
    if (first === undefined) throw new RangeError('nothing is to be committed')
    const changes = [first, ...rest] as const
    for (const change of changes) {
      const place = { source: ownSource.take(), isBehind: past.isBehind, now: clock.now() }
      const why = whyNotHere(change, place)
      if (why !== undefined) return { outcome: 'again', why }
      assertSignable(change, operator, self.signer)
    }
    const checks = signed.map(async ({ text, operatorSignature }) =>
      signers.verify(operator, 'change', text, operatorSignature),
    )
    if ((await Promise.all(checks)).includes(false)) {
      throw new FridgeError('ERR_REFUSED', 'the signature of the operator does not hold')
    }
    await stateExchange.stored()
    // From here to the end nothing else happens in between.
    const standing: Parameters<typeof assertStanding>[1] = {
      hasEquivocated: name => list.whitelist.hasEquivocated(name),
      state: subject => list.stateOf(subject),
    }
    for (const change of changes) assertStanding(change, standing)
    const merged = this.#mergeAll(read, operator)
    if (!Array.isArray(merged)) return merged
    if (!list.keepOwn(merged)) throw notRecorded(changes, list.storage.failing ?? 'it failed')
    return { outcome: 'committed', entries: merged.map(({ entry }) => entry) }
  }

  /** Merge all of some changes, each behind the one before, or none of them. */
  #mergeAll(
    read: readonly (SignedText & { readonly change: Change })[],
    operator: Signer,
  ): Merged[] | Again {
    const { list, self, clock } = this.#options
    const receivedAt = clock.monotonic()
    const merged: Merged[] = []
    try {
      for (const { change, text, operatorSignature } of read) {
        const again = this.whyAgain(change)
        if (again !== undefined) {
          takeBackAll(merged)
          return { outcome: 'again', ...again }
        }
        const entry = signedEntry(change, { text, operator, operatorSignature }, self)
        merged.push(list.merge(entry, receivedAt))
      }
    } catch (error) {
      takeBackAll(merged)
      throw error
    }
    return merged
  }
}

/** @throws FridgeError `ERR_PROTOCOL` when a text is no change */
function readChange(text: string): Change {
  const parsed = parseChange(text)
  if (!parsed.ok) throw new FridgeError('ERR_PROTOCOL', `cannot commit: ${parsed.why}`)
  return parsed.change
}
