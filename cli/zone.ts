import { MAX_TIME } from '../node/sensors/kinds.ts'

const DAY_MS = 86_400_000

/** Zones are set forward and back by no less than that: RFC 9636 and all zones of today. */
const QUARTER_MS = 900_000

/** A day before the last moment that a `Date` can be: what a clock on the wall shows can be one too. */
const LAST = MAX_TIME - DAY_MS

/** What is said of a moment that a stolen node has made up. */
const IMPOSSIBLE = 'an impossible time'

/** The time zone in which a person is told moments, and names them. */
export class Zone {
  /** As the IANA database has it: `Europe/Berlin`, `UTC`. */
  readonly name: string
  readonly #format: Intl.DateTimeFormat
  #known = { quarter: NaN, offsetMs: 0 }

  /** @throws RangeError where there is no such zone */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en', { timeZone: name, timeZoneName: 'longOffset' })
    // As it was given: what a zone is resolved to may be an older name of it.
    this.name = name === 'Etc/UTC' ? 'UTC' : name
  }

  /** `2026-03-01T08:30:00.000+01:00`, or with Z for UTC. */
  iso(at: number): string {
    if (!isPossible(at)) return IMPOSSIBLE
    const minutes = Math.abs(this.#offsetMs(at)) / 60_000
    const sign = this.#offsetMs(at) < 0 ? '-' : '+'
    const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map(pad)
    const offset = this.name === 'UTC' ? 'Z' : `${sign}${hour}:${minute}`
    return `${this.#wall(at).slice(0, -1)}${offset}`
  }

  /** `2026-03-01 08:30:00`. */
  second(at: number): string {
    if (!isPossible(at)) return IMPOSSIBLE
    return this.#wall(at).slice(0, 19).replace('T', ' ')
  }

  /** `2026-03-01 08:30`. */
  minute(at: number): string {
    return isPossible(at) ? this.second(at).slice(0, 16) : IMPOSSIBLE
  }

  /** `2026-03-01`. */
  day(at: number): string {
    return isPossible(at) ? this.second(at).slice(0, 10) : IMPOSSIBLE
  }

  /** The beginning of the day in which a moment lies. */
  startOfDay(at: number): number {
    return this.momentOf(Math.floor(this.wallOf(at) / DAY_MS) * DAY_MS)
  }

  /** What a clock on the wall shows at a moment, as the milliseconds of a clock of UTC. */
  wallOf(at: number): number {
    return at + this.#offsetMs(at)
  }

  /** The moment at which a clock on the wall shows that; of two the first or the second. */
  momentOf(wall: number): number {
    return wall - this.#offsetMs(wall - this.#offsetMs(wall))
  }

  #wall(at: number): string {
    return new Date(this.wallOf(at)).toISOString()
  }

  #offsetMs(moment: number): number {
    const at = Math.max(-LAST, Math.min(LAST, moment))
    const quarter = Math.floor(at / QUARTER_MS)
    // A table names moments that lie close to each other, and a format takes its time.
    if (this.#known.quarter !== quarter) this.#known = { quarter, offsetMs: this.#read(at) }
    return this.#known.offsetMs
  }

  #read(at: number): number {
    const parts = this.#format.formatToParts(at)
    const text = parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
    const [, sign, hours = 0, minutes = 0] = /([+-])(\d\d):(\d\d)/.exec(text) ?? []
    const ms = (Number(hours) * 60 + Number(minutes)) * 60_000
    return sign === '-' ? -ms : ms
  }
}

export const UTC = new Zone('UTC')

/** The zone of whoever types: that of TZ, or of the machine. */
export function zoneOf(
  { utc = false }: { readonly utc?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Zone {
  if (utc) return UTC
  // POSIX lets a colon stand before the name of a zone.
  const name = env['TZ']?.replace(/^:/, '')
  try {
    if (name !== undefined && name !== '') return new Zone(name)
  } catch {
    // A rule such as CET-1CEST: the system reads it, and says what it comes to.
  }
  return new Zone(new Intl.DateTimeFormat().resolvedOptions().timeZone)
}

function isPossible(at: number): boolean {
  return Math.abs(at) <= LAST
}

function pad(number: number): string {
  return String(number).padStart(2, '0')
}
