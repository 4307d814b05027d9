import type { AlarmChange } from '../../node/alarms/alarm.ts'
import type { FridgeEvent, SensorReport } from '../../node/client/events.ts'
import type { Fridge } from '../../node/client/fridge.ts'
import { isOver } from '../../node/client/last-words.ts'
import { backoffMs } from '../../node/lib/backoff.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { formatReading } from '../../node/sensors/kinds.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { LimitWatch, type OwnLimits } from '../alarms.ts'
import { parseDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatTimeOfDay } from '../moment.ts'
import { formatWatchedAlarm, type LimitsOf } from '../output/alarm-output.ts'
import { connectClient, targetNodes, type TargetOptions } from '../target.ts'

export interface ClientWatchOptions extends TargetOptions {
  readonly doorTimeout?: string
  readonly maxTemperature?: string
  readonly minTemperature?: string
  readonly for?: string
  readonly all?: boolean
}

/** How long to wait for a node that is not there yet, between two attempts. */
const RETRY = { firstMs: 1_000, maxMs: 10_000 }

/**
 * Print events and alarms until the signal aborts (status 0) or no node will have this client (4).
 * A node that is lost is replaced by the next one; with `--all` each is watched, and waited for.
 */
export async function runClientWatch(
  options: ClientWatchOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const limits = parseLimits(options)
  const nodes = targetNodes(options, io).map(formatAddress)
  using watch = new LimitWatch({
    clock: io.clock,
    limits,
    onAlarm: change => printAlarm(change, 'own', options, io),
  })
  const stop = new AbortController()
  const own = { ...io, signal: AbortSignal.any([io.signal, stop.signal]) }
  try {
    if (options.all !== true) {
      await using fridge = await connectClient(options, io)
      await watchFridge(fridge, watch, options, io)
    } else {
      const watched = nodes.map(async node => watchNode({ ...options, node: [node] }, watch, own))
      try {
        await Promise.all(watched)
      } finally {
        stop.abort()
        await Promise.allSettled(watched)
      }
    }
  } catch (error) {
    if (!io.signal.aborted) throw error
  }
  return EXIT.done
}

/** Watch one node, whether or not it is there already. */
async function watchNode(
  options: ClientWatchOptions,
  watch: LimitWatch,
  io: CommandIo,
): Promise<void> {
  for (let failures = 1; ; failures += 1) {
    try {
      await using fridge = await connectClient(options, io)
      return await watchFridge(fridge, watch, options, io)
    } catch (error) {
      const isAbsent =
        error instanceof FridgeError &&
        (error.code === 'ERR_UNREACHABLE' || error.code === 'ERR_TIMEOUT')
      const nodes = options.node?.length ?? 1
      if (!isAbsent || isOver(error, nodes) || io.signal.aborted) throw error
      if (failures === 1) io.err(`waits for ${options.node?.join()}: ${foreignText(error.message)}`)
      await io.clock.sleep(backoffMs(failures, RETRY, Math.random), io.signal)
    }
  }
}

async function watchFridge(
  fridge: Fridge,
  watch: LimitWatch,
  options: ClientWatchOptions,
  io: CommandIo,
): Promise<void> {
  let before: string | undefined
  for await (const event of fridge.events()) {
    if (event.type === 'connected') {
      watch.greet(event.node, event.clockAheadMs)
      io.err(`connected to ${event.node} at ${event.address}`)
      // Another fridge must not come under the same limits unsaid.
      if (before !== undefined && before !== event.node) {
        io.err(`watches ${event.node} from now on, and no longer ${before}`)
      }
      before = event.node
    } else print(event, options, io)
    if (event.type === 'withdrawn') watch.forget(event.node, event.sensor)
    if ('kind' in event) watch.hear(event.node, { name: event.sensor, kind: event.kind }, event)
  }
}

function print(
  event: Exclude<FridgeEvent, { type: 'connected' }>,
  options: ClientWatchOptions,
  io: CommandIo,
): void {
  const json = options.json === true
  switch (event.type) {
    case 'lost':
      io.err(`lost ${event.node}: ${foreignText(event.reason.message)}`)
      break
    case 'missed':
      if (json) io.out(JSON.stringify(event))
      else io.err(`missed ${event.count} events of ${event.sensor} at ${event.node}`)
      break
    case 'withdrawn':
      if (json) io.out(JSON.stringify(event))
      else io.err(`${event.sensor} at ${event.node} may not be read any more`)
      break
    case 'alarm':
      printAlarm(event, 'node', options, io)
      break
    default:
      io.out(json ? formatJson(event) : formatEvent(event))
  }
}

/** @param limits whose limits these are: those of the node, or of whoever watches it */
function printAlarm(
  { state, alarm }: AlarmChange,
  limits: LimitsOf,
  { json }: ClientWatchOptions,
  io: CommandIo,
): void {
  io.out(
    json === true
      ? JSON.stringify({ type: 'alarm', state, limits, ...alarm })
      : formatWatchedAlarm({ state, alarm }, limits, io.hasColours),
  )
}

/** @throws FridgeError `ERR_USAGE` */
function parseLimits(options: ClientWatchOptions): OwnLimits {
  const duration = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseDuration(text)
  const limits = {
    doorTimeoutMs: duration(options.doorTimeout),
    maxTemperature: parseCelsius('--max-temperature', options.maxTemperature),
    minTemperature: parseCelsius('--min-temperature', options.minTemperature),
    forMs: duration(options.for),
  }
  const { minTemperature, maxTemperature, forMs } = limits
  if (
    minTemperature !== undefined &&
    maxTemperature !== undefined &&
    minTemperature >= maxTemperature
  ) {
    const text = `--min-temperature ${minTemperature} is not below --max-temperature ${maxTemperature}`
    throw new FridgeError('ERR_USAGE', text, { fix: 'give the lower one as --min-temperature' })
  }
  if (forMs !== undefined && minTemperature === undefined && maxTemperature === undefined) {
    throw new FridgeError(
      'ERR_USAGE',
      '--for says how long a limit may be passed, and there is none',
      {
        fix: 'add --max-temperature or --min-temperature; a door has --door-timeout',
      },
    )
  }
  return limits
}

function parseCelsius(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const celsius = Number(text)
  if (text.trim() !== '' && Number.isFinite(celsius)) return celsius
  throw new FridgeError('ERR_USAGE', `${option} ${JSON.stringify(text)} is not a number`, {
    fix: `give degrees Celsius, for example ${option} 5`,
  })
}

function formatJson({
  node,
  sensor,
  kind: _kind,
  sequence: _sequence,
  ...event
}: SensorReport): string {
  return JSON.stringify({ node, sensor, ...event })
}

function formatEvent(event: SensorReport): string {
  return `${formatTimeOfDay(event.at)}  ${event.node}  ${event.sensor}  ${describe(event)}`
}

function describe(event: SensorReport): string {
  switch (event.type) {
    case 'open':
      return 'open'
    case 'close':
      return 'closed'
    case 'reading':
      return formatReading(event.kind, event.value)
    case 'unavailable':
      return `unavailable: ${foreignText(event.reason)}`
  }
}
