#!/usr/bin/env -S node --max-semi-space-size=8
import process from 'node:process'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { HangUps } from './hang-ups.ts'
import { EXIT, type CommandIo } from './io.ts'
import { objectionToNode } from './node-version.ts'

const objection = objectionToNode(process.versions.node)
if (objection !== undefined) {
  process.stderr.write(`${objection}\n`)
  process.exit(EXIT.notDone)
}

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
const { FridgeError } = await import('../node/lib/errors.ts')
const { LogOutput } = await import('./output/log-output.ts')
const { screenOf, sizeOf } = await import('./output/screen.ts')
const { wantsColours } = await import('./output/style.ts')
const { forTerminal } = await import('./output/terminal.ts')
const { runProgram } = await import('./program.ts')

/** What writing to a reader that went away fails with, and to a terminal that was closed. */
const GONE = new Set<string | undefined>(['EPIPE', 'EIO'])

let isUnheardFine = false
let failure = ''
let done = ''
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isUnheardFine || stop.signal.aborted) return
  // A reader that goes away (`| head`) is no failure of ours, but there is nothing more to do.
  if (!GONE.has(error.code)) failure = error.message
  stop.abort()
})
// There is nowhere left to say that stderr cannot be written; a node counts what its log has lost.
process.stderr.on('error', () => {})

/** Erases what stands in the line of the cursor. */
const CLEAR_LINE = '\r\u001B[K'
/** A terminal that has a cursor which can be moved. */
const isDumb = process.env['TERM'] === 'dumb'
const showsProgress = process.stderr.isTTY && !isDumb
let hasProgress = false

function showProgress(text: string): void {
  if (!showsProgress || (text === '' && !hasProgress)) return
  hasProgress = text !== ''
  process.stderr.write(`${CLEAR_LINE}${text}`)
}

function print(stream: NodeJS.WriteStream, line: string): void {
  showProgress('')
  // What goes to a file or a program stays as it is: evidence is checked byte for byte.
  stream.write(`${stream.isTTY ? forTerminal(line) : line}\n`)
}

const ERASE_SCREEN = '\u001B[2J'
let hasScreen = false

function redraw(lines: readonly string[]): void {
  const { stdout } = process
  if (!stdout.isTTY || isDumb) return lines.forEach(line => print(stdout, line))
  showProgress('')
  stdout.write(`${hasScreen ? '' : ERASE_SCREEN}${screenOf(lines, sizeOf(stdout))}`)
  hasScreen = true
}

/** What a person answers; undefined where it is Ctrl-C, Ctrl-D, or a signal to stop. */
async function answerTo(asked: Promise<string>): Promise<string | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof Error && error.name === 'AbortError') return undefined
    throw error
  })
}

async function confirm(question: string): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises')
  using prompt = createInterface({ input: process.stdin, output: process.stderr })
  const { signal } = stop
  const answer = await answerTo(prompt.question(`${forTerminal(question)} [y/N] `, { signal }))
  if (answer === undefined) process.stderr.write('\n')
  return /^y(es)?$/i.test(answer?.trim() ?? '')
}

async function askSecret(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  // As a terminal it would echo what is typed: to here, where nobody sees it.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  using prompt = createInterface({ input: process.stdin, output, terminal: true })
  // Not before: until then the terminal would take Ctrl-C for itself, and echo what is typed.
  process.stderr.write(`${forTerminal(question)}: `)
  try {
    const secret = await answerTo(prompt.question('', { signal: stop.signal }))
    if (secret !== undefined) return secret
    throw new FridgeError('ERR_USAGE', 'nothing was done: no passphrase was typed', {
      fix: 'type it where it is asked for, or name a file that holds it in FRIDGE_PASSPHRASE_FILE',
    })
  } finally {
    process.stderr.write('\n')
  }
}

/** What is longer is no token. */
const MAX_INPUT = 65_536

async function readInput(): Promise<string> {
  let input = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    input += String(chunk)
    if (input.length > MAX_INPUT) break
  }
  return input
}

const log = new LogOutput(process.stderr)

const env = { ...process.env }
// A program that feeds a sensor is a child of this process, and speaks for no service.
for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name]

const io: CommandIo = {
  out: line => print(process.stdout, line),
  err: line => print(process.stderr, line),
  log: (line, whenLost) => log.write(process.stderr.isTTY ? forTerminal(line) : line, whenLost),
  serveUnheard: () => {
    isUnheardFine = true
  },
  progress: showProgress,
  redraw,
  noteDone: what => {
    done = what
  },
  confirm: process.stdin.isTTY && process.stderr.isTTY ? confirm : undefined,
  askSecret: process.stdin.isTTY && process.stderr.isTTY ? askSecret : undefined,
  readInput,
  columns: process.stdout.isTTY ? sizeOf(process.stdout).columns : undefined,
  hasColours: wantsColours(process.stdout.isTTY, process.env),
  isLogRead: process.stderr.isTTY,
  env,
  cwd: process.cwd(),
  signal: stop.signal,
  onReload: listener => hangUps.subscribe(listener),
  clock: systemClock,
  self: [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)],
}

/** How long a log that nobody reads may keep a program that is over, in milliseconds. */
const LAST_LINES_MS = 1_000

// The last line may fail when all else is over.
process.on('exit', () => {
  if (failure === '') return
  process.exitCode = EXIT.notDone
  io.err(`fridge: stdout cannot be written: ${failure}${done === '' ? '' : `; ${done}`}`)
})

const status = await runProgram(process.argv.slice(2), io, () => hangUps.begin())
process.exitCode = status
setTimeout(() => {
  if (isUnheardFine) process.exit()
}, LAST_LINES_MS).unref()
