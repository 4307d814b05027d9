import type { Clock, Random } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Actuator } from './actuator.ts'
import { calibrated } from './calibration.ts'
import { debounced } from './debounce.ts'
import { paced } from './pace.ts'
import { FileReader } from './drivers/file-reader.ts'
import { gpioSensor } from './drivers/gpio.ts'
import { hwmonSensor } from './drivers/hwmon.ts'
import { mqttSensor } from './drivers/mqtt.ts'
import { programSensor } from './drivers/program.ts'
import { kindOf, type SensorConfig, type SensorsConfig, type SimulationConfig } from './config.ts'
import type { Sensor, SensorLog } from './sensor.ts'
import { openSimulatedFridge, SIMULATED_KINDS, type SimulatedFridge } from './drivers/simulated.ts'
import { w1Sensor } from './drivers/w1.ts'

export {
  sensorsConfig,
  simulationConfig,
  type SensorsConfig,
  type SimulationConfig,
} from './config.ts'

export interface OpenSensorsConfig {
  /** As `sensorsConfig` gives it. */
  readonly sensors: SensorsConfig
  /** As `simulationConfig` gives it. */
  readonly simulation: SimulationConfig
}

export interface OpenSensorsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: SensorLog | undefined
}

/** The sensors of a node, ready for `startFeeds`. Dispose it after the feeds. */
export interface OpenSensors extends AsyncDisposable {
  /** In the order in which the configuration names them. */
  readonly sensors: readonly Sensor[]
  /** What obeys commands; undefined where nothing does. */
  readonly actuator: Actuator | undefined
  /** The fridge behind every simulated sensor; undefined where none is. */
  readonly fridge: SimulatedFridge | undefined
}

/** Of a sensor whose sender sets the pace, the shortest time between two readings, ms. */
const MIN_INTERVAL_MS = 100

/**
 * Open what a checked configuration names. All simulated sensors watch one fridge. None is opened
 * unasked: a node whose thermometer is real never mixes in a simulated door.
 * @throws FridgeError `ERR_CONFIG` where the configuration was not checked
 */
export function openSensors(
  { sensors, simulation }: OpenSensorsConfig,
  { clock, random, log }: OpenSensorsOptions,
): OpenSensors {
  const entries = Object.entries(sensors)
  const isSimulated = entries.some(([, { driver }]) => driver === 'simulated')
  const fridge = isSimulated ? openSimulatedFridge({ clock, random, ...simulation }) : undefined

  const readers = new Readers(clock)
  const openDriver = (name: string, config: SensorConfig): Sensor => {
    if (config.driver === 'w1') {
      return w1Sensor({ ...config, name, clock, random, reader: readers.of(config.root) })
    }
    if (config.driver === 'hwmon') {
      const reader = readers.of(`${config.root}/${config.chip}`)
      return hwmonSensor({ ...config, name, clock, random, reader })
    }
    if (config.driver === 'gpio') return gpioSensor({ ...config, name, clock, log })
    if (config.driver === 'command') {
      return programSensor({ ...config, argv: config.command, name, clock, log })
    }
    if (config.driver === 'mqtt') return mqttSensor({ ...config, name, clock, log })
    const kind = kindOf(name, config)
    if (fridge !== undefined && kind === 'door') return fridge.doorSensor(name)
    if (fridge !== undefined && kind === 'temperature') return fridge.temperatureSensor(name)
    throw new FridgeError('ERR_CONFIG', `sensor ${name} has no kind`, {
      fix: `set sensors.${name}.kind to ${SIMULATED_KINDS.join(' or ')}`,
    })
  }
  const open = (name: string, config: SensorConfig): Sensor => {
    let sensor = openDriver(name, config)
    if ('debounceMs' in config) sensor = debounced(sensor, clock, config.debounceMs ?? 0)
    if ('offset' in config || 'calibratedUntil' in config) {
      sensor = calibrated(sensor, { ...config, clock, log })
    }
    if (config.driver === 'command' || config.driver === 'mqtt') {
      const { minIntervalMs = MIN_INTERVAL_MS } = config
      sensor = paced(sensor, { clock, log, minIntervalMs })
    }
    return sensor
  }
  try {
    return {
      sensors: entries.map(([name, config]) => open(name, config)),
      actuator: fridge?.actuator,
      fridge,
      [Symbol.asyncDispose]: async () => {
        readers[Symbol.dispose]()
        fridge?.[Symbol.dispose]()
      },
    }
  } catch (error) {
    fridge?.[Symbol.dispose]()
    throw error
  }
}

/** A reader for each bus: what hangs on one of them keeps no other waiting. */
class Readers implements Disposable {
  readonly #clock: Clock
  readonly #readers = new Map<string, FileReader>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param bus any text that tells it from the others */
  of(bus: string): FileReader {
    const reader = this.#readers.get(bus) ?? new FileReader({ clock: this.#clock })
    this.#readers.set(bus, reader)
    return reader
  }

  [Symbol.dispose](): void {
    for (const reader of this.#readers.values()) reader[Symbol.dispose]()
  }
}
