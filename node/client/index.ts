/** The client library: connect to any node, hear its sensors, call its commands. */
export { parseAddress, type Address } from '../address.ts'
export { systemClock, type Clock } from '../clock.ts'
export { findCredentials, loadCredentials, type Credentials } from '../credentials.ts'
export { FridgeError, type ErrorCode } from '../errors.ts'
export { parseName, type Name } from '../names.ts'
export type { SensorEvent, SensorKind } from '../sensors/sensor.ts'
export { connectAny } from './failover.ts'
export {
  openNodeConnection,
  type NodeConnection,
  type NodeConnectionOptions,
  type SensorInfo,
} from './node-connection.ts'
