import { FridgeError, type ErrorCode } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'

/** The codes that may cross the wire: what a caller can do something about. All else is `ERR_COMMAND`. */
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'ERR_COMMAND',
  'ERR_DATABASE',
  'ERR_REFUSED',
  'ERR_REVOKED',
  'ERR_LIMIT',
])

/** The longest message of a peer that is kept, in UTF-16 units. */
const MAX_MESSAGE = 1_024

/** Why a call failed, as `fridge/1` sends it; the plain protocol sends the message alone. */
export interface RpcError {
  readonly code: ErrorCode
  /** Never empty: an empty error would be a success. */
  readonly message: string
}

/** What anything that a method has thrown is to its caller. */
export function rpcErrorOf(error: unknown): RpcError {
  const message = textOf(error instanceof Error ? error.message : error)
  return { code: error instanceof FridgeError ? codeOf(error.code) : 'ERR_COMMAND', message }
}

/** What the error of a peer's answer says: an `RpcError`, a text, or anything else. */
export function readRpcError(value: unknown): FridgeError {
  if (typeof value !== 'object' || value === null) {
    return new FridgeError('ERR_COMMAND', wordsOf(value))
  }
  const { code, message } = value as Record<string, unknown>
  return new FridgeError(codeOf(code), wordsOf(message))
}

/** What a peer says of a failure is printed as it stands: one line, and no more than a person reads. */
function wordsOf(message: unknown): string {
  return foreignText(textOf(message).slice(0, MAX_MESSAGE))
}

function codeOf(code: unknown): ErrorCode {
  return typeof code === 'string' && CODES.has(code) ? (code as ErrorCode) : 'ERR_COMMAND'
}

function textOf(text: unknown): string {
  return typeof text === 'string' && text !== '' ? text : 'it failed without a reason'
}
