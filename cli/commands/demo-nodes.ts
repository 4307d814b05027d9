import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { FridgeError } from '../../node/lib/errors.ts'
import { startProgram } from '../../node/sensors/drivers/program-process.ts'
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
  // In a group of its own: Ctrl-C is for us, and we stop the nodes in order. All end if we are killed.
  const node = await startProgram([...self, 'node', 'start', '--name', name, ...args], {
    clock,
    env: { ...env },
    killAfterMs: STOP_MS,
  })
  let said = ''
  node.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_096)
  })
  const lines = createInterface(node.stdout)
  const ended = once(lines, 'close').then(async () => {
    await node.ended()
    throw new FridgeError('ERR_LISTEN', `${name} did not start:\n${said.trim()}`)
  })
  ended.catch(() => {})
  try {
    const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string]
    const address = line.slice(line.lastIndexOf(' ') + 1)
    return { name, address, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}
