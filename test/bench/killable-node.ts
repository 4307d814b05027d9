import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { CommandIo } from '../../cli/io.ts'
import { BENCH_IO } from './site.ts'

/** A node in a process that can be killed, and started again on its data and port. */
export interface KillableNode extends AsyncDisposable {
  readonly pid: number
  readonly isRunning: boolean
  /** `HOST:PORT`, the same after each start. */
  readonly address: string
  /** End it as a power cut does. */
  kill(): Promise<void>
  restart(): Promise<void>
}

/**
 * Start a node by its configuration, and wait until it serves.
 * @param self the command that is run. Default: the one of this version
 */
export async function startKillableNode(
  config: string,
  self: CommandIo['self'] = BENCH_IO.self,
): Promise<KillableNode> {
  let { child, address } = await startProcess(config, self, [])
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!isRunning()) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
  return {
    get pid() {
      return child.pid ?? Number.NaN
    },
    get isRunning() {
      return isRunning()
    },
    get address() {
      return address
    },
    kill: async () => end('SIGKILL'),
    restart: async () => {
      ;({ child, address } = await startProcess(config, self, ['--listen', address]))
    },
    [Symbol.asyncDispose]: async () => end('SIGTERM'),
  }
}

async function startProcess(
  config: string,
  [command, ...flags]: CommandIo['self'],
  more: readonly string[],
): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(command, [...flags, 'node', 'start', '--config', config, ...more], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(child, 'exit').then(([status]) =>
    Promise.reject(new Error(`the node ended with ${status}`)),
  )
  ended.catch(() => {})
  const line = once(createInterface(child.stdout), 'line')
  const [said] = (await Promise.race([line, ended])) as [string]
  return { child, address: said.slice(said.lastIndexOf(' ') + 1) }
}
