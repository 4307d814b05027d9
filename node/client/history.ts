import type { Bucket } from '../history/bucket.ts'
import {
  bucketIn,
  eventIn,
  historyRows,
  parseHistoryPage,
  readingIn,
  spanIn,
  type HistoryPage,
  type HistoryRequest,
} from '../history/page.ts'
import type { Reading, Span } from '../history/reader.ts'
import type { RecordedEvent } from '../history/seal.ts'
import { FridgeError } from '../lib/errors.ts'

/** What a row of each table of a history is (PROTOCOL.md, "History"). */
export interface HistoryRows {
  /** Sums of a minute of UTC; those in which nothing was recorded are left out. */
  readonly minutes: Bucket
  /** Sums of an hour of UTC. */
  readonly hours: Bucket
  /** Each reading that is kept still: of a week, where the node says nothing else. */
  readonly readings: Reading
  /** Moves, failures and alarms of the sensor, and starts and stops of the node. */
  readonly events: RecordedEvent
  /** Of `events` those that tell of an alarm: `detail` is the alarm, as JSON. */
  readonly alarms: RecordedEvent
  /** Spans in which the node was recording the sensor: what lies between is a gap. */
  readonly stretches: Span
}

/** What of a sensor's history is wanted. */
export interface HistoryQuestion<Table extends keyof HistoryRows> {
  readonly sensor: string
  readonly table: Table
  /** Milliseconds since 1970, or a date. */
  readonly from: number | Date
  /** Not a part of it. Default: the present. */
  readonly to?: number | Date
}

const READERS: { readonly [Table in keyof HistoryRows]: (row: never) => HistoryRows[Table] } = {
  minutes: bucketIn,
  hours: bucketIn,
  readings: readingIn,
  events: eventIn,
  alarms: eventIn,
  stretches: spanIn,
}

/**
 * Rows of a history, page by page as they are taken.
 * @param ask asks a node for one page; its answer is checked here
 * @param now until when it is where nothing is said, in milliseconds since 1970
 * @param open reads a page that is sealed
 * @throws FridgeError `ERR_PROTOCOL`, and what `ask` and `open` throw
 */
export async function* readHistory<Table extends keyof HistoryRows>(
  ask: (request: HistoryRequest) => Promise<unknown>,
  { sensor, table, from, to }: HistoryQuestion<Table>,
  now: number,
  open: (page: HistoryPage, request: HistoryRequest) => HistoryPage = page => page,
): AsyncGenerator<HistoryRows[Table], void> {
  const span = { from: Math.round(Number(from)), to: Math.round(Number(to ?? now)) }
  const pages = historyRows(
    async request => {
      const page = parseHistoryPage(await ask(request), table)
      if (typeof page !== 'string') return open(page, request)
      throw new FridgeError('ERR_PROTOCOL', `the answer is no page of a history: ${page}`)
    },
    { sensor, table, ...span },
  )
  const read = READERS[table] as (row: readonly unknown[]) => HistoryRows[Table]
  for await (const row of pages) yield read(row)
}
