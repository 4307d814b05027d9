import type { Feeds } from '../sensors/feed.ts'
import type { SensorEvent } from '../sensors/kinds.ts'
import type { Alarms } from './alarms.ts'
import { encodeVitals, type VitalsSource } from './vitals.ts'

/** What a node is to do at all times: whether it does, and when that changes. */
export interface Duty {
  /** Why it does not; undefined while it does. */
  readonly whyNot: string | undefined
  readonly subscribe: (listener: () => void) => Disposable
}

export interface VitalSignsOptions extends VitalsSource {
  readonly feeds: Pick<Feeds, 'sensors' | 'subscribe' | 'last'>
  readonly alarms: Pick<Alarms, 'standing' | 'subscribe'>
  /** To record the history. */
  readonly recording: Duty
  /** To tell alarms to whoever is configured. */
  readonly telling: Duty
}

/** How the fridge of this node is, for all others, and when it changes. */
export class VitalSigns {
  readonly #options: VitalSignsOptions

  constructor(options: VitalSignsOptions) {
    this.#options = options
  }

  /** @param maxBytes how much of it there may be, in bytes of JSON */
  encode(maxBytes: number): Record<string, unknown> {
    return encodeVitals(this.#options, maxBytes)
  }

  /** @param listener told of each change, and whether people wait for it */
  subscribe(listener: (isUrgent: boolean) => void): Disposable {
    const { feeds, alarms, recording, telling } = this.#options
    const stack = new DisposableStack()
    const before = new Map<string, SensorEvent['type']>()
    stack.use(
      feeds.subscribe(({ name }, { type }) => {
        // Readings follow each other; that they begin or end is news.
        const isUrgent = type !== 'reading' || before.get(name) !== 'reading'
        before.set(name, type)
        listener(isUrgent)
      }),
    )
    stack.use(alarms.subscribe(() => listener(true)))
    for (const duty of [recording, telling]) stack.use(duty.subscribe(() => listener(true)))
    return stack
  }
}
