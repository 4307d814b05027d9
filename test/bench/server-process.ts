import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { NODE_FLAGS } from './node-flags.ts'

/** A server in a process of its own, whose processor time can be asked for. */
export interface MeasuredServer extends AsyncDisposable {
  readonly pid: number | undefined
  readonly port: number
  /** Processor time since its start, user and system, microseconds. */
  cpuMicros(): Promise<number>
}

/** A server in Node.js. */
export interface WatchedServer extends MeasuredServer {
  /** Where its clients and operators connect, `HOST:PORT`, if that is elsewhere. */
  readonly address: string | undefined
  /** The longest turn of its loop since this was last asked, ms; from the first time on. */
  longestTurnMs(): Promise<number>
}

type Question = 'cpu' | 'turn'

/** How closely turns are watched, ms. */
const TURN_RESOLUTION_MS = 5

/** What a server of this folder says once it serves. */
export interface Serving {
  readonly port: number
  readonly address?: string
}

/** Start one of the servers in this folder and wait until it serves. */
export async function startServer(file: string, args: readonly string[]): Promise<WatchedServer> {
  const child = fork(join(import.meta.dirname, file), args, {
    execArgv: [...NODE_FLAGS],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exit = once(child, 'exit')
  const failed = exit.then(([status]) => Promise.reject(new Error(`${file} ended with ${status}`)))
  failed.catch(() => {})
  const answer = async (): Promise<unknown> => {
    const [message] = (await Promise.race([once(child, 'message'), failed])) as unknown[]
    return message
  }
  const ask = async (question: Question): Promise<number> => {
    child.send(question)
    return (await answer()) as number
  }
  const { port, address } = (await answer()) as Serving
  return {
    pid: child.pid,
    port,
    address,
    cpuMicros: async () => ask('cpu'),
    longestTurnMs: async () => ask('turn'),
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await exit
    },
  }
}

/** In the server's process: say that it serves, and answer questions until the parent lets go. */
export function reportTo(
  parent: NodeJS.Process,
  port: number,
  stop: () => Promise<void>,
  address?: string,
): void {
  const turns = monitorEventLoopDelay({ resolution: TURN_RESOLUTION_MS })
  parent.on('message', question => {
    const { user, system } = parent.cpuUsage()
    if (question === 'cpu') return parent.send?.(user + system)
    parent.send?.(turns.max / 1e6)
    turns.reset()
    return turns.enable()
  })
  parent.on('disconnect', () => void stop().finally(() => parent.exit()))
  parent.send?.({ port, ...(address !== undefined && { address }) } satisfies Serving)
}
