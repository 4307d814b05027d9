import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { ExitStatus } from '../../cli/io.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'

/** How a command that fails says it. */
interface Expected {
  readonly status: ExitStatus
  /** What failed, and why. */
  readonly says: RegExp
  /** The command or step that mends it. */
  readonly mends: RegExp
}

function check(t: ExecutionContext, result: CommandResult, { status, says, mends }: Expected) {
  const { out, err } = result
  t.is(result.status, status, err)
  t.is(out, '')
  t.regex(err, /^fridge: /)
  t.regex(err, says)
  t.regex(err.split('\n').at(-1) ?? '', /^ {2}to mend it: /)
  t.regex(err, mends)
  t.notRegex(err, /\n {4}at |this is a fault of fridge/)
}

/** Run a command that must fail, with nobody's environment. */
export async function fails(
  t: ExecutionContext,
  args: readonly string[],
  expected: Expected,
  options: IoOptions = {},
): Promise<void> {
  check(t, await runCommand(args, options), expected)
}

/** What calls a command of a node as the client c1. @param certs the folder of certificates */
export function asClient(certs: string, node: string): string[] {
  return ['client', 'call', 'defrost', '--as', 'c1', '--certs', certs, '--node', node]
}

/** What starts a node in a folder of its own, on a free port. @param certs the folder of certificates */
export async function nodeArgs(t: ExecutionContext, certs: string, ...more: string[]) {
  const data = join(await makeTestFolder(t), 'data')
  const where = ['--listen', '127.0.0.1:0', '--certs', certs, '--data', data]
  return { data, args: ['node', 'start', '--name', 'node-1', ...where, ...more] }
}
