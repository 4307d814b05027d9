import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'

import type { Clock } from '../../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../../lib/errors.ts'

export interface ProgramOptions {
  readonly clock: Clock
  /** How long a program may take to end after SIGTERM before it gets SIGKILL, ms. */
  readonly killAfterMs: number
}

/** A program that runs, with everything that it starts, as one process group. Disposing ends all. */
export interface Program extends AsyncDisposable {
  /** The last part of its path, for people. */
  readonly name: string
  /** Both end with the program; what is not read by `killAfterMs` after that is lost. */
  readonly stdout: Readable
  readonly stderr: Readable
  /**
   * How it ended, for people: `mosquitto_sub ended with status 1`. Call it when stdout is at its
   * end. A program that goes on with its output closed is ended.
   */
  ended(): Promise<string>
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
 * Run a program, its arguments as they are: there is no shell. It reads nothing (stdin is empty)
 * and has its own session, so a Ctrl-C meant for the node does not reach it; the node ends it.
 * @throws FridgeError `ERR_CONFIG` when it cannot be started; the message names it
 */
export async function startProgram(
  argv: readonly string[],
  { clock, killAfterMs }: ProgramOptions,
): Promise<Program> {
  const [file = '', ...args] = argv
  const name = basename(file)
  const child = await start(file, args)
  const group = child.pid
  let isOver = false
  // Its output ends with it, unless a process that left the group holds the other end.
  let grace: Disposable | undefined
  const closeOutput = (): void => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  addGroup(group)
  const over = once(child, 'exit').finally(() => {
    isOver = true
    // What it started and left behind; the group keeps its number while anyone is in it.
    signalGroup(group, 'SIGKILL')
    deleteGroup(group)
    grace = clock.after(killAfterMs, closeOutput)
  })

  const stop = async (): Promise<void> => {
    if (isOver) return
    signalGroup(group, 'SIGTERM')
    const deadline = clock.after(killAfterMs, () => signalGroup(group, 'SIGKILL'))
    await over
    deadline[Symbol.dispose]()
  }
  return {
    name,
    stdout: child.stdout,
    stderr: child.stderr,
    ended: async () => {
      // Its output closes a moment before it is over: only then is there a status to tell.
      const deadline = clock.after(killAfterMs, () => void stop())
      await over
      deadline[Symbol.dispose]()
      if (child.signalCode !== null) return `${name} was ended by ${child.signalCode}`
      return `${name} ended with status ${child.exitCode ?? 'unknown'}`
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      grace?.[Symbol.dispose]()
      closeOutput()
    },
  }
}

type StartedChild = ChildProcess & { pid: number; stdout: Readable; stderr: Readable }

async function start(file: string, args: string[]): Promise<StartedChild> {
  try {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    await once(child, 'spawn')
    return child as StartedChild
  } catch (error) {
    const why =
      errorCode(error) === 'ENOENT'
        ? 'there is no such program'
        : errorCode(error) === 'EACCES'
          ? 'it may not be executed by this user'
          : errorMessage(error)
    throw new FridgeError('ERR_CONFIG', `cannot start ${basename(file)}: ${why}`, { cause: error })
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch (error) {
    // ESRCH: all of it has ended. EPERM: what is left changed its user and cannot be reached.
    if (errorCode(error) !== 'ESRCH' && errorCode(error) !== 'EPERM') throw error
  }
}
