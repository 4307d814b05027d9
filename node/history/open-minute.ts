import type { DatabaseSync } from 'node:sqlite'
import type { Bucket } from './bucket.ts'
import { isCounted, Recorder } from './recorder.ts'
import { stateAtBegin } from './recovery.ts'
import { eventOf } from './rows.ts'
import type { BegunHour, ReadingRow } from './store.ts'

/**
 * What a sensor has said in the minute that is not over yet, from the rows of its hour; undefined
 * where nothing was recorded in it.
 * @param until how far the hour is known to have come, in milliseconds since 1970
 */
export function openMinuteOf(
  database: DatabaseSync,
  sensor: number,
  hour: BegunHour,
  until: number,
): Bucket | undefined {
  const { position, begin, first } = hour
  const summed = database
    .prepare('SELECT sum(count) AS count FROM sensorMinutes WHERE sensor = ? AND position = ?')
    .get(sensor, position)?.['count']
  // Readings of minutes that are over, of which there may be tens of thousands, are passed over.
  const readings = database
    .prepare(
      'SELECT * FROM readings WHERE sensor = ? AND number >= ? ORDER BY number LIMIT -1 OFFSET ?',
    )
    .all(sensor, first, Number(summed ?? 0))
    .map(row => row as unknown as ReadingRow)
  const events = database
    .prepare('SELECT * FROM events WHERE sensor = ? AND number >= ?')
    .all(sensor, first)
    .map(eventOf)
  const recorder = new Recorder(begin, [stateAtBegin(database, sensor, hour)])
  for (const row of [...readings, ...events].sort((a, b) => a.number - b.number)) {
    recorder.advance(row.at)
    if ('value' in row) recorder.tell(0, { type: 'reading', value: row.value })
    else if (isCounted(row.type)) recorder.tell(0, { type: row.type })
    // It speaks again: of readings that were passed over this alone is left.
    else if (row.type === 'available') recorder.know(0)
  }
  recorder.advance(until)
  return recorder.close().minutes[0]?.bucket
}
