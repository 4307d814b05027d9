import { randomBytes } from 'node:crypto'
import type { History } from '../history/history.ts'
import type { HistoryTable } from '../history/page.ts'
import { historyPlace } from '../seal/format.ts'
import type { Seals } from '../seal/seals.ts'

/** The tables of a history that hold nothing that a sensor has said. */
const OPEN_TABLES: ReadonlySet<HistoryTable> = new Set(['stretches', 'signed', 'commands'])

/**
 * A history as it leaves the node: pages of sealed sensors are sealed, for whoever asks. On the disk of
 * the node it lies open: whoever has that disk has the passphrase too.
 */
export function sealedHistory(
  history: Pick<History, 'page'>,
  seals: Pick<Seals, 'of'>,
): Pick<History, 'page'> {
  return {
    page: async request => {
      const page = await history.page(request)
      const seal = seals.of(request.sensor)
      if (seal === undefined || OPEN_TABLES.has(request.table)) return page
      // Each page has a key of its own, so that its number is no matter.
      const salt = randomBytes(SALT_BYTES).toString('base64url')
      const sealed = seal.sealHistory(historyPlace(request, salt), [page.rows, page.next])
      return { kind: page.kind, rows: [], next: null, sealed: { ...seal.info, ...sealed, salt } }
    },
  }
}

const SALT_BYTES = 16
