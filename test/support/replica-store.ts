import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Source } from '../../node/identity/names.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'

/** Everything that a store says: its list, its certificates, and what it would send to peers. */
export function storeText(
  store: ChangeStore,
  clocks: readonly ReadonlyMap<Source, number>[] = [],
): string {
  return JSON.stringify([
    loggedHashes(store),
    [...store.certificates()],
    ...clocks.map(clock => Array.from(store.after(clock), one => JSON.stringify(one))),
  ])
}

/** The log by the hashes of its entries, oldest first. */
export function loggedHashes(store: ChangeStore): string[] {
  return Array.from(store.logged(), one => ('entry' in one ? one.entry.hash : one.hash))
}

/** Open a store, read its log and close it. */
export function readStore(file: string): string[] {
  using store = openSqliteStore(file)
  return loggedHashes(store)
}

const PROGRAM = fileURLToPath(new URL('replica-process.ts', import.meta.url))

/** The arguments that make node.js run the program of `replica-process.ts`. */
export function storeArguments(task: 'hold' | 'write' | 'fill' | 'list', file: string): string[] {
  return ['--no-warnings', PROGRAM, task, file]
}

export interface StoreProcess extends AsyncDisposable {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  /** The next line that it prints. @throws when it ends first */
  line(): Promise<string>
  /** End it without a chance to clean up. Resolves when it is gone. */
  kill(): Promise<void>
}

/** Use a store in a process of its own: see `replica-process.ts`. */
export function startStoreProcess(task: 'hold' | 'write', file: string): StoreProcess {
  const child = spawn(process.execPath, storeArguments(task, file), {
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
