import type { Clock } from '../node/lib/clock.ts'
import type { WhenLost } from './output/log-output.ts'

/** What every command ends with (README, "Exit status"). */
export const EXIT = {
  done: 0,
  notDone: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
} as const

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT]

/** All that a command may touch of the process it runs in; `main.ts` alone makes the real one. */
export interface CommandIo {
  /** Print one line of data to stdout. */
  readonly out: (line: string) => void
  /** Print one line of diagnostics to stderr. */
  readonly err: (line: string) => void
  /** Print one line of a log to stderr. One that cannot be written is lost, and a later one says so. */
  readonly log: (line: string, whenLost: WhenLost) => void
  /** From now on it ends nothing that stdout cannot be written: this program serves others. */
  readonly serveUnheard: () => void
  /** Show how far it has come, in a line of stderr that the next one replaces; '' clears it. Nothing where that is no terminal. */
  readonly progress: (text: string) => void
  /** Show lines on stdout, on a terminal in place of those shown before; elsewhere behind them. */
  readonly redraw: (lines: readonly string[]) => void
  /** Keep what has been done, in a sentence, for a person whose stdout cannot be written. */
  readonly noteDone: (what: string) => void
  /** Ask a person yes or no; undefined where none sits at a terminal. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined
  /** Ask a person for what is not shown while it is typed; undefined where none sits at a terminal. */
  readonly askSecret?: ((question: string) => Promise<string>) | undefined
  /** All of stdin, as text. */
  readonly readInput: () => Promise<string>
  /** How many columns the terminal has that stdout is; undefined where it is none. */
  readonly columns?: number | undefined
  /** Whether stdout may be coloured. What is said must not hang on it. */
  readonly hasColours: boolean
  /** Whether stderr is a terminal, where a person reads the log. */
  readonly isLogRead: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** The folder that relative paths start from. */
  readonly cwd: string
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Be called when files may have changed and are to be read again: at SIGHUP. */
  readonly onReload: (listener: () => void) => Disposable
  readonly clock: Clock
  /** The command line, without arguments, that runs this program again. */
  readonly self: readonly [string, ...string[]]
}
