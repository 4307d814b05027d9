/** The server of one node, as a library. */
export type { NodeConfig } from './config/config.ts'
export { loadConfig, type ConfigFlags, type ConfigSources } from './config/load-config.ts'
export { FridgeError, type ErrorCode } from './lib/errors.ts'
export type { Clock, Random } from './lib/clock.ts'
export type { Log } from './lib/log.ts'
export { startNode, type RunningNode, type StartOptions } from './start.ts'
