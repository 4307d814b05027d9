import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { minuteOf, type Hour, type RecordedCommand, type RecordedEvent } from './seal.ts'
import type { Bucket } from './bucket.ts'

/** A sensor by the number under which the history keeps it. */
export interface KeptSensor {
  readonly id: number
  readonly name: string
  readonly kind: string
}

export interface ReadingRow {
  readonly sensor: number
  readonly number: number
  readonly at: number
  readonly value: number
}

/** An event; `sensor` is the number of one. */
export interface EventRow extends Omit<RecordedEvent, 'sensor'> {
  readonly sensor: number | undefined
}

export interface MinuteRow {
  readonly sensor: number
  readonly position: number
  readonly bucket: Bucket
}

/** An hour that has begun. */
export interface BegunHour {
  readonly position: number
  readonly begin: number
  /** The number of the first row in it. */
  readonly first: number
}

/** An hour that is over, signed. */
export interface SealedHour {
  readonly hour: Hour
  /** The sensors of `hour`, in its order. */
  readonly sensors: readonly KeptSensor[]
  readonly previous: string
  readonly digest: string
  /** Under the signature, with its intermediates, DER in base64. */
  readonly certificate: { readonly fingerprint: string; readonly chain: readonly string[] }
  readonly signature: string
}

/** What is written together, in this order, or not at all. */
export interface Batch {
  readonly readings: ReadingRow[]
  readonly events: EventRow[]
  readonly commands: RecordedCommand[]
  readonly minutes: MinuteRow[]
  readonly sealed: SealedHour[]
  readonly begun: BegunHour[]
}

export function emptyBatch(): Batch {
  return { readings: [], events: [], commands: [], minutes: [], sealed: [], begun: [] }
}

/** How much is removed in one go, so that nothing else of the node waits for it. */
const REMOVED = { readings: 2_000, hours: 24 }

