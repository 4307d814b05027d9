import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

import type { Clock } from '../../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../../lib/errors.ts'
import type { Sensor, TellEvent } from '../sensor.ts'
import { parseW1Slave } from './w1-slave.ts'

export interface W1Options {
  readonly name: string
  readonly clock: Clock
  /** The kernel's name of the device: family code, hyphen, serial number, `28-00000a1b2c3d`. */
  readonly device: string
  /** The folder of the devices. Default `/sys/bus/w1/devices`. */
  readonly root?: string | undefined
  /** Between two readings, ms. Default 5000. A reading takes the bus for some 800 ms. */
  readonly intervalMs?: number | undefined
}

export const W1_ROOT = '/sys/bus/w1/devices'

/** DS18S20, DS1822, DS18B20, DS1825 and DS28EA00: the devices that the kernel's w1_therm serves. */
const DEVICE = /^(?:10|22|28|3b|42)-[0-9a-f]{12}$/

/** sysfs gives one page; a longer file is something else. */
const MAX_FILE_BYTES = 4_096

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
  const { name, clock, device, root = W1_ROOT, intervalMs = 5_000 } = options
  if (!isW1Device(device)) {
    throw new FridgeError('ERR_CONFIG', `${JSON.stringify(device)} is not a 1-wire thermometer`, {
      fix: `ls ${W1_ROOT}`,
    })
  }
  const file = join(root, device, 'w1_slave')

  async function watch(tell: TellEvent, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reading = await read(file)
      const at = clock.now()
      tell(
        'reason' in reading
          ? { type: 'unavailable', reason: reading.reason, at }
          : { type: 'reading', value: reading.celsius, unit: 'C', at },
      )
      // It rejects only when the signal aborts, and the loop sees that itself.
      await clock.sleep(intervalMs, signal).catch(() => undefined)
    }
  }
  // Three readings missed, and ten seconds for a slow bus.
  return { name, kind: 'temperature', silentAfterMs: 3 * intervalMs + 10_000, watch }
}

async function read(file: string): Promise<ReturnType<typeof parseW1Slave>> {
  try {
    // Without waiting: were the path a FIFO, opening it would wait for a writer for ever.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await handle.stat()).isFile()) return { reason: 'w1_slave is not a file' }
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
      if (bytesRead === 0) break
      length += bytesRead
    }
    if (length > MAX_FILE_BYTES) return { reason: 'w1_slave is too long' }
    return parseW1Slave(buffer.toString('latin1', 0, length))
  } catch (error) {
    return { reason: reasonOf(error) }
  }
}

/** A reason that every client is told, so without the paths of this machine. */
function reasonOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'the thermometer is not on the bus'
    case 'EACCES':
    case 'EPERM':
      return 'the thermometer may not be read by this user'
    default:
      return `the thermometer cannot be read: ${errorCode(error) ?? errorMessage(error)}`
  }
}
