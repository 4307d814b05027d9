import type { FridgeNumbers } from '../alarms/numbers.ts'
import type { NodeConfig } from '../config/config.ts'
import type { OwnRemoval } from '../gossip/own-removal.ts'
import type { Trust } from '../identity/trust.ts'
import type { Clock } from '../lib/clock.ts'
import { formatDuration } from '../lib/duration.ts'

/** How far a node has come. */
export type Phase = 'starting' | 'incomplete' | 'serving' | 'stopping'

export interface ReadinessState extends Pick<NodeConfig, 'whenIsolated'> {
  readonly phase: Phase
  readonly isIsolated: boolean
  /** Whether this node itself was removed from the list. */
  readonly isRemoved: boolean
  /** Whether two changes at one place carry its signature. */
  readonly isForked: boolean
  /** Whether what peers send is not being checked: any of it may be a removal. */
  readonly isStalled: boolean
  /** Why changes cannot be stored, if they cannot. */
  readonly failing: string | undefined
  /** How many more nodes have to say that the list may begin at its checkpoint, if that is waited for. */
  readonly lackingWitnesses: number | undefined
  /** The last moment of the certificate that the node shows, milliseconds since 1970. */
  readonly certificateEndsAt: number
}

/** Why a node does not serve clients, in a line for a person; undefined while it does. */
export function whyNotReady(
  {
    phase,
    isIsolated,
    isRemoved,
    isForked,
    whenIsolated,
    isStalled,
    failing,
    lackingWitnesses,
    certificateEndsAt,
  }: ReadinessState,
  now: number,
): string | undefined {
  if (isRemoved) return 'this node was removed from the list: it serves nobody'
  if (isForked) return 'this node has signed two changes at one place: it serves nobody'
  if (lackingWitnesses !== undefined && (phase === 'starting' || phase === 'incomplete')) {
    const nodes = lackingWitnesses === 1 ? 'one more node' : `${lackingWitnesses} more nodes`
    return `the list begins at a checkpoint, and ${nodes} must show that it stands: start one that is off, or name another one with --peer HOST:PORT`
  }
  if (phase === 'starting') return 'starting: no client is let in before a first exchange'
  if (phase === 'incomplete') return 'no exchange with a peer is complete: the list may be old'
  if (phase === 'stopping') return 'stopping'
  if (now > certificateEndsAt) return 'the certificate of this node has expired'
  if (isStalled) return 'signatures are not being checked'
  if (failing !== undefined) return `changes cannot be stored: ${failing}`
  if (isIsolated && whenIsolated === 'refuse') return 'isolated: no peer in reach'
  return undefined
}

export interface ReadinessOptions extends Pick<NodeConfig, 'whenIsolated'> {
  readonly isolation: { readonly isIsolated: boolean }
  readonly ownRemoval: Pick<OwnRemoval, 'removal' | 'isForked'>
  readonly verifier: { readonly isStalled: boolean }
  readonly storage: { readonly failing: string | undefined }
  readonly stateExchange: { readonly lacking: number | undefined }
  readonly trust: Pick<Trust, 'credentials'>
  readonly clock: Pick<Clock, 'now'>
}

/** How far a running node has come, and whether it serves clients. */
export class Readiness {
  /** Moved on by what starts and stops the node. */
  phase: Phase = 'starting'
  readonly #options: ReadinessOptions

  constructor(options: ReadinessOptions) {
    this.#options = options
  }

  /** Whether the threads that check signatures do not come back. */
  get isStalled(): boolean {
    return this.#options.verifier.isStalled
  }

  /** Why the node does not serve clients now, in a line for a person; undefined while it does. */
  get whyNot(): string | undefined {
    const { whenIsolated, isolation, ownRemoval, verifier, storage, trust, clock } = this.#options
    const { lacking: lackingWitnesses } = this.#options.stateExchange
    const { phase } = this
    const { isIsolated } = isolation
    const { isStalled } = verifier
    const { failing } = storage
    const isRemoved = ownRemoval.removal !== undefined
    const certificateEndsAt = trust.credentials.identity.notAfter
    const { isForked } = ownRemoval
    const problems = { isIsolated, isRemoved, isForked, isStalled, failing, lackingWitnesses }
    const state = { phase, whenIsolated, certificateEndsAt, ...problems }
    return whyNotReady(state, clock.now())
  }
}

/**
 * What is wrong with the fridge, in a line for a person, though its node serves; undefined where
 * nothing is. A sensor that is dead takes no node out of service: its clients would lose the other
 * sensors and the alarms as well, and whatever restarts a node that is not ready cannot mend it.
 */
export function whatFails({ sensors, receivers }: FridgeNumbers): string | undefined {
  const dead = sensors.flatMap(({ silence }) => {
    if (silence?.isTooLong !== true) return []
    const { sensor, ms, reason } = silence
    return [`${sensor} has been unavailable for ${formatDuration(ms)}: ${reason}`]
  })
  const untold = receivers.flatMap(({ whyNot }) =>
    whyNot === undefined ? [] : [`alarms reach not all who are to be told: ${whyNot}`],
  )
  const all = [...dead, ...untold]
  return all.length === 0 ? undefined : all.join('; ')
}
