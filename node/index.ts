/** The server of one node, as a library. */
export { loadConfig, type ConfigFlags, type ConfigSources, type NodeConfig } from './config.ts'
export { FridgeError, type ErrorCode } from './errors.ts'
export type { Clock, Random } from './clock.ts'
export type { Log } from './log.ts'
export { startNode, type RunningNode, type StartOptions } from './start.ts'
