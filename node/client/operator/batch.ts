import { createPrivateKey } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Credentials } from '../../identity/credentials.ts'
import type { Identity } from '../../identity/identity.ts'
import type { Name } from '../../identity/names.ts'
import { signText } from '../../identity/signature.ts'
import type { Clock } from '../../lib/clock.ts'
import { BATCH_LIMITS } from '../../operators/batch-limits.ts'
import { encodeChange, type Change } from '../../whitelist/change.ts'
import { entryHash } from '../../whitelist/entry.ts'
import type { CallOptions } from '../../wire/rpc.ts'
import type { NodeConnection } from '../node-connection.ts'
import {
  unreadable,
  type CommittedChange,
  type NodeConfirmation,
  type UnprovenReport,
} from './answers.ts'
import { askCommit, provesTaken } from './commit-answer.ts'
import { fieldsOf } from './own-state.ts'
import {
  AGREEMENT,
  drawWish,
  MAX_ROUNDS,
  mistrust,
  notAccepted,
  readProposal,
  type ChangeWish,
} from './proposal.ts'
import { agrees, askFrontiers, disagreement } from './second-node.ts'

/** Changes that were committed together: what is known of the way of the last of them. */
export interface CommittedBatch extends CommittedChange {
  /** How many of the wishes, from the first on. */
  readonly count: number
}

export interface BatchOptions {
  readonly node: Name
  readonly credentials: Credentials
  readonly clock: Clock
  readonly call: (
    method: string,
    values: readonly unknown[],
    options?: CallOptions,
  ) => Promise<unknown>
  /** Connect to another node of the cluster; undefined where none answers. */
  readonly second: () => Promise<NodeConnection | undefined>
  /** How long the batch with the last wish waits for the other nodes, in milliseconds: it alone hears of them. */
  readonly waitMs: number
  readonly onConfirmed?: (confirmation: NodeConfirmation) => void
}

/**
 * Bytes of what is asked for in one call, encoded twice: as a value in a message, and that as text in
 * a frame. A node takes 64 KiB.
 */
const MAX_ASKED_BYTES = 49_152

/** What may be asked for in a batch. */
export type BatchWish = Exclude<ChangeWish, { readonly kind: 'checkpoint' }>

/** Who proposes and who signs, and the time on this machine. */
interface BatchReading {
  readonly node: Name
  readonly operator: Pick<Identity, 'name' | 'fingerprint'>
  readonly now: number
}

/** A wish with what identifies it. */
interface Asked {
  readonly wish: BatchWish
  readonly id: string
}

/**
 * Propose as many of some changes as fit into one batch, sign each that was asked for, and have them
 * committed: all of them, or none.
 * @throws FridgeError `ERR_PROTOCOL` when the node proposes what was not asked for, `ERR_CONFLICT`
 *   when others change the same, or two nodes do not say the same of whom is to be let in
 */
export async function commitBatch(
  wishes: readonly BatchWish[],
  options: BatchOptions,
): Promise<CommittedBatch> {
  const { node, credentials } = options
  const key = createPrivateKey(credentials.key)
  const signed = new SignedBatch()
  let asked = fittingOf(wishes)
  let why = ''
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const changes = await propose(asked, signed, options)
    asked = asked.slice(0, changes.length)
    signed.note(changes)
    const signatures = changes.map(change => signText(key, 'change', encodeChange(change)))
    const isLast = changes.length === wishes.length
    const wait = isLast ? options : { waitMs: 0 }
    const commit = async (): Promise<UnprovenReport> =>
      askToCommit(changes, signatures, { ...wait, node, call: options.call })
    let report = await commit()
    if (report.outcome === 'again' && report.taken === undefined) {
      // It may have lost its turn. In the next one the same texts stand, or are proven not to.
      const [first] = asked
      await options.call('propose', [{ ...first?.wish, wish: first?.id }])
      report = await commit()
    }
    if (report.outcome === 'committed') return { ...report, count: changes.length }
    why = report.why
    const { taken } = report
    const [first] = changes
    if (taken === undefined || first === undefined) continue
    if (await provesTaken(taken, first, { node, credentials })) signed.noteTaken()
  }
  throw notAccepted(why)
}

/** The first of some wishes: as many as one call may hold. */
function fittingOf(wishes: readonly BatchWish[]): Asked[] {
  const asked: Asked[] = []
  let bytes = 0
  for (const wish of wishes) {
    const one = { wish, id: drawWish() }
    bytes += Buffer.byteLength(JSON.stringify(JSON.stringify({ ...wish, wish: one.id })))
    const isFull = bytes > MAX_ASKED_BYTES || asked.length === BATCH_LIMITS.maxChanges
    if (isFull && asked.length > 0) break
    asked.push(one)
  }
  return asked
}

