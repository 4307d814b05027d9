import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { NODE_FLAGS } from './node-flags.ts'

/** A server in a process of its own, whose processor time can be asked for. */
export interface MeasuredServer extends AsyncDisposable {
  readonly pid: number | undefined
  readonly port: number
  /** Processor time since its start, user and system, microseconds. */
  cpuMicros(): Promise<number>
}

/** What a server of this folder says once it serves. */
export interface Serving {
  readonly port: number
}

/** Start one of the servers in this folder and wait until it serves. */
export async function startServer(file: string, args: readonly string[]): Promise<MeasuredServer> {
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
  const { port } = (await answer()) as Serving
  return {
    pid: child.pid,
    port,
    cpuMicros: async () => {
      child.send('cpu')
      return (await answer()) as number
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await exit
    },
  }
}

/** In the server's process: say that it serves, and answer questions until the parent lets go. */
export function reportTo(parent: NodeJS.Process, port: number, stop: () => Promise<void>): void {
  parent.on('message', () => {
    const { user, system } = parent.cpuUsage()
    parent.send?.(user + system)
  })
  parent.on('disconnect', () => void stop().finally(() => parent.exit()))
  parent.send?.({ port } satisfies Serving)
}
