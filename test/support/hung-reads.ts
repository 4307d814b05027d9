import { execFileSync } from 'node:child_process'
import { closeSync, constants, open, openSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { makeTestFolder } from './certs.ts'

/** How many threads Node.js reads files with, unless it is told otherwise. */
const POOL = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)

/**
 * Hang every thread that this process reads files with, as sensors do that do not answer: who
 * opens a pipe to read it waits until somebody opens it to write. Other tests of the file wait as
 * well, so that this is for serial ones.
 * @returns what lets the reads go on; the teardown does so too
 */
export async function hangReads(t: ExecutionContext): Promise<() => Promise<void>> {
  const pipe = join(await makeTestFolder(t), 'pipe')
  execFileSync('mkfifo', [pipe])
  const hanging = Array.from(
    { length: POOL },
    async () =>
      new Promise<void>((resolve, reject) => {
        open(pipe, constants.O_RDONLY, (error, file) => {
          if (error !== null) return reject(error)
          closeSync(file)
          resolve()
        })
      }),
  )
  let isLetGo = false
  const letGo = async (): Promise<void> => {
    if (isLetGo) return
    isLetGo = true
    // It does not wait itself, for there are readers, or else fails at once.
    const file = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
    await Promise.all(hanging)
    closeSync(file)
  }
  t.teardown(letGo)
  return letGo
}
