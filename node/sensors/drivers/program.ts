import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'

import { errorCode, errorMessage, FridgeError } from '../../lib/errors.ts'
import { LineSplitter, textLines } from './lines.ts'
import { PayloadReader, type PayloadReaderOptions } from './payload-reader.ts'
import { ReadingPace } from './reading-pace.ts'
import { startProgram, type Program } from './program-process.ts'
import type { Sensor, TellEvent } from '../sensor.ts'

export interface ProgramSensorOptions extends PayloadReaderOptions {
  /** The program and its arguments. It runs for ever and prints a line whenever it has news. */
  readonly argv: readonly string[]
  /** What people call it. Default the last part of its path. */
  readonly title?: string | undefined
  /** Its environment. Default that of the node. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Silence after which the sensor is unavailable, ms. Default that of the feed. */
  readonly silentAfterMs?: number | undefined
  /** How long the program may take to end when it is stopped, before it is killed, ms. Default 2000. */
  readonly killAfterMs?: number | undefined
}

/** The longest line of a program, bytes. */
const MAX_LINE_BYTES = 65_536

/** Of what a program writes to stderr: characters a line, and lines a minute, that are logged. */
const STDERR = { lineCharacters: 1_000, linesPerMinute: 60 }

/**
 * A sensor made of any program that prints lines (`valueOf` says which). A malformed line
 * makes the sensor unavailable until the next good line. A longer line than `MAX_LINE_BYTES`, and the end of
 * the program, are thrown with the reason; the feed starts it again.
 */
export function programSensor(options: ProgramSensorOptions): Sensor {
  const { name, kind, argv, title, env, clock, silentAfterMs, killAfterMs = 2_000 } = options

  async function watch(tell: TellEvent, signal: AbortSignal): Promise<void> {
    await using program = await startProgram(argv, { title, env, clock, killAfterMs })
    if (signal.aborted) return
    const stop = (): void => void program[Symbol.asyncDispose]()
    signal.addEventListener('abort', stop)
    try {
      const stderrEnd = logStderr(program, options)
      await tellLines(program, tell)
      const end = await program.ended()
      // The last line on stderr is mostly why the program ended.
      await stderrEnd
      if (!signal.aborted) throw new FridgeError('ERR_CLOSED', end)
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** Tell what the lines of `program` say, up to the end of its output. */
  async function tellLines({ name: program, stdout }: Program, tell: TellEvent): Promise<void> {
    const lines = new LineSplitter(MAX_LINE_BYTES)
    const reader = new PayloadReader(options, tell)
    using pace = new ReadingPace(stdout, clock)
    stdout.on('data', (chunk: Uint8Array) => {
      try {
        lines.write(chunk, line => reader.take(line))
        pace.take(chunk.length)
      } catch (error) {
        stdout.destroy(error as Error)
      }
    })
    try {
      await finished(stdout)
    } catch (error) {
      // Closed by the node, to stop the program or long after its end: how it ended says more.
      if (errorCode(error) === 'ERR_STREAM_PREMATURE_CLOSE') return
      const code = error instanceof FridgeError ? error.code : 'ERR_PROTOCOL'
      throw new FridgeError(code, `${program}: ${errorMessage(error)}`, { cause: error })
    }
  }
  return { name, kind, silentAfterMs, watch }
}

/** Log what a program writes to stderr, and no more of it than a person would read. */
async function logStderr(
  program: Program,
  { name, clock, log }: ProgramSensorOptions,
): Promise<void> {
  const stderr: Readable = program.stderr.setEncoding('utf8')
  let minute = -1
  let lines = 0
  try {
    for await (const line of textLines(stderr, STDERR.lineCharacters)) {
      const now = Math.floor(clock.monotonic() / 60_000)
      if (now !== minute) {
        if (lines > STDERR.linesPerMinute) {
          const dropped = lines - STDERR.linesPerMinute
          log?.warn({ sensor: name, dropped }, 'more of what the program wrote to stderr')
        }
        minute = now
        lines = 0
      }
      if (line.trim() === '' || ++lines > STDERR.linesPerMinute) continue
      log?.warn({ sensor: name, stderr: line }, `${program.name} wrote to stderr`)
    }
  } catch (error) {
    // Closed under the loop when the program is stopped: nothing is lost that matters.
    log?.debug({ sensor: name, err: error }, 'stderr of the program was closed')
  }
}
