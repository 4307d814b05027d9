import type { CallOptions } from '../../node/client/index.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { problemOfCount } from '../../node/sensors/commands.ts'
import { checkCommandName } from '../command-name.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectClient, type TargetOptions } from '../target.ts'

export async function runClientCall(
  command: string,
  values: readonly string[],
  options: TargetOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  checkCommandName(command)
  const problem = problemOfCount(command, values.length)
  if (problem !== undefined) {
    const example = command === 'setTargetTemperature' ? `${command} 6` : command
    throw new FridgeError('ERR_USAGE', problem, { fix: `fridge client call ${example}` })
  }
  const parsed = values.map(parseNumber)
  await using fridge = await connectClient(options, io)
  const { node } = fridge
  const [...rest] = [...parsed, { signal: io.signal }] as unknown as [number, CallOptions]
  const answer = await fridge.call(command as 'setTargetTemperature', ...rest)
  io.out(
    options.json === true
      ? JSON.stringify({ node, command, answer })
      : `${node}: ${foreignText(answer)}`,
  )
  return EXIT.done
}

function parseNumber(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number)) return number
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not a number`, {
    fix: 'write digits, with a dot before tenths: fridge client call setTargetTemperature 4.5',
  })
}
