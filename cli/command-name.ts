import { COMMANDS } from '../node/sensors/commands.ts'
import { FridgeError } from '../node/lib/errors.ts'
import { nearest } from '../node/lib/nearest.ts'

/** Refuse what no node offers, before any is asked. @throws FridgeError `ERR_USAGE` */
export function checkCommandName(name: string): void {
  if (COMMANDS.some(known => known === name)) return
  const guess = nearest(name, COMMANDS)
  throw new FridgeError('ERR_USAGE', `there is no command ${JSON.stringify(name)}`, {
    fix: guess === undefined ? `use one of ${COMMANDS.join(', ')}` : `did you mean ${guess}?`,
  })
}
