import { FridgeError } from '../lib/errors.ts'
import type { Actuator } from './actuator.ts'

/** The commands that a client may call, in the order in which they are offered. */
export const COMMANDS = ['setTargetTemperature', 'defrost', 'powerOn', 'powerOff'] as const

export type CommandName = (typeof COMMANDS)[number]

/** What is wrong with giving a command so many arguments, if anything is. */
export function problemOfCount(name: string, count: number): string | undefined {
  const expected = name === 'setTargetTemperature' ? 1 : 0
  if (count === expected) return undefined
  return `${name} takes ${expected === 0 ? 'no argument' : 'one argument, degrees Celsius'}`
}

/**
 * Carry out a command of a client.
 * @param values the arguments, as the client sent them: nothing is known of them
 * @throws FridgeError `ERR_COMMAND` with the reason
 */
export async function runCommand(
  name: CommandName,
  values: readonly unknown[],
  actuator: Actuator | undefined,
): Promise<string> {
  if (actuator === undefined) {
    const text = 'nothing at this node obeys commands, it only measures'
    throw new FridgeError('ERR_COMMAND', `${text}: call another one, whose fridge obeys`)
  }
  const problem = problemOfCount(name, values.length)
  if (problem !== undefined) throw new FridgeError('ERR_COMMAND', problem)
  switch (name) {
    case 'setTargetTemperature': {
      const [celsius] = values
      if (typeof celsius !== 'number' || !Number.isFinite(celsius)) {
        throw new FridgeError('ERR_COMMAND', 'the target temperature is not a number')
      }
      return actuator.setTargetTemperature(celsius)
    }
    case 'defrost':
      return actuator.defrost()
    case 'powerOn':
      return actuator.powerOn()
    case 'powerOff':
      return actuator.powerOff()
  }
}
