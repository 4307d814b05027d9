import { join } from 'node:path'

import type { Clock, Random } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import type { Sensor } from '../sensor.ts'
import type { FileReader } from './file-reader.ts'
import { poll, polledSilenceMs, textOf, type Measurement } from './poll.ts'
import { parseW1Slave } from './w1-slave.ts'

export interface W1Options {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  /** Reads for every thermometer of the same bus. */
  readonly reader: FileReader
  /** The kernel's name of the device: family code, hyphen, serial number, `28-00000a1b2c3d`. */
  readonly device: string
  /** The folder of the devices. Default `/sys/bus/w1/devices`. */
  readonly root?: string | undefined
  /** Between two readings, ms. Default 5000. A reading takes the bus for some 800 ms. */
  readonly intervalMs?: number | undefined
}

export const W1_ROOT = '/sys/bus/w1/devices'

/** DS18S20, DS1822, DS18B20, DS1825 or MAX31850, and DS28EA00: the devices that the kernel's w1_therm serves. */
const DEVICE = /^(?:10|22|28|3b|42)-[0-9a-f]{12}$/

/** Whether `value` names a thermometer; it becomes part of a path, so nothing else may pass. */
export function isW1Device(value: unknown): value is string {
  return typeof value === 'string' && DEVICE.test(value)
}

/**
 * A thermometer on the Linux 1-wire bus, read from `<root>/<device>/w1_slave`. Whatever keeps a
 * reading from being certain makes the sensor unavailable until the next good reading.
 * @throws FridgeError `ERR_CONFIG` when `device` is not the name of a thermometer
 */
export function w1Sensor(options: W1Options): Sensor {
  const { name, clock, random, reader, device, root = W1_ROOT, intervalMs = 5_000 } = options
  if (!isW1Device(device)) {
    throw new FridgeError('ERR_CONFIG', `${JSON.stringify(device)} is not a 1-wire thermometer`, {
      fix: `ls ${W1_ROOT}`,
    })
  }
  const file = join(root, device, 'w1_slave')
  const measure = async (signal: AbortSignal): Promise<Measurement> => {
    const content = textOf(await reader.read(file, signal), 'thermometer')
    if ('reason' in content) return content
    const reading = parseW1Slave(content.text, device.slice(0, 2))
    return 'reason' in reading ? reading : { value: reading.celsius }
  }
  return {
    name,
    kind: 'temperature',
    silentAfterMs: polledSilenceMs(intervalMs),
    watch: async (tell, signal) =>
      poll(measure, { kind: 'temperature', clock, random, intervalMs }, tell, signal),
  }
}
