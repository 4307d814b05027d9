import type { X509Certificate } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Name } from '../identity/names.ts'
import { Signers } from '../identity/signers.ts'
import { pragma } from '../lib/sqlite.ts'
import { MINUTE_MS } from './bucket.ts'
import type { Span } from './reader.ts'
import { BUCKET_COLUMNS, bucketOf, commandOf, eventOf } from './rows.ts'
import { digestOf, LinesHash, NumbersHash, type Hour, type SensorHour } from './seal.ts'
import type { KeptSensor } from './store.ts'

/** One thing in a history that is not as a node wrote it. */
export interface HistoryFinding {
  /** Where: an hour, by its beginning, or the file. */
  readonly place: string
  readonly problem: string
}

/** A time in which nothing was recorded, of one sensor or, where none is named, of all. */
export interface Gap extends Span {
  readonly sensor?: string
}

export interface HistoryVerification {
  /** Hours that are signed, and the span of them. */
  readonly hours: number
  readonly span: Span | undefined
  /** Readings, and minutes, that were compared with what was signed. */
  readonly readings: number
  readonly minutes: number
  /** What came in since the last signed hour: nothing vouches for it yet. */
  readonly unsigned: number
  /** The digest of the last signed hour, to compare with later. */
  readonly digest: string
  /** Where nothing was recorded, in order. */
  readonly gaps: readonly Gap[]
  /** Where the clock was set: what it said before, and behind. */
  readonly jumps: readonly Span[]
  /** In the order of the hours; none when nothing was altered, added or removed. */
  readonly findings: readonly HistoryFinding[]
}

export interface VerifyHistoryOptions {
  /** The authorities that may vouch for the node, former authorities included. */
  readonly authorities: readonly X509Certificate[]
  readonly trustDomain: string | undefined
  /** A digest that was noted before, as under a report: it must be one of the history's. */
  readonly digest?: string | undefined
}

/** A SHA-256, base64url: the digest of an hour. */
const DIGEST = /^[\w-]{43}$/

export function isHourDigest(text: string): boolean {
  return DIGEST.test(text)
}

/** A pause that is none: clocks are set by as much, and a node ticks once a second. */
const SHORT_MS = 2_000

/** Signatures that are checked at a time. */
const BATCH = 256

interface HourRow extends Omit<Hour, 'node' | 'sensors'> {
  readonly previous: string
  readonly digest: string
  readonly certificate: string
  readonly signature: string
}

/**
 * Check that nothing in a history was altered, added or removed since its hours were signed.
 *
 * What cannot be seen: that the newest hours were cut off, as an older copy of the file would look
 * the same, unless a later digest was noted; and what somebody does who holds the node's key.
 */
export async function verifyHistory(
  database: DatabaseSync,
  options: VerifyHistoryOptions,
): Promise<HistoryVerification> {
  const check = new HistoryCheck(database, options)
  await check.run()
  return check.result()
}

class HistoryCheck {
  readonly #database: DatabaseSync
  readonly #options: VerifyHistoryOptions
  readonly #findings: HistoryFinding[] = []
  readonly #signers: Signers
  readonly #sensors: ReadonlyMap<number, KeptSensor>
  readonly #ofReadings: StatementSync
  readonly #ofMinutes: StatementSync
  readonly #ofHours: StatementSync
  readonly #ofEvents: StatementSync
  readonly #ofCommands: StatementSync
  readonly #gaps: Gap[] = []
  /** Of each sensor the end of the last hour that it was recorded in, and whether others were since. */
  readonly #heard = new Map<string, { end: number; isMissed: boolean }>()
  readonly #counts = { hours: 0, readings: 0, minutes: 0, events: 0, commands: 0 }
  readonly #checked: { row: HourRow; node: Name }[] = []
  #first: HourRow | undefined
  #last: HourRow | undefined
  #isNoted: boolean

