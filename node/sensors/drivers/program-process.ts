import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, resolve } from 'node:path'
import process from 'node:process'
import type { Duplex, Readable, Writable } from 'node:stream'

import type { Clock } from '../../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../../lib/errors.ts'

export interface ProgramOptions {
  readonly clock: Clock
  /** How long a program may take to end after SIGTERM before it gets SIGKILL, ms. */
  readonly killAfterMs: number
  /** What people call it. Default the last part of its path. */
  readonly title?: string | undefined
  /** Its environment. Default that of the node. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Whether it reads what is written to `stdin`. Default false: then its input is empty. */
  readonly hasInput?: boolean | undefined
}

/**
 * A program that runs, with everything that it starts, as one process group. Disposing ends all. A
 * process that even SIGKILL does not end, because the kernel keeps it in a read, is waited for no
 * longer than `killAfterMs`.
 */
export interface Program extends AsyncDisposable {
  /** What people call it. */
  readonly name: string
  /** Undefined for a program without input. */
  readonly stdin: Writable | undefined
  /** Both end with the program; what is not read by `killAfterMs` after that is lost. */
  readonly stdout: Readable
  readonly stderr: Readable
  /**
   * How it ended, for people: `mosquitto_sub ended with status 1`. Call it when stdout is at its
   * end. A program that goes on with its output closed is ended.
   */
  ended(): Promise<string>
  /**
   * End all of it at once, without a chance to tidy up, and read no more of it. Resolves when it is
   * over, if it ever is: the node does not stay for it.
   */
  kill(): Promise<void>
}

/**
 * The groups that run now. A node that exits in a hurry, without disposing, still leaves none
 * behind: one hook for all, since the process has one end.
 */
const groups = new Set<number>()

const killAll = (): void => groups.forEach(group => signalGroup(group, 'SIGKILL'))

function addGroup(group: number): void {
  if (groups.size === 0) process.on('exit', killAll)
  groups.add(group)
}

function deleteGroup(group: number): void {
  groups.delete(group)
  if (groups.size === 0) process.off('exit', killAll)
}

/**
 * Ends the group once the node is gone, however it went: nothing else of it can act after SIGKILL.
 * The shell leaves a guard in the group and becomes the program. The guard reads from descriptor 3,
 * whose other end only the node has, so it reads the end of file when the node ends. Nothing that
 * the program does keeps it there: the node ends the whole group when the program is over.
 */
const GUARD = `
( trap '' TERM
  read -r _ <&3
  kill -TERM 0
  left=$(($1 * 10))
  while [ "$left" -gt 0 ] && kill -0 $$ 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
  kill -KILL 0 ) </dev/null >/dev/null 2>&1 &
shift
exec "$@" 3<&-`

/**
 * Run a program, its arguments as they are: no shell reads them. It has its own session, so a Ctrl-C
 * meant for the node does not reach it; it ends with the node, also when the node is killed.
 * @throws FridgeError `ERR_CONFIG` when it cannot be started; the message names it
 */
export async function startProgram(
  argv: readonly string[],
  options: ProgramOptions,
): Promise<Program> {
  const { clock, killAfterMs } = options
  const [file = ''] = argv
  const { title: name = basename(file) } = options
  const child = await start(argv, options)
  const group = child.pid
  let isOver = false
  // Its output ends with it, unless a process that left the group holds the other end.
  let grace: Disposable | undefined
  const closeOutput = (): void => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const closeInput = (): void => {
    child.stdin?.destroy()
    child.lifeline?.destroy()
  }
  /** Keep this process for nothing of it. */
  const letGo = (): void => {
    closeInput()
    closeOutput()
    child.unref()
  }
  addGroup(group)
  const over = once(child, 'exit').then(() => {
    isOver = true
    // What it started and left behind; the group keeps its number while anyone is in it.
    signalGroup(group, 'SIGKILL')
    deleteGroup(group)
    closeInput()
    grace = clock.after(killAfterMs, closeOutput)
  })

  const abandoned = Promise.withResolvers<void>()
  const isOverWithin = async (ms: number): Promise<boolean> => {
    const late = Promise.withResolvers<void>()
    using _deadline = clock.after(ms, late.resolve)
    await Promise.race([over, late.promise])
    return isOver
  }
  const stop = async (): Promise<void> => {
    if (isOver) return
    signalGroup(group, 'SIGTERM')
    if (await isOverWithin(killAfterMs)) return
    signalGroup(group, 'SIGKILL')
    if (await isOverWithin(killAfterMs)) return
    letGo()
    abandoned.resolve()
  }
  return {
    name,
    stdin: child.stdin ?? undefined,
    stdout: child.stdout,
    stderr: child.stderr,
    ended: async () => {
      // Its output closes a moment before it is over: only then is there a status to tell.
      const deadline = clock.after(killAfterMs, () => void stop())
      await Promise.race([over, abandoned.promise])
      deadline[Symbol.dispose]()
      if (!isOver) return `${name} cannot be ended`
      if (child.signalCode !== null) return `${name} was ended by ${child.signalCode}`
      return `${name} ended with status ${child.exitCode ?? 'unknown'}`
    },
    kill: async () => {
      if (!isOver) signalGroup(group, 'SIGKILL')
      letGo()
      await over
      grace?.[Symbol.dispose]()
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      grace?.[Symbol.dispose]()
      closeOutput()
    },
  }
}

