import { COMMANDS } from '../../node/commands.ts'
import { FridgeError } from '../../node/errors.ts'
import { nearest } from '../../node/nearest.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectTarget, type TargetOptions } from '../target.ts'

/** How long a node may take to answer a command, in milliseconds. */
const ANSWER_MS = 30_000

export async function runClientCall(
  command: string,
  values: readonly string[],
  options: TargetOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (!COMMANDS.some(name => name === command)) {
    const guess = nearest(command, COMMANDS)
    throw new FridgeError('ERR_USAGE', `there is no command ${JSON.stringify(command)}`, {
      fix: guess === undefined ? `use one of ${COMMANDS.join(', ')}` : `did you mean ${guess}?`,
    })
  }
  const parsed = values.map(parseNumber)
  await using connection = await connectTarget(options, 'client', io)
  const { node, remote } = connection
  const answer = await remote.call(command, parsed, { timeoutMs: ANSWER_MS, signal: io.signal })
  io.out(
    options.json === true
      ? JSON.stringify({ node, command, answer })
      : `${node}: ${String(answer)}`,
  )
  return EXIT.done
}

function parseNumber(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number)) return number
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not a number`)
}
