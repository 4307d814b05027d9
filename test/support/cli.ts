import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { CommandIo, ExitStatus } from '../../cli/io.ts'
import { runProgram } from '../../cli/program.ts'
import { systemClock, type Clock } from '../../node/lib/clock.ts'

/** Compiled code that all processes of a run share: each would take half a second to make it anew. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

/** Nodes of tests that run at once would all want the same port; moments are told alike everywhere. */
const TEST_ENV = { FRIDGE_METRICS: 'off', TZ: 'UTC', XDG_CONFIG_HOME: '/nonexistent' }

/** The program `fridge`. */
export const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** How long a test waits for the next line, in milliseconds. */
const SILENCE_MS = 60_000

/** What a program has said on one of its outputs, line by line. */
export class Lines {
  readonly all: string[] = []
  readonly #more = new EventEmitter().setMaxListeners(0)
  #ended = false

  push(line: string): void {
    this.all.push(line)
    this.#more.emit('change')
  }

  end(): void {
    this.#ended = true
    this.#more.emit('change')
  }

  get text(): string {
    return this.all.join('\n')
  }

  /**
   * The first line, said or still to come, that matches.
   * @param from the place of the first that counts. Default 0
   * @param silenceMs how long nothing may be said. Default 60000
   * @throws when the output ends without it, or says nothing for so long: a test that waited for
   *   ever would not say for what
   */
  async find(pattern: RegExp, from = 0, silenceMs = SILENCE_MS): Promise<string> {
    for (let next = from; ;) {
      for (; next < this.all.length; next += 1) {
        const line = this.all[next]
        if (line !== undefined && pattern.test(line)) return line
      }
      if (this.#ended) throw new Error(`no line matches ${String(pattern)} in:\n${this.text}`)
      const signal = AbortSignal.timeout(silenceMs)
      await once(this.#more, 'change', { signal }).catch(() => {
        const seconds = silenceMs / 1_000
        throw new Error(`for ${seconds} s no line matches ${String(pattern)} in:\n${this.text}`)
      })
    }
  }
}

export interface RecordedIo {
  readonly io: CommandIo
  readonly out: Lines
  readonly err: Lines
}

export interface IoOptions {
  readonly cwd?: string
  readonly env?: CommandIo['env']
  readonly clock?: Clock
  readonly signal?: AbortSignal
  readonly onReload?: CommandIo['onReload']
  readonly columns?: number
  readonly hasColours?: boolean
  readonly isLogRead?: boolean
  readonly progress?: CommandIo['progress']
  readonly confirm?: CommandIo['confirm']
  readonly input?: string
  readonly askSecret?: CommandIo['askSecret']
}

/** What a command may touch, with what it prints written down. */
export function recordIo(options: IoOptions = {}): RecordedIo {
  const out = new Lines()
  const err = new Lines()
  const io: CommandIo = {
    out: line => out.push(line),
    err: line => err.push(line),
    log: line => err.push(line),
    serveUnheard: () => {},
    progress: options.progress ?? (() => {}),
    redraw: lines => lines.forEach(line => out.push(line)),
    noteDone: () => {},
    confirm: options.confirm,
    askSecret: options.askSecret,
    readInput: async () => options.input ?? '',
    columns: options.columns,
    hasColours: options.hasColours ?? false,
    isLogRead: options.isLogRead ?? false,
    env: { ...TEST_ENV, ...options.env },
    cwd: options.cwd ?? '/nonexistent',
    signal: options.signal ?? new AbortController().signal,
    onReload: options.onReload ?? (() => ({ [Symbol.dispose]: () => {} })),
    clock: options.clock ?? systemClock,
    self: [process.execPath, MAIN],
  }
  return { io, out, err }
}

/** A command line that runs inside this process. */
export interface CommandRun {
  readonly out: Lines
  readonly err: Lines
  readonly status: Promise<ExitStatus>
  /** As the first SIGINT does. */
  readonly stop: () => void
}

/** Run one command line in this process; `status` settles when it is over. */
export function startCommand(args: readonly string[], options: IoOptions = {}): CommandRun {
  const abort = new AbortController()
  const { io, out, err } = recordIo({ signal: abort.signal, ...options })
  const status = runProgram(args, io).finally(() => {
    out.end()
    err.end()
  })
  return { out, err, status, stop: () => abort.abort() }
}

export interface CommandResult {
  readonly status: ExitStatus
  readonly out: string
  readonly err: string
}

/** Run one command line in this process to its end. */
export async function runCommand(
  args: readonly string[],
  options: IoOptions = {},
): Promise<CommandResult> {
  const { out, err, status } = startCommand(args, options)
  return { status: await status, out: out.text, err: err.text }
}

/** `fridge` as a process of its own. */
export interface CliProcess {
  readonly child: ChildProcess
  readonly out: Lines
  readonly err: Lines
  /** The exit status, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>
}

export interface SpawnOptions {
  readonly cwd?: string
  readonly env?: CommandIo['env']
  /** A program that starts the one that it is given, with its arguments, in its own place. */
  readonly through?: readonly string[]
}

/** Start `fridge` as a person does; the test's end kills it if it still runs. */
export function spawnCli(
  t: Pick<ExecutionContext, 'teardown'>,
  args: readonly string[],
  options: SpawnOptions = {},
): CliProcess {
  return spawnProgram(t, [MAIN, ...args], options)
}

/** Start a program of this project on the Node.js that runs the test. */
export function spawnProgram(
  t: Pick<ExecutionContext, 'teardown'>,
  args: readonly string[],
  { cwd, env = {}, through = [] }: SpawnOptions = {},
): CliProcess {
  const [program = process.execPath, ...all] = [...through, process.execPath, ...args]
  const child = spawn(program, all, {
    cwd,
    env: {
      PATH: process.env['PATH'],
      TMPDIR: process.env['TMPDIR'],
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...TEST_ENV,
      FRIDGE_WEB: 'off',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out = new Lines()
  const err = new Lines()
  createInterface(child.stdout)
    .on('line', line => out.push(line))
    .on('close', () => out.end())
  createInterface(child.stderr)
    .on('line', line => err.push(line))
    .on('close', () => err.end())
  const exit = once(child, 'close').then(
    ([status, signal]) => (status ?? signal) as number | NodeJS.Signals,
  )
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return { child, out, err, exit }
}