/** What the node proposes, if all of it may be signed. */
async function propose(
  asked: readonly Asked[],
  signed: SignedBatch,
  options: BatchOptions,
): Promise<readonly Change[]> {
  const { node, clock, call, credentials } = options
  for (let left = AGREEMENT.tries; ; left -= 1) {
    const values = asked.map(({ wish, id }) => ({ ...wish, wish: id }))
    const changes = readBatch(await call('proposeBatch', [values]), asked, {
      node,
      operator: credentials.identity,
      now: clock.now(),
    })
    const doubt = await doubtOf(changes, asked, options)
    if (doubt !== undefined && left > 1) {
      await clock.sleep(AGREEMENT.waitMs)
      continue
    }
    if (doubt !== undefined)
      throw disagreement(doubt.wish, { node, second: doubt.second }, 'frontier')
    const why = signed.whyNot(changes)
    if (why !== undefined) throw mistrust(node, 'asks for other signatures', why)
    if (!signed.hasSameSeen(changes)) throw notAccepted('names were changed meanwhile')
    return changes
  }
}

/**
 * Read what a node proposes to sign: it might be stolen. Each text is held against its own wish, as
 * one that is proposed alone, and stands behind the one before.
 * @throws FridgeError `ERR_PROTOCOL`
 */
export function readBatch(
  answer: unknown,
  asked: readonly Asked[],
  { node, operator, now }: BatchReading,
): readonly Change[] {
  const { texts, nodeCertificate } = fieldsOf(answer)
  const isBatch =
    Array.isArray(texts) &&
    texts.length > 0 &&
    texts.length <= asked.length &&
    typeof nodeCertificate === 'string'
  if (!isBatch) throw unreadable(node, 'proposeBatch', 'it is no list of changes')
  const certificates = { operatorCertificate: operator.fingerprint, nodeCertificate }
  const changes: Change[] = []
  for (const [index, text] of texts.entries()) {
    const { wish, id } = asked[index] as Asked
    const change = readProposal(text, {
      wish,
      id,
      operator: operator.name,
      node,
      now,
      // No checkpoint is in a batch.
      trusted: () => [],
    })
    if (typeof change === 'string') throw mistrust(node, 'proposes what was not asked for', change)
    const before = changes.at(-1)
    if (before !== undefined && !isBehind(change, before, certificates)) {
      throw mistrust(
        node,
        'proposes what was not asked for',
        'places that do not follow each other',
      )
    }
    changes.push(change)
  }
  return changes
}

/** Whether a change can stand nowhere but right behind another one. */
function isBehind(
  change: Change,
  before: Change,
  certificates: Parameters<typeof entryHash>[1],
): boolean {
  return (
    change.source === before.source &&
    change.sequence === before.sequence + 1 &&
    change.previous === entryHash(encodeChange(before), certificates)
  )
}

/** A wish of which a second node does not say the same. Of removals there is nothing to compare. */
async function doubtOf(
  changes: readonly Change[],
  asked: readonly Asked[],
  { node, second }: BatchOptions,
): Promise<{ readonly wish: ChangeWish; readonly second: Name } | undefined> {
  if (changes.every(({ kind }) => kind === 'revocation')) return undefined
  const other = await second()
  if (other === undefined || other.node === node) return undefined
  const frontiers = await askFrontiers(
    other,
    changes.map(({ subject }) => subject),
  )
  for (const [index, change] of changes.entries()) {
    const frontier = frontiers[index]
    const wish = asked[index]?.wish
    if (frontier === undefined || wish === undefined || agrees(change, frontier)) continue
    return { wish, second: other.node }
  }
  return undefined
}

async function askToCommit(
  changes: readonly Change[],
  signatures: readonly string[],
  {
    node,
    call,
    waitMs,
    onConfirmed,
  }: Pick<BatchOptions, 'node' | 'call' | 'waitMs' | 'onConfirmed'>,
): Promise<UnprovenReport> {
  const place = changes.at(-1)
  if (place === undefined) throw new RangeError('nothing was signed')
  return askCommit(async options => call('commitBatch', [signatures, waitMs], options), {
    node,
    method: 'commitBatch',
    place,
    waitMs,
    ...(onConfirmed && { onConfirmed }),
  })
}

/**
 * What is signed for the wishes of one batch. There are other texts for the same wishes only where
 * no two of one wish can both be: at the same places, or when the place of the first is proven to be
 * taken by another change. Those behind it stand behind it or nowhere.
 */
export class SignedBatch {
  #last: readonly Change[] = []
  #isTaken = false

  /** It is proven that the first of the last texts can never stand at its place. */
  noteTaken(): void {
    this.#isTaken = true
  }

  /** Why proposed changes may not be signed in the place of those before; undefined if they may. */
  whyNot(proposed: readonly Change[]): string | undefined {
    const [last] = this.#last
    const [first] = proposed
    if (last === undefined || first === undefined) return undefined
    if (first.source !== last.source) return 'the node numbers its changes anew since'
    if (proposed.length !== this.#last.length) return 'there are more or fewer than before'
    const isSamePlace = first.sequence === last.sequence && first.previous === last.previous
    const isLater = this.#isTaken && first.sequence > last.sequence
    return isSamePlace || isLater ? undefined : 'nothing proves that the first place is taken'
  }

  /**
   * Whether removals are the same as those that were signed, whatever their places: another `seen`
   * would make each of them a second removal.
   */
  hasSameSeen(proposed: readonly Change[]): boolean {
    return this.#last.every(
      ({ kind, seen }, index) =>
        kind !== 'revocation' || isDeepStrictEqual(proposed[index]?.seen, seen),
    )
  }

  /** Changes were signed. */
  note(changes: readonly Change[]): void {
    this.#last = changes
    this.#isTaken = false
  }
}
