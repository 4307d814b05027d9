import { connectAny } from '../../node/client/failover.ts'
import { FridgeError } from '../../node/errors.ts'
import type { SensorInfo } from '../../node/client/node-connection.ts'
import type { SensorEvent } from '../../node/sensors/sensor.ts'
import { Alarms, type Alarm } from '../alarms.ts'
import { parseDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { targetCredentials, targetNodes, type TargetOptions } from '../target.ts'

export interface ClientWatchOptions extends TargetOptions {
  readonly doorTimeout?: string
  readonly maxTemperature?: string
}

/** Losses after which another node is tried; anything else another node would say as well. */
const PASSING = new Set([
  'ERR_CLOSED',
  'ERR_UNREACHABLE',
  'ERR_TIMEOUT',
  'ERR_TOO_SLOW',
  'ERR_ISOLATED',
])

const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 10_000

/**
 * Print events until the signal aborts (status 0) or no node will have this client (4). A node
 * that is lost is replaced by the next one.
 */
export async function runClientWatch(
  options: ClientWatchOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const nodes = targetNodes(options, io)
  const { doorTimeout } = options
  const json = options.json === true
  using alarms = new Alarms({
    clock: io.clock,
    doorTimeoutMs: doorTimeout === undefined ? undefined : parseDuration(doorTimeout),
    maxTemperature: parseCelsius(options.maxTemperature),
    onAlarm: alarm =>
      io.out(json ? JSON.stringify({ type: 'alarm', ...alarm }) : formatAlarm(alarm, io)),
  })
  const credentials = await targetCredentials(options, 'client', io)
  const { clock, signal } = io
  let first = 0
  let failures = 0
  let hasConnected = false
  for (;;) {
    let node = ''
    const onEvent = (sensor: SensorInfo, event: SensorEvent): void => {
      io.out(
        json
          ? JSON.stringify({ node, sensor: sensor.name, ...event })
          : formatEvent(node, sensor, event),
      )
      alarms.hear(sensor, event)
    }
    // Events can come before the connection is handed over; they are held until its node is known.
    const early: [SensorInfo, SensorEvent][] = []
    let deliver = (sensor: SensorInfo, event: SensorEvent): void => void early.push([sensor, event])
    try {
      const order = [...nodes.slice(first), ...nodes.slice(0, first)]
      await using connection = await connectAny(order, {
        credentials,
        clock,
        signal,
        onEvent: (sensor, event) => deliver(sensor, event),
      })
      node = connection.node
      hasConnected = true
      failures = 0
      io.err(`connected to ${node} at ${connection.address}`)
      deliver = onEvent
      for (const [sensor, event] of early) onEvent(sensor, event)
      throw await connection.ended
    } catch (error) {
      if (signal.aborted) return EXIT.done
      if (!hasConnected || !(error instanceof FridgeError) || !PASSING.has(error.code)) throw error
      alarms[Symbol.dispose]()
      if (failures === 0) io.err(`lost ${node || 'the nodes'}: ${error.message}`)
    }
    first = (first + 1) % nodes.length
    // The first change of nodes is at once; when none answers, the tries thin out.
    if (failures > 0) await clock.sleep(retryDelay(failures), signal).catch(() => {})
    failures += 1
  }
}

function retryDelay(failures: number): number {
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 20))
  return ceiling * (0.5 + Math.random() / 2)
}

function parseCelsius(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const celsius = Number(text)
  if (text.trim() !== '' && Number.isFinite(celsius)) return celsius
  throw new FridgeError('ERR_USAGE', `--max-temperature ${JSON.stringify(text)} is not a number`, {
    fix: 'give degrees Celsius, for example --max-temperature 8',
  })
}

function formatEvent(node: string, { name }: SensorInfo, event: SensorEvent): string {
  const time = new Date(event.at).toISOString().slice(11, 23)
  return `${time}  ${node}  ${name}  ${describe(event)}`
}

function describe(event: SensorEvent): string {
  switch (event.type) {
    case 'open':
      return 'open'
    case 'close':
      return 'closed'
    case 'reading':
      return `${event.value.toFixed(2)} °C`
    case 'unavailable':
      return `unavailable: ${event.reason}`
  }
}

function formatAlarm({ sensor, state, text }: Alarm, { isTerminal }: CommandIo): string {
  const line = `${state === 'raised' ? 'ALARM' : 'alarm over'}  ${sensor}  ${text}`
  if (!isTerminal) return line
  return `\u001B[${state === 'raised' ? 31 : 32}m${line}\u001B[0m`
}
