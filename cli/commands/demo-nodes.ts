import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { FridgeError } from '../../node/lib/errors.ts'
import { startProgram } from '../../node/sensors/drivers/program-process.ts'
import type { CommandIo } from '../io.ts'

/** A node that runs as a process of its own. Disposing it stops it and waits for its end. */
export interface NodeProcess extends AsyncDisposable {
  readonly name: string
  /** `HOST:PORT`. */
  readonly address: string
  /** Where its page is. */
  readonly page: string
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
    env: withoutOurs(env),
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
    const [address, page] = await Promise.race([lastWords(lines), ended])
    return { name, address, page, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}

/** What is set for the nodes of this machine is not meant for those of a demo. */
function withoutOurs(env: CommandIo['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('FRIDGE_')))
}

/** The last words of its first two lines: where it is, and where its page is. */
async function lastWords(lines: Interface): Promise<readonly [string, string]> {
  const words: string[] = []
  return new Promise(resolve => {
    lines.on('line', line => {
      words.push(line.slice(line.lastIndexOf(' ') + 1))
      const [address, page] = words
      if (address !== undefined && page !== undefined) resolve([address, page])
    })
  })
}
