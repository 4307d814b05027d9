import { isObject, valueOf } from './lines.ts'

/** What of a far node's words is to be acted on (PROTOCOL.md, "Relays"). */
export interface ModelledRelay {
  readonly taken: readonly unknown[]
  readonly refused: boolean
}

interface Sensor {
  readonly name: string
  readonly kind: string
  readonly sealed?: unknown
}

const UNITS: Readonly<Record<string, string>> = { temperature: 'C', humidity: '%' }
const KINDS = ['door', 'temperature', 'humidity']
const MAX_TIME = 8.64e15

/** The words of a far node, one a line, up to the first that must be refused. */
export function modelRelay(text: string, maxDepth: number): ModelledRelay {
  const taken: unknown[] = []
  let sensor: Sensor | undefined
  for (const line of text.split('\n')) {
    const words = valueOf(line, maxDepth)?.value
    if (!Array.isArray(words)) return { taken, refused: true }
    const [what, ...values] = words as unknown[]
    const found = take(what, values, sensor)
    if (found === undefined) return { taken, refused: true }
    if (what === 'rights') sensor = (found as Sensor[])[0]
    taken.push(found)
  }
  return { taken, refused: false }
}

function take(what: unknown, values: unknown[], sensor: Sensor | undefined): unknown {
  switch (what) {
    case 'hello':
      return values.length === 1 ? hello(values[0]) : undefined
    case 'rights':
      return values.length === 1 ? rights(values[0]) : undefined
    case 'bye': {
      const [reason, text] = values
      if (typeof reason !== 'string' || typeof text !== 'string' || values.length > 2)
        return undefined
      return { reason: reason.slice(0, 64), text: text.slice(0, 1_024) }
    }
    case 'stream': {
      const [name] = values
      if (typeof name !== 'string') return undefined
      const [, digits, part] = /^([1-9][0-9]{0,14})\/([a-z][a-z0-9-]{0,31})$/.exec(name) ?? []
      return part === undefined ? undefined : { number: Number(digits), part }
    }
    default:
      return typeof what === 'string' && sensor !== undefined
        ? event(sensor, what, values)
        : undefined
  }
}

function hello(value: unknown): unknown {
  if (!isObject(value)) return undefined
  const { node, run, version, time } = value
  if (node !== 'node-2' || typeof run !== 'string') return undefined
  if (!/^node-2#([0-9a-f]{16}|[0-9a-f]{32})$/.test(run)) return undefined
  if (typeof version !== 'string' || version.length > 64) return undefined
  if (typeof time !== 'number' || Math.abs(time) > MAX_TIME) return undefined
  return { node, run, version, time }
}

function rights(value: unknown): readonly Sensor[] | undefined {
  if (!isObject(value) || !Array.isArray(value['sensors'])) return undefined
  const sensors = (value['sensors'] as unknown[]).map(sensorOf)
  if (sensors.length > 32 || sensors.includes(undefined)) return undefined
  const found = sensors as Sensor[]
  return found.every(({ name }, at) => found.findIndex(one => one.name === name) === at)
    ? found
    : undefined
}

function sensorOf(value: unknown): Sensor | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, kind, sealed } = value as Record<string, unknown>
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,31}$/.test(name)) return undefined
  if (typeof kind !== 'string' || !KINDS.includes(kind)) return undefined
  const channel = channelOf(sealed)
  return channel === undefined ? { name, kind } : { name, kind, sealed: channel }
}

function channelOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const { channel, domain, epoch } = value as Record<string, unknown>
  if (typeof channel !== 'string' || !/^[a-z][a-z0-9-]{0,31}$/.test(channel)) return undefined
  if (typeof domain !== 'string' || domain.length > 255) return undefined
  if (typeof epoch !== 'string' || !/^[A-Za-z0-9_-]{11}$/.test(epoch)) return undefined
  return { channel, domain, epoch }
}

function event({ kind, sealed }: Sensor, type: string, values: unknown[]): number | undefined {
  const sequence = values.at(-1)
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1) return undefined
  const isTaken = sealed === undefined ? isPlain(kind, type, values) : isSealed(type, values)
  return isTaken ? (sequence as number) : undefined
}

function isSealed(type: string, [epoch, box, ...more]: unknown[]): boolean {
  const isBox = typeof box === 'string' && box.length <= 2_048 && /^[A-Za-z0-9_-]*$/.test(box)
  const isEpoch = typeof epoch === 'string' && /^[A-Za-z0-9_-]{11}$/.test(epoch)
  return type === 'sealed' && more.length === 1 && isBox && isEpoch
}

function isPlain(kind: string, type: string, values: unknown[]): boolean {
  const at = values.at(-2)
  if (typeof at !== 'number' || Math.abs(at) > MAX_TIME) return false
  if (type === 'open' || type === 'close') return kind === 'door' && values.length === 2
  if (type === 'unavailable') {
    return typeof values[0] === 'string' && values[0].length <= 1_024 && values.length === 3
  }
  if (type !== 'reading' || values.length !== 4 || kind === 'door') return false
  return Number.isFinite(values[0]) && values[1] === UNITS[kind]
}
