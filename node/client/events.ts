import type { FridgeError } from '../lib/errors.ts'
import type { AlarmChange } from '../alarms/alarm.ts'
import type { Name, Source } from '../identity/names.ts'
import type { SensorEvent, SensorKind } from '../sensors/kinds.ts'
import type { SensorInfo } from './node-hello.ts'

/** Where an event is from. */
interface Origin {
  readonly node: Name
  readonly sensor: string
}

/** What a sensor says: `open`, `close`, `reading` or `unavailable`, at a time in ms since 1970. */
export type SensorReport = SensorEvent &
  Origin & {
    readonly kind: SensorKind
    /** Its number among the events of this sensor in this run of the node: 1, 2, 3… */
    readonly sequence: number
  }

/** Events of a sensor that never came, by a slow reader or while no node was connected. */
export interface Missed extends Origin {
  readonly type: 'missed'
  readonly count: number
}

/** The grant no longer allows this sensor: what it said last need not hold any more. */
export interface Withdrawn extends Origin {
  readonly type: 'withdrawn'
}

/** A node serves this client from now on. */
export interface Connected {
  readonly type: 'connected'
  readonly node: Name
  /** `HOST:PORT`. */
  readonly address: string
  /** How far the clock of the node is ahead of ours, in milliseconds: the times of its events are its own. */
  readonly clockAheadMs: number
  readonly run: Source
  /**
   * Whether numbers go on: the same run of the same node as before, so that everything between is
   * told, or counted in `missed`. Else what happened meanwhile is not known.
   */
  readonly resumed: boolean
  readonly sensors: readonly SensorInfo[]
}

/** The node was lost, and another is being sought; when none is sought, iterations throw instead. */
export interface Lost {
  readonly type: 'lost'
  readonly node: Name
  readonly reason: FridgeError
}

/**
 * An alarm by the rules of the node: raised, over, or acknowledged by somebody. One that was over
 * while no node was connected says no `until`.
 */
export interface AlarmReport extends AlarmChange {
  readonly type: 'alarm'
  readonly node: Name
}

/** All about one sensor. */
export type SensorMessage = SensorReport | Missed | Withdrawn

export type FridgeEvent = SensorMessage | AlarmReport | Connected | Lost

export function isReport(event: FridgeEvent): event is SensorReport {
  return 'sequence' in event
}
