import type { AlarmChange } from '../alarms/alarm.ts'
import { openAlarms } from '../alarms/open-alarms.ts'
import type { FridgeNumbers } from '../alarms/numbers.ts'
import type { VitalSigns } from '../alarms/vital-signs.ts'
import type { NodeConfig } from '../config/config.ts'
import { FanOut } from '../events/fan-out.ts'
import type { Source } from '../identity/names.ts'
import type { History } from '../history/history.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Lookout } from '../lib/lookout.ts'
import { VERSION } from '../lib/version.ts'
import type { SimulatedFridge } from '../sensors/drivers/simulated.ts'
import type { Seals } from '../seal/seals.ts'
import { startFeeds } from '../sensors/feed.ts'
import { openSensors } from '../sensors/registry.ts'
import type { Sensor } from '../sensors/sensor.ts'
import type { Service } from './service.ts'
import { openSeals } from './open-seals.ts'
import { sealedHistory } from './sealed-history.ts'
import { CommandTrail } from './command-trail.ts'

export interface OpenServiceOptions {
  /** This run of the node. */
  readonly run: Source
  /** The trust domain of its certificate. */
  readonly domain: string
  readonly lookout: Pick<Lookout, 'check'>
  /** Follows the sensors as long as they run. */
  readonly history: History
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** What a node serves to its clients, while its sensors run. */
export interface OpenService extends AsyncDisposable {
  readonly service: Service
  /** The simulated fridge, where it has one. */
  readonly fridge: SimulatedFridge | undefined
  /** How the fridge is now. */
  readonly numbers: () => FridgeNumbers
  /** The same, as all other nodes are told it. */
  readonly vitals: VitalSigns
  readonly seals: Seals
}

/** Start the sensors of a node, and fan out what they tell. */
export async function openService(
  config: Pick<NodeConfig, 'name' | 'data' | 'sensors' | 'simulation' | 'alarms' | 'seal' | 'web'>,
  { run, domain, history, lookout, clock, random, log }: OpenServiceOptions,
): Promise<OpenService> {
  await using stack = new AsyncDisposableStack()
  const own = { node: config.name, run, domain }
  // Before a sensor says anything: a passphrase that cannot be had is no reason to tell it unsealed.
  const seals = stack.use(await openSeals(config, { ...own, clock, log }))
  const { sensors, actuator, fridge } = stack.use(openSensors(config, { clock, random, log }))
  const marked = sensors.map(sensor =>
    seals.of(sensor.name) === undefined ? sensor : asSealed(sensor),
  )
  const feeds = stack.use(startFeeds(marked, { clock, random, log }))
  const fanOut = stack.use(new FanOut(feeds, lookout, seals))
  stack.use(history.follow(feeds))
  const trail = stack.use(new CommandTrail({ record: call => history.command(call), clock, log }))
  const record = ({ state: type, alarm: told }: AlarmChange): void => {
    const { node: _node, sensor, kind: _kind, ...alarm } = told
    history.alarm({ sensor, type, detail: JSON.stringify(alarm) })
  }
  const { alarms, numbers, vitals } = stack.use(
    openAlarms(config, { feeds, recording: history, record, clock, random, log }),
  )
  const running = stack.move()
  return {
    service: {
      node: config.name,
      run,
      version: VERSION,
      sensors: feeds.sensors,
      actuator,
      fanOut,
      seals,
      lookout,
      history: sealedHistory(history, seals),
      trail,
      alarms,
      clock,
    },
    fridge,
    numbers,
    vitals,
    seals,
    [Symbol.asyncDispose]: async () => running.disposeAsync(),
  }
}

/** The same sensor, of which no part of the node tells a value but sealed. */
function asSealed(sensor: Sensor): Sensor {
  return { ...sensor, isSealed: true, watch: async (tell, signal) => sensor.watch(tell, signal) }
}
