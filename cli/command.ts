import type { Command } from 'commander'
import type { CommandIo, ExitStatus } from './io.ts'

/** Adds options, commands below it and what it does to a command of the program. */
export type FillCommand = (command: Command, context: CommandContext) => void

/** The words of a command, without the program's own name: `whitelist add`. */
export function pathOf(command: Command): string {
  const { parent } = command
  return parent === null ? '' : `${pathOf(parent)} ${command.name()}`.trim()
}

/** Command lines that a person can type, for the end of a help text. */
export function examples(...commands: string[]): string {
  const title = commands.length === 1 ? 'Example' : 'Examples'
  return `\n${title}:\n${commands.map(command => `  $ ${command}`).join('\n')}`
}

/** What a module of `commands/` is given beside the command that it fills. */
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
