import type { SensorReport } from '../../node/client/events.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { formatReading } from '../../node/sensors/kinds.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { Alarms, type Alarm } from '../alarms.ts'
import { parseDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectClient, type TargetOptions } from '../target.ts'

export interface ClientWatchOptions extends TargetOptions {
  readonly doorTimeout?: string
  readonly maxTemperature?: string
}

/**
 * Print events until the signal aborts (status 0) or no node will have this client (4). A node
 * that is lost is replaced by the next one.
 */
export async function runClientWatch(
  options: ClientWatchOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { doorTimeout } = options
  const { clock, signal } = io
  const json = options.json === true
  using alarms = new Alarms({
    clock,
    doorTimeoutMs: doorTimeout === undefined ? undefined : parseDuration(doorTimeout),
    maxTemperature: parseCelsius(options.maxTemperature),
    onAlarm: alarm =>
      io.out(json ? JSON.stringify({ type: 'alarm', ...alarm }) : formatAlarm(alarm, io)),
  })
  try {
    await using fridge = await connectClient(options, io)
    for await (const event of fridge.events()) {
      switch (event.type) {
        case 'connected':
          // What another node said says nothing about this one.
          if (!event.resumed) alarms[Symbol.dispose]()
          io.err(`connected to ${event.node} at ${event.address}`)
          break
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
        default:
          io.out(json ? formatJson(event) : formatEvent(event))
          alarms.hear({ name: event.sensor, kind: event.kind }, event)
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return EXIT.done
}

function parseCelsius(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const celsius = Number(text)
  if (text.trim() !== '' && Number.isFinite(celsius)) return celsius
  throw new FridgeError('ERR_USAGE', `--max-temperature ${JSON.stringify(text)} is not a number`, {
    fix: 'give degrees Celsius, for example --max-temperature 8',
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
  const time = new Date(event.at).toISOString().slice(11, 23)
  return `${time}  ${event.node}  ${event.sensor}  ${describe(event)}`
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

function formatAlarm({ sensor, state, text }: Alarm, { isTerminal }: CommandIo): string {
  const line = `${state === 'raised' ? 'ALARM' : 'alarm over'}  ${sensor}  ${text}`
  if (!isTerminal) return line
  return `\u001B[${state === 'raised' ? 31 : 32}m${line}\u001B[0m`
}
