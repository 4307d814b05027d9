import type { CallOptions } from '../../node/client/index.ts'
import { COMMANDS } from '../../node/commands.ts'
import { FridgeError } from '../../node/errors.ts'
import { nearest } from '../../node/nearest.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectClient, type TargetOptions } from '../target.ts'

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
  await using fridge = await connectClient(options, io)
  const { node } = fridge
  // How many arguments a command takes, the node says.
  const [...rest] = [...parsed, { signal: io.signal }] as unknown as [number, CallOptions]
  const answer = await fridge.call(command as 'setTargetTemperature', ...rest)
  io.out(options.json === true ? JSON.stringify({ node, command, answer }) : `${node}: ${answer}`)
  return EXIT.done
}

function parseNumber(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number)) return number
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not a number`)
}
