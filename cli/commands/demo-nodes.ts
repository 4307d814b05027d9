import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { FridgeError } from '../../node/lib/errors.ts'
import type { CommandIo } from '../io.ts'

/** A node that runs as a process of its own. Disposing it stops it and waits for its end. */
export interface NodeProcess extends AsyncDisposable {
  readonly name: string
  /** `HOST:PORT`. */
  readonly address: string
}

/** How long a stopped node may take, in milliseconds. */
const STOP_MS = 5_000

/**
 * Start `fridge node start` with these arguments, and wait until it serves.
 * @throws FridgeError with what the node said when it ends instead
 */
export async function startNodeProcess(
  name: string,
  args: readonly string[],
  { self, env, clock }: CommandIo,
): Promise<NodeProcess> {
  const [command, ...before] = self
  const child = spawn(command, [...before, 'node', 'start', '--name', name, ...args], {
    // A group of its own: Ctrl-C is for us, and we stop the nodes in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env },
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_096)
  })
  const stop = async (): Promise<void> => stopChild(child, clock)
  const ended = once(child, 'exit').then(() => {
    throw new FridgeError('ERR_LISTEN', `${name} did not start:\n${said.trim()}`)
  })
  ended.catch(() => {})
  try {
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [
      string,
    ]
    const address = line.slice(line.lastIndexOf(' ') + 1)
    return { name, address, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function stopChild(child: ChildProcess, clock: CommandIo['clock']): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  using _deadline = clock.after(STOP_MS, () => child.kill('SIGKILL'))
  await exit
}