type StartedChild = ChildProcess & {
  pid: number
  stdout: Readable
  stderr: Readable
  /** Its end is the end of the node; undefined where there is no guard. */
  lifeline: Duplex | undefined
}

async function start(
  argv: readonly string[],
  { killAfterMs, env = process.env, hasInput = false }: ProgramOptions,
): Promise<StartedChild> {
  const [name = '', ...args] = argv
  // With the first process of a container all others end, and the kernel sees to it.
  const isGuarded = process.pid !== 1
  try {
    const file = findProgram(name, env['PATH'] ?? '')
    const graceSeconds = String(Math.ceil(killAfterMs / 1_000))
    const child = spawn(
      isGuarded ? 'sh' : file,
      isGuarded ? ['-c', GUARD, 'sh', graceSeconds, file, ...args] : args,
      {
        env,
        detached: true,
        stdio: [
          hasInput ? 'pipe' : 'ignore',
          'pipe',
          'pipe',
          ...(isGuarded ? (['pipe'] as const) : []),
        ],
      },
    )
    await once(child, 'spawn')
    const lifeline = isGuarded ? (child.stdio[3] as Duplex) : undefined
    // A program that closes its end of a pipe is no fault of the node.
    for (const pipe of [child.stdin, lifeline]) pipe?.on('error', () => undefined)
    return Object.assign(child as StartedChild, { lifeline })
  } catch (error) {
    throw asFailure(name, error)
  }
}

/** Why a program cannot be started, as far as that is known before; undefined where it can. */
export function programProblem(name: string, env = process.env): FridgeError | undefined {
  try {
    findProgram(name, env['PATH'] ?? '')
    return undefined
  } catch (error) {
    return asFailure(name, error)
  }
}

/** The name is whole, as it is configured: of a path it is the folder that is wrong, as often as not. */
function asFailure(name: string, error: unknown): FridgeError {
  const text =
    errorCode(error) === 'ENOENT'
      ? `there is no program ${name}`
      : errorCode(error) === 'EACCES'
        ? `this user may not execute ${name}`
        : `cannot start ${name}: ${errorMessage(error)}`
  return new FridgeError('ERR_CONFIG', text, { cause: error })
}

/**
 * The file that the system would run for `name`. It is looked for as `spawn` itself would, on this
 * thread: those of the pool may all be waiting for something else.
 * @throws as the system does where it cannot
 */
function findProgram(name: string, path: string): string {
  const files = name.includes('/')
    ? [name]
    : path.split(delimiter).map(folder => resolve(folder, name))
  let failure: unknown
  for (const file of files) {
    try {
      accessSync(file, constants.X_OK)
      // A folder may be "executed" too.
      if (statSync(file).isFile()) return file
    } catch (error) {
      if (errorCode(failure) !== 'EACCES') failure = error
    }
  }
  throw failure ?? Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch (error) {
    // ESRCH: all of it has ended. EPERM: what is left changed its user and cannot be reached.
    if (errorCode(error) !== 'ESRCH' && errorCode(error) !== 'EPERM') throw error
  }
}
