#!/usr/bin/env -S node --max-semi-space-size=8
import process from 'node:process'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { HangUps } from './hang-ups.ts'
import type { CommandIo } from './io.ts'

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

const hangUps = new HangUps(onSignal)
const hadTerminal = isatty(0)
process.on('SIGHUP', () => hangUps.hear(hadTerminal && !isatty(0)))

// The rest is loaded behind the signals: until a signal is heard it ends the process.
const { systemClock } = await import('../node/lib/clock.ts')
const { forTerminal } = await import('./printable.ts')
const { runProgram } = await import('./program.ts')

/** What writing to a reader that went away fails with, and to a terminal that was closed. */
const GONE = new Set<string | undefined>(['EPIPE', 'EIO'])

// A reader that goes away (`| head`) is no failure of ours, but there is nothing more to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (!GONE.has(error.code)) throw error
  stop.abort()
})
// A node serves on when nobody reads its log any more.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (!GONE.has(error.code)) throw error
})

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

const io: CommandIo = {
  out: line => print(process.stdout, line),
  err: line => print(process.stderr, line),
  progress: showProgress,
  isTerminal: process.stdout.isTTY,
  env: process.env,
  cwd: process.cwd(),
  signal: stop.signal,
  onReload: listener => hangUps.subscribe(listener),
  clock: systemClock,
  self: [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)],
}

process.exitCode = await runProgram(process.argv.slice(2), io, () => hangUps.begin())
