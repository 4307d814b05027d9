import { parseOpenedPage, type HistoryPage, type HistoryRequest } from '../history/page.ts'
import { historyPlace } from '../seal/format.ts'
import { FridgeError } from '../lib/errors.ts'
import type { NodeHello } from './node-hello.ts'
import type { Unsealer } from './sealed-events.ts'

/**
 * A page of a history as it was before its node sealed it; one that is not sealed as it is.
 * @throws FridgeError `ERR_REFUSED` without the passphrase that it is sealed with, `ERR_PROTOCOL` when
 *   it was altered on its way
 */
export function openedPage(
  page: HistoryPage,
  request: HistoryRequest,
  { node, run }: Pick<NodeHello, 'node' | 'run'>,
  unsealer: Unsealer,
): HistoryPage {
  const { sealed } = page
  if (sealed === undefined) return page
  const { sensor, table } = request
  const key = unsealer.keyOf(sealed)
  if (key?.info.epoch !== sealed.epoch) {
    const lacks = key === undefined ? 'there is no passphrase' : 'the passphrase is another one'
    const text = `the history of ${sensor} at ${node} is sealed in channel ${sealed.channel}, and ${lacks}`
    throw new FridgeError('ERR_REFUSED', text, {
      fix: 'give the file of its passphrase: --passphrase-file FILE',
    })
  }
  const place = { kind: 'history', node, run, about: historyPlace(request, sealed.salt) } as const
  const opened = key.open(place, 1, sealed.box)
  const parsed = opened === undefined ? 'it was altered' : parseOpenedPage(page, opened, table)
  if (typeof parsed !== 'string') return parsed
  throw new FridgeError('ERR_PROTOCOL', `a sealed page of ${sensor} at ${node}: ${parsed}`)
}