/** The tables of a history, to be written. */
export class HistoryStore implements Disposable {
  readonly #database: DatabaseSync
  readonly #reading: StatementSync
  readonly #event: StatementSync
  readonly #minute: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#reading = database.prepare('INSERT INTO readings VALUES (?, ?, ?, ?)')
    this.#event = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)')
    this.#minute = database.prepare(
      'INSERT OR REPLACE INTO sensorMinutes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
  }

  get database(): DatabaseSync {
    return this.#database
  }

  /** The number of a sensor: another one when a name comes to mean another kind. */
  sensor(name: string, kind: string): KeptSensor {
    const known = this.#database
      .prepare('SELECT id, kind FROM sensors WHERE name = ? ORDER BY id DESC LIMIT 1')
      .get(name)
    if (known?.['kind'] === kind) return { id: Number(known['id']), name, kind }
    const { lastInsertRowid } = this.#run('INSERT INTO sensors (name, kind) VALUES (?, ?)', [
      name,
      kind,
    ])
    return { id: Number(lastInsertRowid), name, kind }
  }

  /** Every sensor that ever was, by its number. */
  sensors(): KeptSensor[] {
    return this.#database
      .prepare('SELECT id, name, kind FROM sensors ORDER BY id')
      .all()
      .map(({ id, name, kind }) => ({ id: Number(id), name: String(name), kind: String(kind) }))
  }

  /** Write all of a batch, or throw with nothing of it written. */
  write({ readings, events, commands, minutes, sealed, begun }: Batch): void {
    this.#transact(() => {
      for (const { sensor, number, at, value } of readings) {
        this.#reading.run(sensor, number, at, value)
      }
      for (const { number, at, sensor, type, detail } of events) {
        this.#event.run(number, at, sensor ?? null, type, detail)
      }
      for (const { number, at, subject, command, outcome } of commands) {
        const row = [number, at, subject, command, outcome]
        this.#run('INSERT INTO commands VALUES (?, ?, ?, ?, ?)', row)
      }
      for (const { sensor, position, bucket } of minutes) {
        this.#minute.run(sensor, position, minuteOf(bucket), ...columnsOf(bucket))
      }
      // Several hours may have passed at once: they are sealed and begun in turn.
      for (const hour of begun) {
        const row = [hour.position, hour.begin, hour.first]
        this.#run('INSERT INTO hours (position, begin, first) VALUES (?, ?, ?)', row)
      }
      for (const hour of sealed) this.#seal(hour)
    })
  }

  /**
   * Remove what is older than it is kept, a part of it at a time.
   * @param before readings of numbers below this, minutes and hours of positions below these
   * @returns whether there is more to remove
   */
  prune(before: { readings: number; minutes: number; hours: number }): boolean {
    let isMore = false
    this.#transact(() => {
      for (const { id } of this.sensors()) {
        isMore = this.#removeOf('readings', 'number', id, before.readings) || isMore
        isMore = this.#removeOf('sensorMinutes', 'position', id, before.minutes) || isMore
      }
      isMore = this.#removeHours(before.hours) || isMore
    })
    return isMore
  }

  /** Copy what stands in the write-ahead log to its place in the file. */
  checkpoint(): void {
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #seal({ hour, sensors, previous, digest, certificate, signature }: SealedHour): void {
    const { position, end, last, readingsFrom, minutesFrom, events, commands } = hour
    this.#run(
      `UPDATE hours SET end = ?, last = ?, readingsFrom = ?, minutesFrom = ?, events = ?,
         commands = ?, previous = ?, digest = ?, certificate = ?, signature = ?
       WHERE position = ?`,
      [
        end,
        last,
        readingsFrom,
        minutesFrom,
        events,
        commands,
        previous,
        digest,
        certificate.fingerprint,
        signature,
        position,
      ],
    )
    hour.sensors.forEach(({ bucket, readings, minutes }, index) => {
      const row = [sensors[index]?.id ?? null, position, ...columnsOf(bucket), readings, minutes]
      this.#run('INSERT INTO sensorHours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', row)
    })
    this.#run('INSERT OR IGNORE INTO certificates VALUES (?, ?)', [
      certificate.fingerprint,
      certificate.chain.join(' '),
    ])
  }

  #removeOf(table: string, column: string, sensor: number, before: number): boolean {
    const oldest = this.#database
      .prepare(`SELECT min(${column}) AS oldest FROM ${table} WHERE sensor = ?`)
      .get(sensor)?.['oldest']
    if (typeof oldest !== 'number' || oldest >= before) return false
    const step = table === 'readings' ? REMOVED.readings : REMOVED.hours
    const upTo = Math.min(before, oldest + step)
    this.#run(`DELETE FROM ${table} WHERE sensor = ? AND ${column} < ?`, [sensor, upTo])
    return upTo < before
  }

  #removeHours(before: number): boolean {
    const oldest = this.#database.prepare('SELECT min(position) AS oldest FROM hours').get()
    const from = oldest?.['oldest']
    if (typeof from !== 'number' || from >= before) return false
    const upTo = Math.min(before, from + REMOVED.hours)
    const next = this.#database.prepare('SELECT first FROM hours WHERE position = ?').get(upTo)
    const first = Number(next?.['first'] ?? 0)
    for (const table of ['events', 'commands']) {
      this.#run(`DELETE FROM ${table} WHERE number < ?`, [first])
    }
    for (const { id } of this.sensors()) {
      this.#run('DELETE FROM sensorHours WHERE sensor = ? AND position < ?', [id, upTo])
    }
    this.#run('DELETE FROM hours WHERE position < ?', [upTo])
    return upTo < before
  }

  #transact(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #run(sql: string, values: readonly SQLInputValue[]): ReturnType<StatementSync['run']> {
    return this.#database.prepare(sql).run(...values)
  }
}

function columnsOf(bucket: Bucket): SQLInputValue[] {
  const { recordedMs, unavailableMs, count, low, high, sum, openings, openMs } = bucket
  return [recordedMs, unavailableMs, count, low ?? null, high ?? null, sum, openings, openMs]
}
