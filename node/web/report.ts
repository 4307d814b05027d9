import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'

/** What a page is told of a call that failed: never a stack, nor what is none of its business. */
export function reportOf(error: unknown): { code: string; message: string } {
  if (!(error instanceof FridgeError)) return { code: 'ERR_COMMAND', message: 'it failed' }
  return { code: errorCode(error) ?? 'ERR_COMMAND', message: errorMessage(error) }
}
