import { FridgeError } from '../lib/errors.ts'

/** What an operator hears whose call has other arguments than the method takes. */
export function malformed(method: string): FridgeError {
  return new FridgeError('ERR_PROTOCOL', `the arguments of ${method} are malformed`)
}
