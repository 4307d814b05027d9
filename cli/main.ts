#!/usr/bin/env -S node --max-semi-space-size=8
import process from 'node:process'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../node/lib/clock.ts'
import { EXIT, type CommandIo } from './io.ts'
import { LogOutput } from './output/log-output.ts'
import { forTerminal } from './output/terminal.ts'
import { runProgram } from './program.ts'

/** Ctrl-C reaches us twice where npm passes on what the terminal has sent already. */
const SAME_SIGNAL_MS = 500

const stop = new AbortController()
let stoppedAt = 0
const onSignal = (): void => {
  if (!stop.signal.aborted) stoppedAt = performance.now()
  else if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(130)
  stop.abort()
}
process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)

const onReload = new Set<() => void>()
const hadTerminal = isatty(0)
process.on('SIGHUP', () => {
  // A terminal that is closed: what was started must not outlive it. Nobody else asks to stop so.
  if (onReload.size === 0 || (hadTerminal && !isatty(0))) return onSignal()
  for (const listener of onReload) listener()
})

/** What writing to a reader that went away fails with, and to a terminal that was closed. */
const GONE = new Set<string | undefined>(['EPIPE', 'EIO'])

let isUnheardFine = false
let hasFailed = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isUnheardFine || stop.signal.aborted) return
  // A reader that goes away (`| head`) is no failure of ours, but there is nothing more to do.
  hasFailed = !GONE.has(error.code)
  if (hasFailed) {
    process.stderr.write(`fridge: stdout cannot be written: ${error.message}\n`)
    process.exitCode = EXIT.notDone
  }
  stop.abort()
})
// There is nowhere left to say that stderr cannot be written; a node counts what its log has lost.
process.stderr.on('error', () => {})

/** Erases what stands in the line of the cursor. */
const CLEAR_LINE = '\r\u001B[K'
let hasProgress = false

function showProgress(text: string): void {
  if (!process.stderr.isTTY || (text === '' && !hasProgress)) return
  hasProgress = text !== ''
  process.stderr.write(`${CLEAR_LINE}${text}`)
}

function print(stream: NodeJS.WriteStream, line: string): void {
  showProgress('')
  // What goes to a file or a program stays as it is: evidence is checked byte for byte.
  stream.write(`${stream.isTTY ? forTerminal(line) : line}\n`)
}

const log = new LogOutput(process.stderr)

const io: CommandIo = {
  out: line => print(process.stdout, line),
  err: line => print(process.stderr, line),
  log: (line, whenLost) => log.write(process.stderr.isTTY ? forTerminal(line) : line, whenLost),
  serveUnheard: () => {
    isUnheardFine = true
  },
  progress: showProgress,
  isTerminal: process.stdout.isTTY,
  env: process.env,
  cwd: process.cwd(),
  signal: stop.signal,
  onReload: listener => {
    onReload.add(listener)
    return { [Symbol.dispose]: () => onReload.delete(listener) }
  },
  clock: systemClock,
  self: [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)],
}

/** How long a log that nobody reads may keep a program that is over, in milliseconds. */
const LAST_LINES_MS = 1_000

const status = await runProgram(process.argv.slice(2), io)
if (!hasFailed) process.exitCode = status
setTimeout(() => {
  if (isUnheardFine) process.exit()
}, LAST_LINES_MS).unref()
