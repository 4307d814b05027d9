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

/** A server in Node.js. */
export interface WatchedServer extends MeasuredServer {
  /** Where its clients and operators connect, `HOST:PORT`, if that is elsewhere. */
  readonly address: string | undefined
  /** The longest turns of its loop since this was last asked. */
  longestTurn(): Promise<LongestTurn>
}

/** How long a loop stood still at most. */
export interface LongestTurn {
  /** By the clock: what other processes took of the processors meanwhile is in it. */
  readonly ms: number
  /** Processor time of the thread of the loop, of the turn that took most of it. */
  readonly cpuMs: number
}

type Question = 'cpu' | 'turn'
type Answer<Asked extends Question> = Asked extends 'cpu' ? number : LongestTurn

/** How closely turns are watched, ms. */
const TURN_RESOLUTION_MS = 1

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
  const ask = async <Asked extends Question>(question: Asked): Promise<Answer<Asked>> => {
    child.send(question)
    return (await answer()) as Answer<Asked>
  }
  const { port, address } = (await answer()) as Serving
  return {
    pid: child.pid,
    port,
    address,
    cpuMicros: async () => ask('cpu'),
    longestTurn: async () => ask('turn'),
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
  const takeLongest = watchTurns(parent)
  parent.on('message', question => {
    const { user, system } = parent.cpuUsage()
    return parent.send?.(question === 'cpu' ? user + system : takeLongest())
  })
  parent.on('disconnect', () => void stop().finally(() => parent.exit()))
  parent.send?.({ port, ...(address !== undefined && { address }) } satisfies Serving)
}

/** @returns gives the longest turns since it was last called */
function watchTurns(self: NodeJS.Process): () => LongestTurn {
  const look = (): LongestTurn => {
    const { user, system } = self.threadCpuUsage()
    return { ms: performance.now(), cpuMs: (user + system) / 1_000 }
  }
  let last = look()
  let longest: LongestTurn = { ms: 0, cpuMs: 0 }
  setInterval(() => {
    const now = look()
    longest = {
      ms: Math.max(longest.ms, now.ms - last.ms - TURN_RESOLUTION_MS),
      cpuMs: Math.max(longest.cpuMs, now.cpuMs - last.cpuMs),
    }
    last = now
  }, TURN_RESOLUTION_MS).unref()
  return () => {
    const taken = longest
    longest = { ms: 0, cpuMs: 0 }
    return taken
  }
}
