import { FridgeError } from '../lib/errors.ts'

/** Refusals that every other node would give as well, and again: more tries would only be a burden. */
const LAST_WORDS: ReadonlySet<string> = new Set([
  'ERR_REVOKED',
  'ERR_NOT_LISTED',
  'ERR_EXPIRED',
  'ERR_NOT_TRUSTED',
])

/** So many nodes must say the same: one may be stolen, whatever addresses it has, or hold an old list. */
const WITNESSES = 2

/** Whether a node refuses whoever asks for good, by its own word. */
export function isLastWord(error: unknown): error is FridgeError {
  return error instanceof FridgeError && LAST_WORDS.has(error.code)
}

/** Whether enough nodes have refused for good: no other need be asked. */
export function areEnough(failures: readonly unknown[]): boolean {
  return witnessesOf(failures.filter(isLastWord)) >= WITNESSES
}

/** How many nodes have said something; each that is not known by its certificate counts as one. */
function witnessesOf(failures: readonly FridgeError[]): number {
  const names = failures.map(({ node }) => node)
  const unknown = names.filter(node => node === undefined)
  return new Set(names.filter(node => node !== undefined)).size + unknown.length
}

/**
 * Whether it is over: every node that was asked refuses for good, and a second one was asked where
 * another address is known. What is no failure of a node is over in any case.
 * @param nodes how many addresses are known
 */
export function isOver(error: unknown, nodes: number): boolean {
  if (!(error instanceof FridgeError)) return true
  const said: readonly unknown[] = Array.isArray(error.cause) ? error.cause : [error]
  return said.every(isLastWord) && (said.length >= nodes || witnessesOf(said) >= WITNESSES)
}
