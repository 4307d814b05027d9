import type { CommandIo, ExitStatus } from './io.ts'

/** What a module of `commands/` is given to add its commands to the program. */
export interface CommandContext {
  readonly io: CommandIo
  /**
   * Wrap a command as commander wants it: runs it, prints the message and fix of a `FridgeError`
   * to stderr, and sets the exit status.
   */
  readonly action: <A extends unknown[]>(
    run: (...args: A) => Promise<ExitStatus>,
  ) => (...args: A) => Promise<void>
}
