/** What a node says of its fridge to all (PROTOCOL.md, "Members"), as far as the page shows it. */
export interface Vitals {
  readonly sensors: readonly SensorVitals[]
  readonly alarms: readonly AlarmVitals[]
  /** How many sensors and alarms had no room. */
  readonly more: number
}

export interface SensorVitals {
  readonly sensor: string
  readonly kind: string
  /** A number, `open`, `close` or `sealed`; null while nothing is known. */
  readonly value: number | string | null
  /** 0 where it has said nothing yet. */
  readonly at: number
  readonly reason: string
}

export interface AlarmVitals {
  readonly id: string
  readonly sensor: string
  readonly rule: string
  readonly since: number
  readonly limit: number | null
  readonly isNoted: boolean
  /** The node that it is about, where that is another one. */
  readonly about: string | undefined
}

/** The units of what is measured, by kind. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['temperature', '°C'],
  ['humidity', '%'],
])

/** Read what a node has said: others have carried it as it was, and rows that are malformed are passed over. */
export function readVitals(value: unknown): Vitals {
  const { sensors, alarms, more } = (value ?? {}) as Readonly<Record<string, unknown>>
  return {
    sensors: rowsOf(sensors).flatMap(row => readSensor(row) ?? []),
    alarms: rowsOf(alarms).flatMap(row => readAlarm(row) ?? []),
    more: typeof more === 'number' ? more : 0,
  }
}

/** The newest value of a sensor in words. */
export function describeValue({ kind, value, reason, at }: SensorVitals): string {
  if (value === null) return at === 0 ? 'nothing said yet' : `unavailable: ${reason}`
  if (typeof value === 'string') return value === 'close' ? 'closed' : value
  return `${value.toFixed(2)} ${UNITS.get(kind) ?? ''}`
}

/** An alarm in words. */
export function describeAlarm({ sensor, rule, limit, isNoted }: AlarmVitals): string {
  const what = limit === null ? rule : `${rule} ${limit}`
  return `${sensor === 'node' ? '' : `${sensor}: `}${what}${isNoted ? ', noted' : ''}`
}

function rowsOf(value: unknown): (readonly unknown[])[] {
  return Array.isArray(value) ? value.filter(row => Array.isArray(row)) : []
}

function readSensor([sensor, kind, value, at, reason = '']: readonly unknown[]):
  | SensorVitals
  | undefined {
  if (typeof sensor !== 'string' || typeof kind !== 'string') return undefined
  if (typeof at !== 'number' || typeof reason !== 'string') return undefined
  const isKnown =
    typeof value === 'number' || value === 'open' || value === 'close' || value === 'sealed'
  return isKnown || value === null ? { sensor, kind, value, at, reason } : undefined
}

function readAlarm(row: readonly unknown[]): AlarmVitals | undefined {
  const [id, sensor, , rule, since, , limit, noted, about] = row
  if (typeof id !== 'string' || typeof sensor !== 'string' || typeof rule !== 'string') {
    return undefined
  }
  if (typeof since !== 'number' || (limit !== null && typeof limit !== 'number')) return undefined
  if (about !== undefined && typeof about !== 'string') return undefined
  return { id, sensor, rule, since, limit, isNoted: noted === 1, about }
}
