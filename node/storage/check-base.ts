import { atOnce } from '../whitelist/at-once.ts'
import { buildWhitelist } from '../whitelist/build.ts'
import { isStatedBy } from '../whitelist/stated-list.ts'
import type { BuiltLog } from '../whitelist/store.ts'
import type { Vouchers } from '../whitelist/vouchers.ts'
import { corrupt } from './sqlite-database.ts'

/**
 * Check that what is left of a log is the list that the checkpoint states at which it begins: what a
 * log needs that carries no seal of this node, since nobody has signed what has left it.
 * @throws FridgeError `ERR_DATABASE_CORRUPT`
 */
export function checkBase(file: string, log: BuiltLog, vouchers: Vouchers): void {
  const base = log.base()
  if (base === undefined) return
  const list = buildWhitelist(log, vouchers)
  const checkpoint = list.cutOf(base.checkpoint)
  if (checkpoint !== undefined && atOnce(isStatedBy(checkpoint, list))) return
  throw corrupt(file, 'it does not hold the list that the checkpoint states at which it begins')
}
