import type { Alarm, AlarmState } from '../alarms/alarm.ts'
import { STANDING } from '../alarms/alarm-stream.ts'
import { isAlarmId, parseAlarm } from '../alarms/parse.ts'
import { parseSealedEvent, parseSensorEvent, type SensorInfo } from '../events/told-sensor.ts'
import { EVENT_TYPES, type SensorEvent } from '../sensors/kinds.ts'
import type { Connection } from '../wire/connection.ts'
import { attachEmitter } from '../wire/emitter.ts'
import { NODE_LIMITS } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import type { OpenSealed } from './sealed-events.ts'

/** What a client hears of the sensors and the alarms of a node. */
export interface EventHandlers {
  /**
   * Hear of the sensors that the node lets this client read.
   * @param sequence the number of the event within the run of the node
   */
  readonly onEvent?: (sensor: SensorInfo, event: SensorEvent, sequence: number) => void
  /** Hear what happens to alarms; those that stood before are `raised` again, behind `onStanding`. */
  readonly onAlarm?: (state: AlarmState, alarm: Alarm) => void
  /** The ids of all alarms that stand, of sensors that this client may read. */
  readonly onStanding?: (ids: readonly string[]) => void
  /** What the node still had of a sensor that was resumed has come, and what it had sent before. */
  readonly onResumed?: (sensor: SensorInfo) => void
  /** This client may not read the sensor any more: its grant was narrowed. */
  readonly onWithdrawn?: (sensor: SensorInfo) => void
}

const RESUMED = 'resumed'
const SEALED = 'sealed'
const ACCEPTS: ReadonlySet<string> = new Set([...EVENT_TYPES, SEALED, RESUMED])

/** Events that are malformed are passed over. */
export function listenToSensor(
  connection: Connection,
  stream: MuxStream,
  sensor: SensorInfo,
  { onEvent, onResumed, onWithdrawn }: EventHandlers,
  openSealed: OpenSealed,
): void {
  const emitter = attachEmitter(stream, {
    limits: NODE_LIMITS,
    accepts: ACCEPTS,
    onRefused: refusal => connection.refuse(refusal),
  })
  emitter.on(SEALED, (...values) => {
    const sealed = parseSealedEvent(values)
    if (sealed === undefined) return
    onEvent?.(sensor, openSealed(sensor, sealed), sealed.sequence)
  })
  for (const type of EVENT_TYPES) {
    emitter.on(type, (...values) => {
      // Of a sealed sensor a value in clear is not its node's word.
      if (sensor.sealed !== undefined) return
      const numbered = parseSensorEvent(sensor.kind, type, values)
      if (numbered !== undefined) onEvent?.(sensor, numbered.event, numbered.sequence)
    })
  }
  emitter.on(RESUMED, () => onResumed?.(sensor))
  stream.onClose(() => {
    if (!connection.ended) onWithdrawn?.(sensor)
  })
}

const ALARM_STATES: readonly AlarmState[] = ['raised', 'over', 'acknowledged']

/** Alarms that are malformed are passed over, as events of sensors are. */
export function listenToAlarms(
  connection: Connection,
  stream: MuxStream,
  { onAlarm, onStanding }: EventHandlers,
): void {
  const emitter = attachEmitter(stream, {
    limits: NODE_LIMITS,
    accepts: new Set([STANDING, ...ALARM_STATES]),
    onRefused: refusal => connection.refuse(refusal),
  })
  emitter.on(STANDING, ids => {
    if (Array.isArray(ids) && ids.every(isAlarmId)) onStanding?.(ids)
  })
  for (const state of ALARM_STATES) {
    emitter.on(state, value => {
      const alarm = parseAlarm(value)
      if (alarm !== undefined) onAlarm?.(state, alarm)
    })
  }
}
