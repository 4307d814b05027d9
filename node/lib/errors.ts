/**
 * The codes of every failure that fridge reports. Stable: programs may switch on them;
 * the text of a message is for people and may change.
 */
export type ErrorCode =
  // a person's mistake, or the state of this machine
  | 'ERR_USAGE'
  | 'ERR_CONFIG'
  | 'ERR_KEY_FILE'
  | 'ERR_CERTIFICATE'
  | 'ERR_FILE_EXISTS'
  | 'ERR_DATABASE'
  | 'ERR_DATABASE_CORRUPT'
  | 'ERR_ARCHIVE'
  | 'ERR_LISTEN'
  // reaching a node
  | 'ERR_UNREACHABLE'
  | 'ERR_TLS'
  | 'ERR_TIMEOUT'
  | 'ERR_CLOSED'
  // what a node decided
  | 'ERR_REFUSED'
  | 'ERR_REVOKED'
  | 'ERR_NOT_LISTED'
  | 'ERR_EXPIRED'
  | 'ERR_NOT_TRUSTED'
  | 'ERR_ISOLATED'
  | 'ERR_TOO_SLOW'
  | 'ERR_NOT_OPERATOR'
  | 'ERR_COMMAND'
  | 'ERR_CONFLICT'
  // what a peer sent
  | 'ERR_PROTOCOL'
  | 'ERR_LIMIT'

/** What a `FridgeError` may carry beside its message. */
export interface ErrorDetails {
  /** The failure beneath, kept whole. */
  cause?: unknown
  /** The command or step that mends it, as a person would type it. */
  fix?: string
  /** The node whose word it is, by the name in its certificate. */
  node?: string
}

/** The only error class of fridge: a stable `code`, and for people what failed, why, and what mends it. */
export class FridgeError extends Error {
  readonly code: ErrorCode
  readonly fix: string | undefined
  readonly node: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'FridgeError'
    this.code = code
    this.fix = details.fix
    this.node = details.node
  }
}

/** The `code` of any thrown value (`ENOENT`, `ERR_TLS`…), or undefined where it has none. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The message of any thrown value. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
