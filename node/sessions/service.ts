import type { Alarms } from '../alarms/alarms.ts'
import type { FanOut } from '../events/fan-out.ts'
import type { History } from '../history/history.ts'
import type { Name, Source } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import type { Seals } from '../seal/seals.ts'
import type { Lookout } from '../lib/lookout.ts'
import type { Actuator } from '../sensors/actuator.ts'
import type { Sensor } from '../sensors/sensor.ts'
import type { CommandTrail } from './command-trail.ts'

/** What a node serves to its clients. */
export interface Service {
  readonly node: Name
  /** This run of the node: its events are numbered within it. */
  readonly run: Source
  readonly version: string
  readonly sensors: readonly Sensor[]
  readonly actuator: Actuator | undefined
  readonly fanOut: FanOut
  /** The sensors whose values leave the node sealed. */
  readonly seals: Pick<Seals, 'infoOf' | 'keyOf'>
  /** Looked at before a client is served: a node that slept must see first whether it still may. */
  readonly lookout: Pick<Lookout, 'check'>
  readonly history: Pick<History, 'page'>
  readonly trail: CommandTrail
  readonly alarms: Alarms
  readonly clock: Clock
}