  constructor(database: DatabaseSync, options: VerifyHistoryOptions) {
    this.#database = database
    this.#options = options
    this.#isNoted = options.digest === undefined
    this.#signers = new Signers({
      // Nothing is trusted because it is there: each certificate is traced to an authority.
      store: { certificates: () => [], keepCertificate: () => {} },
      ...options,
      authorities: () => options.authorities,
    })
    this.#sensors = new Map(
      database
        .prepare('SELECT id, name, kind FROM sensors')
        .all()
        .map(row => [Number(row['id']), row as unknown as KeptSensor]),
    )
    this.#ofReadings = database.prepare(
      `SELECT number, at, value FROM readings
       WHERE sensor = ? AND number >= ? AND number <= ? ORDER BY number`,
    )
    this.#ofMinutes = database.prepare(
      `SELECT minute, ${BUCKET_COLUMNS} FROM sensorMinutes
       WHERE sensor = ? AND position = ? ORDER BY minute`,
    )
    this.#ofHours = database.prepare(
      `SELECT sensor, readings, minutes, ${BUCKET_COLUMNS} FROM sensorHours
       WHERE position = ? AND sensor = ?`,
    )
    for (const rows of [this.#ofReadings, this.#ofMinutes, this.#ofHours]) {
      rows.setReturnArrays(true)
    }
    this.#ofEvents = database.prepare(inHour('events'))
    this.#ofCommands = database.prepare(inHour('commands'))
  }

  async run(): Promise<void> {
    const problem = pragma(this.#database, 'quick_check')
    if (problem !== 'ok') this.#find('the file', `it is damaged: ${String(problem)}`)
    this.#learnSigners()
    const newest = this.#database
      .prepare('SELECT * FROM hours WHERE digest IS NOT NULL ORDER BY position DESC LIMIT 1')
      .get() as unknown as HourRow | undefined
    const rows = this.#database.prepare(
      'SELECT * FROM hours WHERE digest IS NOT NULL ORDER BY position',
    )
    for (const row of rows.iterate() as unknown as Iterable<HourRow>) {
      if (newest !== undefined) this.#checkHour(row, newest)
      if (this.#checked.length >= BATCH) await this.#checkSignatures()
    }
    await this.#checkSignatures()
    const open = this.#database.prepare('SELECT begin FROM hours WHERE digest IS NULL').get()
    if (open !== undefined) this.#noteGap(Number(open['begin']))
    if (newest !== undefined) {
      for (const sensor of this.#heard.keys()) this.#noteSensorGap(sensor, newest.end)
      this.#checkCounts(newest)
    }
    if (!this.#isNoted) {
      this.#find('the file', `it has no hour with the digest ${this.#options.digest}`)
    }
  }

  result(): HistoryVerification {
    const { hours, readings, minutes } = this.#counts
    const [first, last] = [this.#first, this.#last]
    const unsigned = ['readings', 'events', 'commands'].map(table =>
      this.#count(`SELECT count(*) FROM ${table} WHERE number > ?`, last?.last ?? 0),
    )
    const jumps = this.#database
      .prepare("SELECT at, detail FROM events WHERE type = 'clock' ORDER BY number")
      .all()
    return {
      hours,
      span: first && last && { from: first.begin, to: last.end },
      readings,
      minutes,
      unsigned: unsigned.reduce((sum, one) => sum + one, 0),
      digest: last?.digest ?? '',
      gaps: this.#gaps.toSorted((a, b) => a.from - b.from),
      jumps: jumps.map(({ at, detail }) => ({ from: Date.parse(String(detail)), to: Number(at) })),
      findings: this.#findings,
    }
  }

  #find(place: string, problem: string): void {
    this.#findings.push({ place, problem })
  }

  #learnSigners(): void {
    for (const { chain } of this.#database.prepare('SELECT chain FROM certificates').all()) {
      const signer = this.#signers.learn(String(chain).split(' '))
      if (typeof signer === 'string') this.#find('the certificates', signer)
    }
  }

  #checkHour(row: HourRow, newest: HourRow): void {
    const place = placeOf(row)
    const before = this.#last
    this.#counts.hours += 1
    this.#first ??= row
    this.#last = row
    if (row.digest === this.#options.digest) this.#isNoted = true
    if (before !== undefined) this.#checkOrder(row, before)
    const sensors = this.#sensorHours(row.position)
    this.#noteSensors(
      row,
      sensors.map(([, { name }]) => name),
    )
    const node = this.#signers.get(row.certificate)?.identity.name
    if (node === undefined) {
      this.#find(place, 'the certificate under it is missing or not trusted')
    } else if (
      digestOf(row.previous, { ...row, node, sensors: sensors.map(([, of]) => of) }) !== row.digest
    ) {
      this.#find(place, 'its sums or its frame were altered: it has another digest')
    } else this.#checked.push({ row, node })
    this.#checkRows(row, sensors, newest)
  }

  #checkOrder(row: HourRow, before: HourRow): void {
    const place = placeOf(row)
    if (row.position !== before.position + 1) this.#find(place, 'hours are missing before it')
    else if (row.previous !== before.digest) {
      this.#find(place, 'it does not link to the hour before it')
    }
    this.#noteGap(row.begin, before)
  }

  /** @param before the hour that ended last */
  #noteGap(begin: number, before = this.#last): void {
    if (before === undefined || begin - before.end <= SHORT_MS) return
    this.#gaps.push({ from: before.end, to: begin })
  }

  /** A sensor that is not in an hour, and was before, was not recorded in it. */
  #noteSensors({ begin, end }: HourRow, recorded: readonly string[]): void {
    for (const [sensor, heard] of this.#heard) heard.isMissed ||= !recorded.includes(sensor)
    for (const sensor of recorded) {
      this.#noteSensorGap(sensor, begin)
      this.#heard.set(sensor, { end, isMissed: false })
    }
  }

  #noteSensorGap(sensor: string, to: number): void {
    const heard = this.#heard.get(sensor)
    if (heard?.isMissed !== true || to - heard.end <= SHORT_MS) return
    this.#gaps.push({ from: heard.end, to, sensor })
  }

  #sensorHours(position: number): [id: number, hour: SensorHour][] {
    const rows = this.#ofHours
    const hours: [number, SensorHour][] = []
    for (const { id, name, kind } of this.#sensors.values()) {
      const row = rows.get(position, id) as unknown as
        | [number, string, string, ...number[]]
        | undefined
      if (row === undefined) continue
      const [, readings, minutes] = row
      hours.push([id, { name, kind, readings, minutes, bucket: bucketOf(0, row, 3) }])
    }
    return hours
  }

  #checkRows(row: HourRow, sensors: readonly [number, SensorHour][], newest: HourRow): void {
    const place = placeOf(row)
    for (const [id, { name, readings, minutes }] of sensors) {
      if (row.position >= newest.readingsFrom && this.#readingsHash(id, row) !== readings) {
        this.#find(place, `readings of ${name} were altered, added or removed`)
      }
      if (
        row.position >= newest.minutesFrom &&
        this.#minutesHash(id, row.position, place) !== minutes
      ) {
        this.#find(place, `minutes of ${name} were altered, added or removed`)
      }
    }
    const events = new LinesHash()
    for (const event of this.#ofEvents.all(row.first, row.last).map(eventOf)) {
      this.#counts.events += 1
      const sensor = event.sensor === undefined ? undefined : this.#sensors.get(event.sensor)?.name
      events.addEvent({ ...event, sensor })
    }
    if (events.digest() !== row.events) {
      this.#find(place, 'events were altered, added or removed')
    }
    const commands = new LinesHash()
    for (const command of this.#ofCommands.all(row.first, row.last).map(commandOf)) {
      this.#counts.commands += 1
      commands.addCommand(command)
    }
    if (commands.digest() !== row.commands) {
      this.#find(place, 'commands were altered, added or removed')
    }
  }

  #readingsHash(sensor: number, { first, last }: HourRow): string {
    const all = new NumbersHash()
    for (const row of this.#ofReadings.iterate(sensor, first, last)) {
      const [number, at, value] = row as unknown as [number, number, number]
      this.#counts.readings += 1
      all.addReading(number, at, value)
    }
    return all.digest()
  }

  #minutesHash(sensor: number, position: number, place: string): string {
    const all = new NumbersHash()
    for (const row of this.#ofMinutes.all(sensor, position) as unknown as number[][]) {
      const [minute = 0] = row
      this.#counts.minutes += 1
      if (minute < 0 || minute > 59) this.#find(place, 'it has a minute that no hour has')
      all.addMinute(bucketOf(minute * MINUTE_MS, row, 1))
    }
    return all.digest()
  }

  async #checkSignatures(): Promise<void> {
    const checked = this.#checked.splice(0)
    const objections = await Promise.all(
      checked.map(async ({ row, node }) => {
        const signer = this.#signers.get(row.certificate)
        if (signer === undefined) return undefined
        // Its time says nothing: the clock of a node without a battery may be wrong by decades.
        if (signer.identity.role !== 'node')
          return `${signer.identity.subject} signs for node/${node}`
        const holds = await this.#signers.verify(signer, 'hour', row.digest, row.signature)
        return holds ? undefined : 'its signature does not hold'
      }),
    )
    objections.forEach((objection, index) => {
      const row = checked[index]?.row
      if (objection !== undefined && row !== undefined) this.#find(placeOf(row), objection)
    })
  }

  /** Rows that belong to no hour, or to a sensor that its hour does not have. */
  #checkCounts(newest: HourRow): void {
    const { readings, minutes, events, commands } = this.#counts
    const oldest = this.#first
    const { last, position, readingsFrom, minutesFrom } = newest
    const firstOf = this.#database.prepare('SELECT first FROM hours WHERE position = ?')
    const from = Number(firstOf.get(readingsFrom)?.['first'] ?? oldest?.first ?? 0)
    const there = {
      readings: this.#count(
        'SELECT count(*) FROM readings WHERE number >= ? AND number <= ?',
        from,
        last,
      ),
      minutes: this.#count(
        'SELECT count(*) FROM sensorMinutes WHERE position >= ? AND position <= ?',
        minutesFrom,
        position,
      ),
      events: this.#count('SELECT count(*) FROM events WHERE number <= ?', last),
      commands: this.#count('SELECT count(*) FROM commands WHERE number <= ?', last),
    }
    for (const [table, expected] of Object.entries({ readings, minutes, events, commands })) {
      const extra = there[table as keyof typeof there] - expected
      if (extra > 0) this.#find('the file', `it has ${extra} ${table} that belong to no hour`)
    }
  }

  #count(sql: string, ...values: readonly number[]): number {
    const [count] = Object.values(this.#database.prepare(sql).get(...values) ?? {})
    return Number(count ?? 0)
  }
}

function inHour(table: 'events' | 'commands'): string {
  return `SELECT * FROM ${table} WHERE number >= ? AND number <= ? ORDER BY number`
}

/** An hour as a person finds it: its beginning, in UTC, and its place in the chain. */
function placeOf({ begin, position }: Pick<HourRow, 'begin' | 'position'>): string {
  return `${new Date(begin).toISOString().slice(0, 16)}Z (hour ${position})`
}
