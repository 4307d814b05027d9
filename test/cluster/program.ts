import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

/** The top of the repository, where every program of this suite is started. */
export const ROOT = join(import.meta.dirname, '../..')

export interface Result {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Say what the suite does, as a person would type it. */
export function say(text: string): void {
  console.log(`  · ${text}`)
}

/**
 * Run a program to its end, whatever its exit status.
 * @throws when it does not end within `timeoutMs`; the program is killed then
 */
export async function run(
  command: readonly [string, ...string[]],
  timeoutMs = 120_000,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Result> {
  const [file, ...args] = command
  const child = spawn(file, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const [stdout, stderr, status] = await Promise.all([
    child.stdout.setEncoding('utf8').toArray(),
    child.stderr.setEncoding('utf8').toArray(),
    exitOf(child),
  ])
  clearTimeout(timer)
  const result = { status: status ?? -1, stdout: stdout.join(''), stderr: stderr.join('') }
  if (status === null) throw failure(command, result, `did not end within ${timeoutMs} ms`)
  return result
}

/** Run a program that must succeed. @throws with what it printed when it does not */
export async function succeed(
  command: readonly [string, ...string[]],
  timeoutMs?: number,
  env?: NodeJS.ProcessEnv,
): Promise<Result> {
  const result = await run(command, timeoutMs, env)
  if (result.status !== 0) throw failure(command, result, `ended with ${result.status}`)
  return result
}

function failure(command: readonly string[], result: Result, what: string): Error {
  return new Error(`${command.join(' ')} ${what}\n${result.stdout}\n${result.stderr}`)
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}

/** What a container prints while it runs. */
export class Log implements Disposable {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting = new Set<() => void>()
  #ended = false

  /** @param since the moment of the first line that counts; all lines without it */
  constructor(container: string, since?: Date) {
    const from = since === undefined ? [] : ['--since', since.toISOString()]
    const child = spawn('docker', ['logs', '--follow', ...from, container], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', line => {
        this.#lines.push(line)
        this.#wake()
      })
    }
    child.once('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** How many lines have come so far; a place to look on from. */
  get length(): number {
    return this.#lines.length
  }

  /**
   * The first line from `since` on that matches, which may have been printed already.
   * @throws with all lines when the container ends, or `timeoutMs` pass, without one
   */
  async line(pattern: RegExp, since = 0, timeoutMs = 30_000): Promise<string> {
    const deadline = AbortSignal.timeout(timeoutMs)
    deadline.addEventListener('abort', () => this.#wake())
    for (;;) {
      const found = this.#lines.slice(since).find(line => pattern.test(line))
      if (found !== undefined) return found
      if (deadline.aborted || this.#ended) {
        throw new Error(`no line like ${pattern} in:\n${this.#lines.join('\n')}`)
      }
      await new Promise<void>(resolve => this.#waiting.add(resolve))
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill()
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resume of waiting) resume()
  }
}
