import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { CredentialFiles } from '../../node/identity/credential-files.ts'

/** When connections ended, as their clients saw it. */
export interface Cuts {
  /** In nanoseconds of the clock that all processes of the machine share (`process.hrtime`). */
  readonly at: readonly string[]
  /** What the process of the clients spent from the last one connected to the last one cut, ms. */
  readonly processorMs: number
}

/** Clients in a process of their own, which see when they are cut and do nothing else. */
export interface CutWatch extends AsyncDisposable {
  /** Connect one client to each address. Resolves when all are served, with what becomes of them. */
  connect(addresses: readonly string[]): Promise<{ readonly cuts: Promise<Cuts> }>
}

export function startCutWatch(files: CredentialFiles): CutWatch {
  const child = fork(join(import.meta.dirname, 'cut-clients.ts'), [JSON.stringify(files)])
  const exit = once(child, 'exit')
  const failed = exit.then(([status]) => Promise.reject(new Error(`clients ended with ${status}`)))
  failed.catch(() => {})
  const answer = async (): Promise<unknown> => {
    const [message] = (await Promise.race([once(child, 'message'), failed])) as [unknown]
    return message
  }
  return {
    connect: async addresses => {
      child.send(addresses)
      await answer()
      return { cuts: answer() as Promise<Cuts> }
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await exit
    },
  }
}
