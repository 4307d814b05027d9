/** The client library: connect to a cluster, hear its sensors, call its commands. */
export { parseAddress, type Address } from '../lib/address.ts'
export type { Clock, Random } from '../lib/clock.ts'
export type { CommandName } from '../sensors/commands.ts'
export {
  findCredentials,
  loadCredentialFiles,
  loadCredentials,
  type Credentials,
} from '../identity/credentials.ts'
export { FridgeError, type ErrorCode } from '../lib/errors.ts'
export { parseName, type Name } from '../identity/names.ts'
export type { SensorEvent, SensorKind } from '../sensors/kinds.ts'
export type { CallOptions } from '../wire/rpc.ts'
export { connect, type ConnectOptions } from './connect.ts'
export type { Acknowledgement, Alarm, AlarmKind, AlarmState } from '../alarms/alarm.ts'
export type { RuleType } from '../alarms/rule.ts'
export type {
  AlarmReport,
  Connected,
  FridgeEvent,
  Lost,
  Missed,
  SensorMessage,
  SensorReport,
  Withdrawn,
} from './events.ts'
export type { EventsOptions, Fridge } from './fridge.ts'
export type { HistoryQuestion, HistoryRows } from './history.ts'
export type { SensorInfo } from './node-hello.ts'
export type { Bucket } from '../history/bucket.ts'
export type { Reading, Span } from '../history/reader.ts'
export type { RecordedEvent } from '../history/seal.ts'
