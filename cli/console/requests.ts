import { isSubject, isAuthor, type Subject } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { isReason } from '../../node/whitelist/change.ts'
import { misfitOf, readTerms, type Terms } from '../../node/whitelist/terms.ts'

/** What the page of the console asks to be changed. */
export interface ChangeRequest {
  readonly subject: Subject
  readonly terms: Terms
  readonly reason?: string
}

/**
 * Read what the page asks to be changed.
 * @throws FridgeError `ERR_USAGE` in words for the person in front of it
 */
export function readChangeRequest(value: unknown): ChangeRequest {
  const { subject, terms = {}, reason } = (value ?? {}) as Record<string, unknown>
  if (!isSubject(subject) || isAuthor(subject)) {
    throw new FridgeError('ERR_USAGE', 'this is no name of a client, nor the origin of a page')
  }
  if (reason !== undefined && !isReason(reason)) {
    throw new FridgeError('ERR_USAGE', 'the reason is too long, or has characters that are none')
  }
  const read = readTerms((terms ?? {}) as Record<string, unknown>)
  if (typeof read === 'string') throw new FridgeError('ERR_USAGE', read)
  const misfit = misfitOf(subject, read)
  if (misfit !== undefined) throw new FridgeError('ERR_USAGE', misfit)
  return { subject, terms: read, ...(reason !== undefined && { reason }) }
}
