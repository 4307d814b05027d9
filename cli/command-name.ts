import { COMMANDS } from '../node/sensors/commands.ts'
import { FridgeError } from '../node/lib/errors.ts'
import { nearest } from '../node/lib/nearest.ts'

/** What a grant may allow: the commands, and to take note of alarms. */
export const GRANTABLE: readonly string[] = [...COMMANDS, 'acknowledge']

/** Refuse what no node offers, before any is asked. @throws FridgeError `ERR_USAGE` */
export function checkCommandName(name: string, offered: readonly string[] = COMMANDS): void {
  if (offered.includes(name)) return
  const guess = nearest(name, offered)
  throw new FridgeError('ERR_USAGE', `there is no command ${JSON.stringify(name)}`, {
    fix: guess === undefined ? `use one of ${offered.join(', ')}` : `did you mean ${guess}?`,
  })
}
