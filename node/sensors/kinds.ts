/** What a kind of sensor is. Whatever depends on the kind stands in a row of the table below. */
export interface SensorKindRow<Move extends string = string, Unit extends string = string> {
  /** What people call such a sensor. */
  readonly noun: string
  /** The types of its events that tell a change of state; empty for a kind that measures. */
  readonly moves: readonly Move[]
  /** What its readings measure; undefined for a kind that has states. */
  readonly quantity: Quantity<Unit> | undefined
  /** The field of a JSON object that holds its value, as Zigbee2MQTT names it. */
  readonly field: string
  /** Newest events that a node keeps of each sensor, for clients that come and that come back. */
  readonly keptForNewcomers: number
  /** Events that a node keeps of each sensor for a client that does not keep up. */
  readonly keptForSlowReaders: number
  /**
   * Whether a further event takes the place of the newest that is kept for such a client. Where each
   * event counts, the client is cut instead.
   */
  readonly onlyNewestCounts: boolean
  /** Silence after which a sensor is unavailable, ms; `Infinity` where it says that nothing moves. */
  readonly silentAfterMs: number
  /** Whether clients of the plain protocol know a sensor of this kind, by the name of the kind. */
  readonly isPlain: boolean
}

/** What readings measure. */
interface Quantity<Unit extends string> {
  /** As it stands in an event. */
  readonly unit: Unit
  /** As it is shown to people. */
  readonly symbol: string
  /** What such a sensor can truly read beside a fridge, both ends included. */
  readonly min: number
  readonly max: number
  /** Other units that a device may measure in, and how to convert them. */
  readonly conversions: Readonly<Record<string, (value: number) => number>>
}

const TABLE = {
  door: {
    noun: 'door',
    moves: ['open', 'close'],
    quantity: undefined,
    field: 'contact',
    // That a door was opened is never passed over.
    keptForNewcomers: 64,
    keptForSlowReaders: 1_024,
    onlyNewestCounts: false,
    // A door that nobody opens has nothing to say.
    silentAfterMs: Infinity,
    isPlain: true,
  },
  temperature: {
    noun: 'thermometer',
    moves: [],
    quantity: {
      unit: 'C',
      symbol: '°C',
      min: -100,
      max: 200,
      conversions: { F: (fahrenheit: number) => (fahrenheit - 32) / 1.8 },
    },
    field: 'temperature',
    keptForNewcomers: 1,
    keptForSlowReaders: 1,
    onlyNewestCounts: true,
    silentAfterMs: 300_000,
    isPlain: true,
  },
  humidity: {
    noun: 'hygrometer',
    moves: [],
    quantity: { unit: '%', symbol: '%', min: 0, max: 100, conversions: {} },
    field: 'humidity',
    keptForNewcomers: 1,
    keptForSlowReaders: 1,
    onlyNewestCounts: true,
    silentAfterMs: 300_000,
    isPlain: false,
  },
} as const satisfies Readonly<Record<string, SensorKindRow>>

/** What a sensor watches. */
export type SensorKind = keyof typeof TABLE

type Row = (typeof TABLE)[SensorKind]

/** The type of an event that tells a change of state. */
type Move = Row['moves'][number]

/** The unit of a reading: `C` is degrees Celsius, `%` relative humidity. */
type Unit = NonNullable<Row['quantity']>['unit']

/** What a sensor says. `at`: wall clock, milliseconds since 1970-01-01T00:00:00Z. */
export type SensorEvent =
  /** Of a kind with states. `at` is when a door was opened or closed, as far as the driver knows. */
  | { type: Move; at: number }
  /** Of a kind that measures. `value` is finite, in `unit`. */
  | { type: 'reading'; value: number; unit: Unit; at: number }
  /** Of any kind: nothing is known since `at`. `reason` is for people, one short line. */
  | { type: 'unavailable'; reason: string; at: number }

/** The table: a row for each kind. */
export const SENSOR_KINDS: Readonly<Record<SensorKind, SensorKindRow<Move, Unit>>> = TABLE

/** The kinds in the order of the table. */
export const SENSOR_KIND_NAMES = Object.keys(TABLE) as readonly SensorKind[]

/**
 * What a connection without ALPN is served, whatever else the node has. A sensor of one of these
 * names is of the kind with that name.
 */
export const PLAIN_SENSORS = SENSOR_KIND_NAMES.filter(kind => SENSOR_KINDS[kind].isPlain)

const ROWS: readonly SensorKindRow[] = Object.values(TABLE)
const MOVES: ReadonlySet<unknown> = new Set(ROWS.flatMap(({ moves }) => moves))
const UNITS: ReadonlySet<unknown> = new Set(
  ROWS.flatMap(({ quantity }) => (quantity === undefined ? [] : [quantity.unit])),
)

/** Every type of event that a sensor of some kind gives. */
export const EVENT_TYPES = [...MOVES, 'reading', 'unavailable'] as readonly SensorEvent['type'][]

export function isSensorKind(value: unknown): value is SensorKind {
  return typeof value === 'string' && Object.hasOwn(TABLE, value)
}

export function isMove(value: unknown): value is Move {
  return MOVES.has(value)
}

export function isUnit(value: unknown): value is Unit {
  return UNITS.has(value)
}

/** The last moment that a `Date` can be, in milliseconds since 1970 (ECMA-262, "Time Values"). */
export const MAX_TIME = 8.64e15

/** Whether a sensor of `kind` may say `event`: type, unit, finite numbers and a moment that can be. */
export function mayGive(kind: SensorKind, event: SensorEvent): boolean {
  if (!(Math.abs(event.at) <= MAX_TIME)) return false
  const { moves, quantity } = SENSOR_KINDS[kind]
  switch (event.type) {
    case 'unavailable':
      return true
    case 'reading':
      return quantity !== undefined && quantity.unit === event.unit && Number.isFinite(event.value)
    default:
      return moves.includes(event.type)
  }
}

/** A reading as it is shown to people: `4.50 °C`. */
export function formatReading(kind: SensorKind, value: number): string {
  return `${value.toFixed(2)} ${SENSOR_KINDS[kind].quantity?.symbol ?? ''}`.trimEnd()
}
