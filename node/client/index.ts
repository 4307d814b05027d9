/** The client library: connect to a cluster, hear its sensors, call its commands. */
export { parseAddress, type Address } from '../address.ts'
export type { Clock, Random } from '../clock.ts'
export type { CommandName } from '../commands.ts'
export {
  findCredentials,
  loadCredentialFiles,
  loadCredentials,
  type Credentials,
} from '../credentials.ts'
export { FridgeError, type ErrorCode } from '../errors.ts'
export { parseName, type Name } from '../names.ts'
export type { SensorEvent, SensorKind } from '../sensors/sensor.ts'
export type { CallOptions } from '../wire/rpc.ts'
export { connect, type ConnectOptions } from './connect.ts'
export type {
  Connected,
  FridgeEvent,
  Lost,
  Missed,
  SensorMessage,
  SensorReport,
  Withdrawn,
} from './events.ts'
export type { EventsOptions, Fridge } from './fridge.ts'
export type { SensorInfo } from './node-hello.ts'
