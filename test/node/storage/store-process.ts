import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('store-program.ts', import.meta.url))

/** The arguments that make node.js run the program of `store-program.ts`. */
export function storeArguments(
  task: 'hold' | 'write' | 'fill' | 'die' | 'list' | 'archive',
  file: string,
  stage?: string,
): string[] {
  return ['--no-warnings', PROGRAM, task, file, ...(stage === undefined ? [] : [stage])]
}

export interface StoreProcess extends AsyncDisposable {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  /** The next line that it prints. @throws when it ends first */
  line(): Promise<string>
  /** End it without a chance to clean up. Resolves when it is gone. */
  kill(): Promise<void>
}

/** Use a store in a process of its own: see `store-program.ts`. */
export function startStoreProcess(
  task: 'hold' | 'write' | 'archive',
  file: string,
  stage?: string,
): StoreProcess {
  const child = spawn(process.execPath, storeArguments(task, file, stage), {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const closed = new Promise<void>(resolve => {
    child.once('close', () => resolve())
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }
  return {
    child,
    line: async () => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the process ended before it spoke`)
      return value
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
