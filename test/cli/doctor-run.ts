import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'

/** Runs `fridge doctor …` with a certificate folder. */
export function doctorWith(
  certs: string,
): (args: readonly string[], options?: IoOptions) => Promise<CommandResult> {
  return async (args, options = {}) =>
    runCommand(['doctor', ...args], { env: { FRIDGE_CERTS: certs }, ...options })
}

/** What is on the lines that start with `WRONG`, and what mends it. */
export function wrong({ out }: CommandResult): string[] {
  return out.split('\n').filter(line => !line.startsWith('ok '))
}
